"""What every store does that a push can bring workflows into."""

from __future__ import annotations

from gitsync.sync.model import CommittedFiles, Deployment, Mark, MarkKind
from gitsync.workflow.canonical import document_digest
from gitsync.workflow.types import Key
from tests.contract.conftest import Holding
from tests.support.documents import call, document
from tests.support.instance import changes_to

A, B, NEW = document("a"), document("b", call("key:a")), document("a", description="New")
COMMIT = "c" * 40


def test_each_workflow_has_one_id_wherever_it_is_asked_for(target: Holding) -> None:
    with target(A, B) as held:
        with held.store.open() as session:
            index = session.index
            documents = list(session.load([Key("a"), Key("b")]))

        assert index.ids == held.store.snapshot().ids
        assert index.keys == {"a", "b"}
        assert index.keys_by_id == {workflow_id: key for key, workflow_id in index.ids.items()}
        assert documents == [("a", A), ("b", B)]


def test_an_identity_stays_when_the_content_changes(target: Holding) -> None:
    with target(A) as held:
        before = held.store.identity()
        held.store.apply(
            changes_to(held.digests(), NEW), [(Key("a"), NEW)], Deployment(MarkKind.PUSH, COMMIT)
        )

        assert held.store.identity() == before


def test_a_snapshot_tells_how_far_it_has_come(target: Holding) -> None:
    told: list[tuple[int, int]] = []

    with target(A, B) as held:
        held.store.snapshot(progress=lambda done, total: told.append((done, total)))

    assert told[-1] == (2, 2)


def test_what_a_snapshot_kept_is_loaded_as_it_was_then(target: Holding) -> None:
    with target(A, B) as held:
        digests = held.digests()
        held.store.snapshot(keep={Key("b"): digests[Key("b")]})

        assert list(held.store.load([Key("a")])) == [("a", A)]


def test_a_system_workflow_counts_as_git_says_where_the_store_cannot_tell(target: Holding) -> None:
    system = document("a", isSystem=True)
    files = CommittedFiles({Key("a"): document_digest(system)}, frozenset([Key("a")]))

    with target(system) as held:
        assert held.store.snapshot(files=files).digests == {"a": document_digest(system)}


def test_a_write_is_remembered_where_there_is_a_ledger(target: Holding) -> None:
    with target(A) as held:
        store, digests = held.store, held.digests()
        seen = store.snapshot().number
        applied = store.apply(changes_to(digests, NEW), [(Key("a"), NEW)], Deployment(MarkKind.PUSH, COMMIT))
        assert (store.ledger is not None) is store.capabilities.has_ledger
        if store.ledger is None:
            assert (seen, store.snapshot().number) == (0, 0)
            return

        (newest, *_) = store.ledger.marks([Key("a")])[Key("a")]
        assert (newest.digest, newest.commit, newest.number) == (document_digest(NEW), COMMIT, applied.number)
        assert store.snapshot().number == store.ledger.newest_number() == applied.number == seen + 1
        assert store.ledger.recent_marks()[Key("a")][0] == newest


def test_marks_alone_are_noted_where_there_is_a_ledger(target: Holding) -> None:
    with target(A, B) as held:
        if (ledger := held.store.ledger) is None:
            return
        digest = held.digests()[Key("b")]
        mark = Mark(MarkKind.PULL, digest, COMMIT)
        number = ledger.record(Deployment(MarkKind.PULL, COMMIT, {Key("b"): mark}))

        newest = ledger.marks([Key("b")])[Key("b")][0]
        assert (newest.kind, newest.digest, newest.number) == (MarkKind.PULL, digest, number)
        assert ledger.record(Deployment(MarkKind.PULL, COMMIT)) is None


def test_callers_are_known_where_usage_is_told(target: Holding) -> None:
    with target(A, B) as held:
        if (usage := held.store.usage) is None:
            return

        assert usage.callers([Key("a")]) == {"b"}
        assert not list(usage.unfinished_runs([Key("a"), Key("b")]))
        assert usage.look_around(changes_to(held.digests(), NEW)).ids.keys() == {"a"}
