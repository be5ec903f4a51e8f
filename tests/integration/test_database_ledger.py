"""The ledger's marks, and what a deployment keeps of what it replaced."""

from __future__ import annotations

import pytest

import gitsync
from gitsync.sync.model import Deployment, Mark, MarkKind
from gitsync.workflow.canonical import canonical_bytes, document_digest
from gitsync.workflow.types import Digest, Key
from tests.support.documents import make_workflow
from tests.support.instance import COMMIT, Instance, Kind, changes_to, make_instance
from tests.support.product import ACTOR, OTHER_TENANT, Generation

INSTANCES = [
    Kind("sqlite", Generation.SEED),
    Kind("sqlite", Generation.CURRENT),
    Kind("postgresql", Generation.SEED),
    Kind("postgresql", Generation.CURRENT),
]
A, B, W = Key("a"), Key("b"), Key("w")


def digest(letter: str) -> Digest:
    return Digest(letter * 40)


def push_mark(letter: str, *, is_write: bool = True) -> Mark:
    return Mark(MarkKind.PUSH, digest(letter), letter * 40, is_write=is_write)


def record(instance: Instance, kind: MarkKind = MarkKind.PUSH, **marks: Mark) -> int | None:
    with instance.open() as database:
        return database.record(Deployment(kind, COMMIT, {Key(key): mark for key, mark in marks.items()}))


def test_every_write_leaves_a_mark_with_what_it_replaced(instance: Instance) -> None:
    first, second = make_workflow("w"), make_workflow("w", name="Second")

    instance.push(first)
    instance.push(second, in_place=True)
    instance.push(delete=["w"])

    with instance.open() as database:
        marks = database.marks([W])[W]
    old, new = document_digest(first), document_digest(second)
    assert [(mark.number, mark.digest, mark.replaced) for mark in marks] == [
        (3, None, new),
        (2, new, old),
        (1, old, None),
    ]
    assert {(mark.kind, mark.commit, mark.is_write) for mark in marks} == {(MarkKind.PUSH, COMMIT, True)}


@pytest.mark.parametrize("in_place", [False, True])
def test_what_was_replaced_is_kept_word_for_word_with_its_id(instance: Instance, in_place: bool) -> None:
    first = make_workflow("w", versions={1: {"text": "Größe \u2028 🎈 \u0001"}}, description="before")
    instance.push(first)
    old = instance.editor.row("w")["workflow_id"]

    applied = instance.push(make_workflow("w"), in_place=in_place, actor=ACTOR)

    created, replaced = sorted(
        instance.editor.rows("gitsync_deployment_items"), key=lambda item: item["number"]
    )
    assert replaced["replaced_document"] == canonical_bytes(first).decode()
    assert (replaced["action"], replaced["replaced_workflow_id"]) == ("update", old)
    assert replaced["workflow_id"] == applied.created[W]
    assert (created["action"], created["replaced_document"], created["workflow_id"]) == ("create", None, old)
    _, deployment = sorted(instance.editor.rows("gitsync_deployments"), key=lambda row: row["number"])
    assert deployment["kind"] == "push"
    assert deployment["environment"] == "test"
    assert deployment["commit_id"] == COMMIT
    assert deployment["actor"] == ACTOR
    assert deployment["tool_version"] == gitsync.__version__
    assert str(deployment["created_at"]).startswith("20")


def test_marks_come_back_newest_first_as_they_were_given(instance: Instance) -> None:
    written = [
        push_mark("1"),
        push_mark("2", is_write=False),
        Mark(MarkKind.PULL, digest("3"), "3" * 40, is_write=False),
        Mark(MarkKind.IMPORT, digest("4"), None),
        Mark(MarkKind.PULL, None, "5" * 40, is_write=False),
    ]

    numbers = [record(instance, mark.kind, w=mark) for mark in written]

    with instance.open() as database:
        marks = database.marks([W, Key("unknown")])
        assert database.newest_number() == 5
    assert numbers == [1, 2, 3, 4, 5]
    assert list(marks) == [W]
    assert [(m.kind, m.digest, m.commit, m.is_write) for m in reversed(marks[W])] == [
        (m.kind, m.digest, m.commit, m.is_write) for m in written
    ]
    assert [mark.number for mark in marks[W]] == [5, 4, 3, 2, 1]


def test_recent_marks_end_with_the_newest_that_a_push_wrote(instance: Instance) -> None:
    record(instance, a=push_mark("1"), b=push_mark("1", is_write=False))
    record(instance, a=push_mark("2"), b=Mark(MarkKind.IMPORT, digest("2"), None))
    record(instance, a=push_mark("3", is_write=False))
    record(instance, a=Mark(MarkKind.PULL, digest("4"), "4" * 40, is_write=False))

    with instance.open() as database:
        recent = database.recent_marks()

    assert [mark.number for mark in recent[A]] == [4, 3, 2]
    assert [mark.number for mark in recent[B]] == [2, 1]


def test_marks_of_an_apply_stand_beside_its_writes_and_never_replace_them(instance: Instance) -> None:
    document = make_workflow("w")
    marks = {A: push_mark("a", is_write=False), W: push_mark("f", is_write=False)}

    with instance.open() as database:
        applied = database.apply(
            changes_to({}, document), [(W, document)], Deployment(MarkKind.PUSH, COMMIT, marks)
        )
        held = database.marks([A, W])

    assert applied.number == 1
    assert [(mark.digest, mark.is_write) for mark in held[W]] == [(document_digest(document), True)]
    assert [(mark.digest, mark.is_write) for mark in held[A]] == [(digest("a"), False)]


def test_an_import_leaves_marks_without_a_commit(instance: Instance) -> None:
    document = make_workflow("w")

    with instance.open() as database:
        database.apply(changes_to({}, document), [(W, document)], Deployment(MarkKind.IMPORT, None))
        (mark,) = database.marks([W])[W]

    assert (mark.kind, mark.commit) == (MarkKind.IMPORT, None)


def test_nothing_to_note_makes_no_deployment(instance: Instance) -> None:
    assert record(instance) is None
    with instance.open() as database:
        assert database.apply([], [], Deployment(MarkKind.PUSH, COMMIT)).number is None
        assert database.newest_number() == 0


def test_an_apply_without_changes_notes_the_marks(instance: Instance) -> None:
    with instance.open() as database:
        applied = database.apply([], [], Deployment(MarkKind.PUSH, COMMIT, {W: push_mark("1")}))

    assert (applied.number, applied.created) == (1, {})


def test_each_tenant_counts_and_remembers_for_itself(postgres_database: str) -> None:
    instance = make_instance(postgres_database, Generation.CURRENT)
    record(instance, w=push_mark("1"))
    record(instance, w=push_mark("2"))

    with instance.open(tenant=OTHER_TENANT) as other:
        assert (other.newest_number(), other.marks([W]), other.recent_marks()) == (0, {}, {})
        assert other.record(Deployment(MarkKind.PUSH, COMMIT, {W: push_mark("3")})) == 1
        assert [mark.digest for mark in other.marks([W])[W]] == [digest("3")]


def test_the_identity_stays_and_differs_per_tenant(instance: Instance) -> None:
    with instance.open() as first, instance.open() as second:
        assert first.identity() == second.identity()
        assert len(first.identity()) == 16
        own = first.identity()

    if instance.generation is Generation.CURRENT:
        with instance.open(tenant=OTHER_TENANT) as other:
            assert other.identity() != own


def test_ten_thousand_keys_are_asked_for_at_once(instance: Instance) -> None:
    marks = {Key(f"w{number}"): push_mark("1") for number in range(3)}

    with instance.open() as database:
        database.record(Deployment(MarkKind.PUSH, COMMIT, marks))
        found = database.marks([Key(f"w{number}") for number in range(10_000)])

    assert sorted(found) == ["w0", "w1", "w2"]


def test_a_snapshot_names_the_newest_deployment(instance: Instance) -> None:
    instance.push(make_workflow("w"))
    record(instance, w=push_mark("1"))

    with instance.open() as database:
        assert database.snapshot().number == 2
