"""What an apply writes, what it leaves alone, and that it is all or nothing."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from gitsync.errors import (
    DatabaseError,
    DuplicateKey,
    LockNotAcquired,
    NotConverged,
    PlanStale,
)
from gitsync.stores.database.connect import make_engine
from gitsync.sync.model import Action, Change, Deployment, Mark, MarkKind
from gitsync.sync.usage import Protection
from gitsync.workflow.canonical import canonical_bytes, document_digest
from gitsync.workflow.types import Digest, Key
from tests.support.documents import call, make_workflow, steps
from tests.support.instance import COMMIT, Instance, by_key, changes_to, make_instance
from tests.support.product import ACTOR, OTHER_TENANT, Generation, connected

PUSH = Deployment(MarkKind.PUSH, COMMIT)


def versions_of(instance: Instance) -> dict[int, dict[str, Any]]:
    return {row["version"]: row for row in instance.editor.rows("workflow_definition_versions")}


def as_json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


# ---------------------------------------------------------------- what is written


def test_a_create_writes_all_columns_and_says_so(instance: Instance) -> None:
    document = make_workflow(
        "w", versions={1: {}, 4: {}}, trigger={"type": "event", "eventName": "X"}, isPaused=True
    )

    applied = instance.push(document, actor=ACTOR)

    row, versions = instance.editor.row("w"), versions_of(instance)
    assert applied.created == {"w": row["workflow_id"]}
    assert (applied.deleted, applied.versions, applied.number) == ({}, {"w": [1, 4]}, 1)
    assert (row["status"], row["created_by"], row["updated_by"]) == ("published", ACTOR, ACTOR)
    assert as_json(row["trigger"]) == {"type": "event", "eventName": "X"}
    assert as_json(row["draft_definition"])["id"] == row["workflow_id"]
    assert bool(row["is_paused"])
    for version in versions.values():
        assert version["published_by"] == ACTOR
        assert version["published_at"] is not None
        assert version["workflow_id"] == row["workflow_id"]
        assert as_json(version["definition_json"])["id"] == row["workflow_id"]
        if "tenant" in version:
            assert version["tenant"] == instance.generation.tenant
    if column := instance.generation.tenant_column:
        assert row[column] == instance.generation.tenant


def test_a_workflow_without_versions_is_a_draft(instance: Instance) -> None:
    instance.push(make_workflow("w"))

    assert instance.editor.row("w")["status"] == "draft"


def test_recreate_gives_a_new_id_and_names_the_old(instance: Instance) -> None:
    old = instance.editor.insert("w", versions={1: {}, 2: {}})

    applied = instance.push(make_workflow("w", versions={2: {}}, description="New"))

    new = instance.editor.row("w")["workflow_id"]
    assert new != old
    assert (applied.created, applied.deleted, applied.versions) == ({"w": new}, {"w": old}, {"w": [2]})
    assert list(versions_of(instance)) == [2]


def test_in_place_keeps_the_id_and_every_version_row_that_says_the_same(instance: Instance) -> None:
    kept = {"name": "kept", "steps": [], "n": [1.0, 2.5]}
    workflow_id = instance.editor.insert("w", versions={1: kept, 2: {"name": "old"}, 3: {"name": "gone"}})
    before = versions_of(instance)
    with instance.open() as database:
        ((_, document),) = database.load([Key("w")])
    first, second, _ = document["publishedVersions"]
    second["definition"]["name"] = "new"
    added = {**second, "version": 5}
    document["publishedVersions"] = [first, second, added]

    applied = instance.push(json.loads(canonical_bytes(document)), in_place=True, actor=ACTOR)

    after = versions_of(instance)
    assert instance.editor.row("w")["workflow_id"] == workflow_id
    assert (applied.created, applied.deleted, applied.versions) == ({"w": workflow_id}, {}, {"w": [2, 5]})
    assert sorted(after) == [1, 2, 5]
    assert after[1] == before[1]
    assert after[2]["version_id"] == before[2]["version_id"]
    assert as_json(after[2]["definition_json"])["name"] == "new"
    assert after[2]["published_by"] == ACTOR


def test_in_place_resets_the_verdict_of_validation_and_leaves_unknown_columns_alone(
    instance: Instance,
) -> None:
    instance.editor.insert(
        "w",
        versions={1: {}},
        validation_status="valid",
        validation_errors="[]",
        validated_at="2026-01-01 00:00:00+00",
        payload_schema_provenance="inferred",
        updated_at="2026-01-01 00:00:00+00",
    )
    instance.editor.execute("UPDATE workflow_definition_versions SET validation_status = 'valid'")
    instance.editor.execute("ALTER TABLE workflow_definitions ADD COLUMN of_a_plugin text DEFAULT 'mine'")

    instance.push(make_workflow("w", versions={1: {}}), in_place=True, actor=ACTOR)

    row = instance.editor.row("w")
    assert [row[name] for name in ("validation_status", "validation_errors", "validated_at")] == [None] * 3
    assert (row["payload_schema_provenance"], row["of_a_plugin"]) == ("inferred", "mine")
    assert row["updated_by"] == ACTOR
    assert row["created_by"] is None
    assert not str(row["updated_at"]).startswith("2026-01-01")


@pytest.mark.parametrize(
    "had,has,before,after",
    [
        (True, True, "draft", "draft"),
        (False, False, "active", "active"),
        (False, True, "draft", "published"),
        (True, False, "published", "draft"),
    ],
)
def test_in_place_changes_the_status_only_with_the_first_or_the_last_version(
    instance: Instance, had: bool, has: bool, before: str, after: str
) -> None:
    instance.editor.insert("w", versions={1: {}} if had else {}, status=before)

    instance.push(make_workflow("w", name="Other", versions={1: {"name": "w"}} if has else {}), in_place=True)

    assert instance.editor.row("w")["status"] == after


def test_in_place_keeps_the_runs_that_recreate_loses(on_postgres: Instance) -> None:
    for key in ("kept", "lost"):
        on_postgres.editor.start_run(on_postgres.editor.insert(key, versions={1: {}}))

    on_postgres.push(make_workflow("kept", versions={1: {}}), in_place=True)
    on_postgres.push(make_workflow("lost", versions={1: {}}), protection=Protection(discard_runs=True))

    kept = on_postgres.editor.row("kept")["workflow_id"]
    assert [run["workflow_id"] for run in on_postgres.editor.rows("workflow_runs")] == [kept]


def test_a_delete_takes_the_versions_along_and_nothing_else(instance: Instance) -> None:
    gone = instance.editor.insert("gone", versions={1: {}})
    instance.editor.insert("kept", versions={1: {}})

    applied = instance.push(delete=["gone"])

    assert (applied.created, applied.deleted) == ({}, {"gone": gone})
    assert [row["key"] for row in instance.editor.rows()] == ["kept"]
    assert len(instance.editor.rows("workflow_definition_versions")) == 1


def test_creates_updates_and_deletes_go_together_in_more_than_one_batch(instance: Instance) -> None:
    instance.push(*(make_workflow(f"w{number:04}", versions={1: {}}) for number in range(1100)))
    wanted = [
        make_workflow(f"w{number:04}", versions={1: {}}, description="x") for number in range(600, 1700)
    ]

    instance.push(*wanted, delete=[f"w{number:04}" for number in range(600)])

    assert instance.digests() == {document["key"]: document_digest(document) for document in wanted}
    assert len(instance.editor.rows("workflow_definition_versions")) == 1100


@pytest.mark.parametrize("in_place", [False, True])
def test_documents_are_left_as_they_were_given(instance: Instance, in_place: bool) -> None:
    document = make_workflow("w", draft=steps(call("key:w")), versions={1: steps(call("key:w"))})
    given = canonical_bytes(document)

    instance.push(document, in_place=in_place)

    assert canonical_bytes(document) == given


def test_callers_outside_the_plan_follow_a_new_id(instance: Instance) -> None:
    old = instance.editor.insert("called")
    caller = steps({"id": "if", "type": "control.if", "then": [call(old)]})
    instance.editor.insert("caller", definition=caller, versions={1: caller, 2: {}})
    instance.editor.insert(None, name="No key", definition=steps(call(old)))
    instance.editor.insert("other", definition=steps(call("elsewhere")))
    before = instance.digests()
    untouched = instance.editor.row("other")

    instance.push(make_workflow("called", description="New"))

    new = instance.editor.row("called")["workflow_id"]
    assert {key: digest for key, digest in instance.digests().items() if key != "called"} == {
        key: digest for key, digest in before.items() if key != "called"
    }
    everything = str(instance.editor.rows()) + str(instance.editor.rows("workflow_definition_versions"))
    assert (
        everything.count(old),
        everything.count(f"'workflowId': '{new}'") + everything.count(f'"workflowId":"{new}"'),
    ) == (0, 3)
    assert instance.editor.row("other") == untouched


# ---------------------------------------------------------------- stale plans


def stale(instance: Instance, *changes: Change, **options: Any) -> list[str]:
    before = instance.everything()
    documents = [make_workflow(change.key) for change in changes if change.after]
    with instance.open() as database, pytest.raises(PlanStale) as caught:
        database.apply(
            changes, [(d["key"], d) for d in documents], Deployment(MarkKind.PUSH, COMMIT, **options)
        )
    assert instance.everything() == before
    keys: list[str] = caught.value.details["keys"]
    return keys


def test_a_plan_is_stale_where_any_key_holds_something_else(instance: Instance) -> None:
    for key in ("appeared", "edited", "version-added", "same"):
        instance.editor.insert(key, versions={1: {}})
    held = instance.digests()
    instance.editor.edit("edited", description="By hand")
    instance.editor.insert_version(instance.editor.row("version-added")["workflow_id"], 2, {"steps": []})
    after = document_digest(make_workflow("x"))

    keys = stale(
        instance,
        Change(Key("appeared"), Action.CREATE, None, after),
        Change(Key("edited"), Action.UPDATE, held[Key("edited")], after),
        Change(Key("same"), Action.UPDATE, held[Key("same")], after),
        Change(Key("vanished"), Action.UPDATE, Digest("0" * 40), after),
        Change(Key("version-added"), Action.DELETE, held[Key("version-added")], None),
    )

    assert keys == ["appeared", "edited", "vanished", "version-added"]


def test_a_later_deployment_of_a_planned_key_makes_the_plan_stale(instance: Instance) -> None:
    instance.push(make_workflow("w"), make_workflow("other"))
    held = instance.digests()
    with instance.open() as database:
        seen = database.newest_number()
    mark = Mark(MarkKind.PUSH, held[Key("w")], "d" * 40, is_write=False)
    with instance.open() as database:
        database.record(Deployment(MarkKind.PUSH, "d" * 40, {Key("w"): mark}))
    change = Change(Key("w"), Action.UPDATE, held[Key("w")], document_digest(make_workflow("x")))

    assert stale(instance, change, expected_number=seen) == ["w"]
    other = make_workflow("other", name="Other keys may be deployed")
    with instance.open() as database:
        applied = database.apply(
            changes_to({Key("other"): held[Key("other")]}, other),
            [(Key("other"), other)],
            Deployment(MarkKind.PUSH, COMMIT, expected_number=seen),
        )
    assert applied.number == seen + 2


def test_twins_stop_only_what_needs_them_and_both_ids_are_named(on_postgres: Instance) -> None:
    on_postgres.editor.insert("w")
    first = on_postgres.editor.row("w")["workflow_id"]
    second = on_postgres.editor.insert("w")
    own, other = make_workflow("w"), make_workflow("other")

    with on_postgres.open() as database:
        snapshot = database.snapshot()
        assert (snapshot.digests, list(snapshot.unreadable)) == ({}, ["w"])
        assert {first, second} == set(snapshot.unreadable[Key("w")].ids)
        with pytest.raises(DuplicateKey, match=f"{first}.*{second}|{second}.*{first}"):
            database.apply(changes_to({}, own), [(Key("w"), own)], PUSH)
        with pytest.raises(DuplicateKey):
            list(database.load([Key("w")]))
        database.apply(changes_to({}, other), [(Key("other"), other)], PUSH)
    assert len(on_postgres.editor.rows()) == 3


# ---------------------------------------------------------------- all or nothing


def test_an_error_in_the_stream_of_documents_rolls_everything_back(instance: Instance) -> None:
    first, second = make_workflow("a"), make_workflow("b")
    before = instance.everything()

    def stream() -> Any:
        yield Key("a"), first
        raise RuntimeError("the repository went away")

    with instance.open() as database, pytest.raises(RuntimeError):
        database.apply(changes_to({}, first, second), stream(), PUSH)

    assert instance.everything() == before


def test_a_database_that_changes_what_is_written_is_found_out(on_postgres: Instance) -> None:
    on_postgres.editor.execute("""
        CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.is_system := true; RETURN NEW; END $$
    """)
    on_postgres.editor.execute(
        "CREATE TRIGGER meddles BEFORE INSERT ON workflow_definitions FOR EACH ROW EXECUTE FUNCTION meddle()"
    )
    before = on_postgres.everything()

    with pytest.raises(NotConverged) as caught:
        on_postgres.push(make_workflow("w"))

    assert caught.value.details["keys"] == ["w"]
    assert on_postgres.everything() == before


@pytest.mark.parametrize("is_recreated", [False, True])
def test_a_database_that_keeps_what_is_deleted_is_found_out(
    on_postgres: Instance, is_recreated: bool
) -> None:
    on_postgres.editor.insert("w")
    on_postgres.editor.execute("CREATE RULE keep AS ON DELETE TO workflow_definitions DO INSTEAD NOTHING")
    before = on_postgres.everything()

    documents, deleted = ([make_workflow("w", name="New")], []) if is_recreated else ([], ["w"])
    with pytest.raises(NotConverged) as caught:
        on_postgres.push(*documents, delete=deleted)

    assert caught.value.details["keys"] == ["w"]
    assert on_postgres.everything() == before


def test_a_document_missing_from_the_stream_is_found_out(instance: Instance) -> None:
    document = make_workflow("w")

    with instance.open() as database, pytest.raises(NotConverged):
        database.apply(changes_to({}, document), [], PUSH)

    assert instance.digests() == {}


# ---------------------------------------------------------------- two at once


def test_of_two_pushes_at_once_one_wins_and_the_other_finds_its_plan_stale(instance: Instance) -> None:
    instance.push(*(make_workflow(f"w{number}") for number in range(20)))
    held = instance.digests()
    start = threading.Barrier(2)
    outcomes: list[str] = []

    def push(name: str) -> None:
        documents = [make_workflow(f"w{number}", description=name) for number in range(20)]
        with instance.open(in_place=name == "first") as database:
            start.wait()
            try:
                database.apply(
                    changes_to(held, *by_key(documents)), [(d["key"], d) for d in by_key(documents)], PUSH
                )
            except (PlanStale, LockNotAcquired) as error:
                outcomes.append(error.code)
            else:
                outcomes.append(name)

    threads = [threading.Thread(target=push, args=(name,)) for name in ("first", "second")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    (winner,) = [outcome for outcome in outcomes if outcome in ("first", "second")]
    assert len(outcomes) == 2
    assert {row["description"] for row in instance.editor.rows()} == {winner}
    with instance.open() as database:
        assert database.newest_number() == 2


def test_who_holds_the_lock_is_named(on_postgres: Instance) -> None:
    with on_postgres.open(command="push") as holder, holder.writing():
        with pytest.raises(LockNotAcquired, match=r"`gitsync push` \(process \d+\) since 20") as caught:
            on_postgres.push(make_workflow("w"), lock_timeout=0.05)
        assert "--lock-timeout" in (caught.value.cure or "")
    on_postgres.push(make_workflow("w"), lock_timeout=0.05)


def test_two_tenants_do_not_wait_for_each_other(on_postgres: Instance) -> None:
    with on_postgres.open(tenant=OTHER_TENANT) as other, other.writing():
        on_postgres.push(make_workflow("w"), lock_timeout=0.05)

    assert list(on_postgres.digests()) == ["w"]


def test_a_second_writer_of_a_sqlite_file_waits_no_longer_than_told(tmp_path: Path) -> None:
    instance = make_instance(f"sqlite:///{tmp_path}/p.db", Generation.SEED)
    with instance.open() as holder, holder.writing(), pytest.raises(LockNotAcquired, match="another run"):
        instance.push(make_workflow("w"), lock_timeout=0.05)


def test_a_row_that_the_editor_has_locked_is_waited_for_and_then_given_up(on_postgres: Instance) -> None:
    on_postgres.editor.insert("w")
    with connected(on_postgres.url) as connection:
        connection.exec_driver_sql("SELECT 1 FROM workflow_definitions WHERE \"key\" = 'w' FOR UPDATE")

        with pytest.raises(LockNotAcquired):
            on_postgres.push(make_workflow("w"), lock_timeout=0.05)


def test_a_reader_sees_one_moment_while_a_writer_commits(instance: Instance) -> None:
    instance.push(make_workflow("a"), make_workflow("b"))
    with instance.open() as reader:
        loading = reader.load([Key("a"), Key("b")])
        first = next(loading)

        instance.push(make_workflow("a", name="Later"), make_workflow("b", name="Later"), in_place=True)
        second = next(loading)

    assert [document["metadata"]["name"] for _, document in (first, second)] == ["A", "B"]


def test_what_a_snapshot_was_told_to_keep_is_loaded_as_it_was_then(instance: Instance) -> None:
    instance.push(make_workflow("a"), make_workflow("b"))
    held = instance.digests()
    with instance.open() as reader:
        reader.snapshot(keep={Key("a"): held[Key("a")]})

        instance.push(make_workflow("a", name="Later"), make_workflow("b", name="Later"), in_place=True)

        (kept,) = reader.load([Key("b")])
        both = dict(reader.load([Key("a"), Key("b")]))

    assert kept[1]["metadata"]["name"] == "B"
    assert [both[Key(key)]["metadata"]["name"] for key in "ab"] == ["Later", "Later"]


# ---------------------------------------------------------------- the ledger is needed


def test_writing_without_a_ledger_says_how_to_make_one_and_reading_needs_none(tmp_path: Path) -> None:
    instance = make_instance(f"sqlite:///{tmp_path}/p.db", Generation.SEED, has_ledger=False)
    engine = make_engine(instance.url, command="x", lock_timeout=1, create=True)
    engine.connect().close()
    engine.dispose()
    instance.editor.insert("w")

    with instance.open() as database:
        facts = (
            database.capabilities.has_ledger,
            database.newest_number(),
            database.recent_marks(),
            database.marks([Key("w")]),
        )
        assert facts == (False, 0, {}, {})
        assert len(database.identity()) == 16

    with pytest.raises(DatabaseError) as caught:
        instance.push(make_workflow("v"))
    assert caught.value.code == "MISSING_LEDGER"
    assert "gitsync db init" in (caught.value.cure or "")
