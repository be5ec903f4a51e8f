"""What hangs on workflows in a real database, seen by a plan and again by the apply under its locks."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import event, text

from gitsync.errors import LockNotAcquired, NotConverged, PlanStale, Refused
from gitsync.sync.model import Action, Change, Deployment, MarkKind
from gitsync.sync.usage import Protection
from gitsync.workflow.document import iter_definitions
from gitsync.workflow.types import Digest, Key
from tests.support.documents import call, make_workflow, steps
from tests.support.editor import Editor
from tests.support.instance import COMMIT, Instance, changes_to
from tests.support.product import OTHER_TENANT, connected


def refused(instance: Instance, *documents: Any, **options: Any) -> Refused:
    before = instance.everything()
    with pytest.raises(Refused) as caught:
        instance.push(*documents, **options)
    assert instance.everything() == before
    return caught.value


def test_runs_schedules_and_webhooks_are_counted_per_workflow(instance: Instance) -> None:
    busy, idle = (instance.editor.insert(key, versions={1: {}, 2: {}}) for key in ("busy", "idle"))
    for version, status in ((1, "RUNNING"), (1, "WAITING"), (2, "SUCCEEDED"), (1, "FAILED")):
        instance.editor.start_run(busy, version=version, status=status)
    for status in ("scheduled", "paused", "completed"):
        instance.editor.schedule(busy, status=status)
    instance.editor.hook(busy)
    changes = [Change(Key(key), Action.UPDATE, Digest("0" * 40), None) for key in ("busy", "idle")]

    with instance.open() as database:
        around = database.look_around(changes)

    assert around.ids == {"busy": busy, "idle": idle}
    (usage,) = around.usage.values()
    assert usage.runs == {"RUNNING": 1, "WAITING": 1, "SUCCEEDED": 1, "FAILED": 1}
    assert (usage.in_use, usage.schedules, usage.webhooks) == ({1: 2}, 2, 1)


def test_recreate_and_prune_refuse_to_take_runs_along(instance: Instance) -> None:
    for key in ("recreated", "pruned", "free"):
        workflow_id = instance.editor.insert(key, versions={1: {}})
        if key != "free":
            instance.editor.start_run(workflow_id)
    wanted = [make_workflow(key, versions={1: {}}) for key in ("recreated", "free")]

    error = refused(instance, *wanted, delete=["pruned"])

    assert error.code == "RUNS_WOULD_BE_LOST"
    assert error.lines == ("pruned: 1 RUNNING", "recreated: 1 RUNNING")
    instance.push(*wanted, delete=["pruned"], protection=Protection(discard_runs=True))
    assert {row["key"] for row in instance.editor.rows()} == {"free", "recreated"}
    assert instance.editor.rows("workflow_runs") == []


def test_a_version_that_runs_is_not_changed_in_place(instance: Instance) -> None:
    workflow_id = instance.editor.insert("w", versions={1: {"n": 1}, 2: {}})
    instance.editor.start_run(workflow_id, version=1)
    with instance.open() as database:
        ((_, wanted),) = database.load([Key("w")])
    wanted["publishedVersions"][0]["definition"]["n"] = 2
    protection = Protection({Key("w"): frozenset({1})}, force=True)

    error = refused(instance, wanted, in_place=True, protection=protection)

    assert error.code == "VERSION_IN_USE"
    assert "version 1 would change, and 1 unfinished run executes it" in error.lines[0]
    instance.editor.execute("UPDATE workflow_runs SET status = 'SUCCEEDED'")
    instance.push(wanted, in_place=True, protection=protection)
    assert len(instance.editor.rows("workflow_runs")) == 1


def test_versions_that_are_said_to_stay_and_do_not_are_found_out(instance: Instance) -> None:
    instance.editor.insert("w", versions={1: {"n": 1}})
    wanted = make_workflow("w", versions={1: {"n": 2}})
    before = instance.everything()

    with pytest.raises(NotConverged):
        instance.push(wanted, in_place=True, protection=Protection({}))

    assert instance.everything() == before


def test_a_workflow_that_others_call_is_not_deleted(instance: Instance) -> None:
    called = instance.editor.insert("called")
    caller = steps({"id": "if", "type": "control.if", "then": [call(called)]})
    instance.editor.insert("caller", versions={1: caller})
    instance.editor.insert(None, name="No key", definition=steps(call(called.upper())))
    instance.editor.insert("together", definition=steps(call(called)))

    error = refused(instance, delete=["called", "together"])

    assert error.code == "STILL_CALLED"
    assert len(error.lines) == 2
    assert "calls called, which would be deleted, in its version 1" in "".join(error.lines)
    assert "'No key'" in "".join(error.lines)


def test_a_workflow_that_calls_itself_can_be_deleted(instance: Instance) -> None:
    instance.push(make_workflow("w", draft=steps(call("key:w"))))

    instance.push(delete=["w"])

    assert instance.editor.rows() == []


def test_callers_follow_a_new_id_and_a_running_version_of_theirs_stops_it(instance: Instance) -> None:
    called = instance.editor.insert("called")
    caller = instance.editor.insert(
        "caller", definition=steps(call(called)), versions={1: steps(call(called)), 2: {}}
    )
    before = instance.digests()
    with instance.open() as database:
        around = database.look_around([Change(Key("called"), Action.UPDATE, before[Key("called")], None)])
    assert [(call.title, call.version) for call in around.calls] == [("caller", None), ("caller", 1)]
    instance.editor.start_run(caller, version=1)

    error = refused(instance, make_workflow("called"))
    assert error.code == "VERSION_IN_USE"
    assert "its version 1 calls a workflow that gets a new id" in error.lines[0]

    instance.editor.execute("UPDATE workflow_runs SET workflow_version = 2")
    instance.push(make_workflow("called"))

    assert instance.digests()[Key("caller")] == before[Key("caller")]
    with instance.open() as database:
        ((_, document),) = database.load([Key("caller")])
    assert str(list(iter_definitions(document))).count("key:called") == 2


def test_runs_of_another_tenant_are_not_looked_at(on_postgres: Instance) -> None:
    other = Editor(on_postgres.url, tenant=OTHER_TENANT)
    workflow_id = on_postgres.editor.insert("w")
    on_postgres.editor.start_run(workflow_id)
    on_postgres.editor.execute("UPDATE workflow_runs SET tenant = :tenant", tenant=other.tenant)

    with on_postgres.open() as database:
        around = database.look_around([Change(Key("w"), Action.DELETE, Digest("0" * 40), None)])

    assert around.usage == {}


def test_tables_that_are_not_there_hold_nothing(on_postgres: Instance) -> None:
    on_postgres.editor.insert("w")
    for table in ("workflow_runs", "tenant_workflow_schedule", "inbound_webhooks"):
        on_postgres.editor.execute(f"DROP TABLE {table}")

    with on_postgres.open() as database:
        held = dict(database.snapshot().digests)
        database.apply(changes_to(held, delete=["w"]), [], Deployment(MarkKind.PUSH, COMMIT))

    assert on_postgres.editor.rows() == []


def test_a_run_cannot_start_between_the_look_and_the_commit(on_postgres: Instance) -> None:
    workflow_id = on_postgres.editor.insert("w", versions={1: {}})
    outcome: list[str] = []

    def start() -> None:
        try:
            on_postgres.editor.start_run(workflow_id)
            outcome.append("started")
        except Exception as error:  # noqa: BLE001 - the database's word for it
            outcome.append(type(error).__name__)

    thread = threading.Thread(target=start)
    with on_postgres.open() as database:

        @event.listens_for(database._engine, "before_cursor_execute")
        def begin(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if statement.startswith("DELETE FROM workflow_definitions"):
                thread.start()

        held = dict(database.snapshot().digests)
        database.apply(changes_to(held, delete=["w"]), [], Deployment(MarkKind.PUSH, COMMIT))
    thread.join()

    assert outcome == ["IntegrityError"]  # it waited for the row, and then its workflow was gone
    assert on_postgres.editor.rows("workflow_runs") == []


def test_a_called_workflow_that_goes_before_the_commit_makes_the_plan_stale(instance: Instance) -> None:
    instance.editor.insert("called")
    caller = make_workflow("caller", draft=steps(call("key:called")))
    held = instance.digests()
    instance.editor.delete("called")
    before = instance.everything()

    with instance.open(new_tenant=True) as database, pytest.raises(PlanStale) as caught:
        database.apply(
            changes_to(held, caller),
            [(Key("caller"), caller)],
            Deployment(MarkKind.PUSH, COMMIT, references=frozenset({Key("called")})),
        )

    assert caught.value.details["keys"] == ["called"]
    assert instance.everything() == before


# ---------------------------------------------------------------- deadlocks


def test_a_deadlock_with_the_editor_is_tried_again(on_postgres: Instance) -> None:
    first, second = sorted(on_postgres.editor.insert(key) for key in ("a", "b"))
    ready, go = threading.Event(), threading.Event()
    fallen: list[str] = []

    def edit() -> None:
        update = text("UPDATE workflow_definitions SET name = 'By hand' WHERE workflow_id = :id")
        with connected(on_postgres.url) as connection:
            connection.execute(text("SET deadlock_timeout = '60s'"))  # the other one is to be broken off
            connection.execute(update, {"id": second})
            ready.set()
            go.wait(30)
            connection.execute(update, {"id": first})

    editor = threading.Thread(target=edit)
    wanted = [make_workflow(key, description="New") for key in ("a", "b")]
    held = on_postgres.digests()
    with on_postgres.open(in_place=True, lock_timeout=60) as database:

        @event.listens_for(database._engine, "before_cursor_execute")
        def watch(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if "workflow_definitions.workflow_id" in statement and "FOR UPDATE" in statement:
                ready.wait(30)
                threading.Timer(0.3, go.set).start()

        @event.listens_for(database._engine, "handle_error")
        def note(context: Any) -> None:
            fallen.append(context.original_exception.sqlstate)

        editor.start()
        with pytest.raises(PlanStale):  # the second try finds what the editor has written
            database.apply(
                changes_to(held, *wanted),
                [(Key(document["key"]), document) for document in wanted],
                Deployment(MarkKind.PUSH, COMMIT),
            )
    editor.join()

    assert fallen == ["40P01"]
    assert {row["name"] for row in on_postgres.editor.rows()} == {"By hand"}


def test_a_transaction_that_is_broken_off_again_and_again_says_so(on_postgres: Instance) -> None:
    on_postgres.editor.execute("""
        CREATE FUNCTION quarrel() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'could not serialize access' USING ERRCODE = '40001'; END $$
    """)
    on_postgres.editor.execute(
        "CREATE TRIGGER quarrels BEFORE INSERT ON workflow_definitions EXECUTE FUNCTION quarrel()"
    )

    with pytest.raises(LockNotAcquired, match="could not serialize access, 4 times in a row"):
        on_postgres.push(make_workflow("w"))

    assert on_postgres.digests() == {}
