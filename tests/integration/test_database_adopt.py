"""What adopting writes, what it refuses, and that it is all or nothing."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import make_url

from gitsync.errors import AccessDenied, GitsyncError, LockNotAcquired, NotConverged
from gitsync.workflow.types import Key
from tests.support.documents import call, make_workflow, steps
from tests.support.editor import Editor
from tests.support.instance import Instance, Kind
from tests.support.product import ACTOR, OTHER_TENANT, Generation, connected

INSTANCES = [
    Kind("sqlite", Generation.SEED),
    Kind("sqlite", Generation.CURRENT),
    Kind("postgresql", Generation.SEED),
    Kind("postgresql", Generation.TENANT_ID),
    Kind("postgresql", Generation.CURRENT),
    Kind("postgresql", Generation.CURRENT_UNIQUE),
]


def adopt(instance: Instance, *pairs: tuple[str, str], **options: Any) -> list[str]:
    """The keys that were given."""
    dry_run = options.pop("dry_run", False)
    with instance.open(command="adopt", **options) as database:
        return [item.key for item in database.adopt(pairs, dry_run=dry_run)]


def refusal(instance: Instance, *pairs: tuple[str, str], **options: Any) -> GitsyncError:
    """The error of an adoption that must leave everything as it was."""
    before = instance.everything()
    with pytest.raises(GitsyncError) as caught:
        adopt(instance, *pairs, **options)
    assert instance.everything() == before
    return caught.value


def test_only_the_key_the_time_and_the_actor_of_the_rows_change(instance: Instance) -> None:
    none = instance.editor.insert(None, name="No key", versions={1: {}}, validation_status="valid")
    bad = instance.editor.insert("Not A Key", name="Bad key")
    instance.editor.insert("kept")
    before = instance.everything()

    given = adopt(instance, (none, "a"), (bad.upper(), "b"), actor=ACTOR)

    after = instance.everything()
    assert given == ["a", "b"]
    rows = {row["workflow_id"]: row for row in after["workflow_definitions"]}
    for row in before["workflow_definitions"]:
        key = {none: "a", bad: "b"}.get(row["workflow_id"], row["key"])
        changed = {"key": key} if key == row["key"] else {"key": key, "updated_by": ACTOR}
        expected = row | changed | {"updated_at": rows[row["workflow_id"]]["updated_at"]}
        assert rows[row["workflow_id"]] == expected
    assert {k: v for k, v in after.items() if k != "workflow_definitions"} == {
        k: v for k, v in before.items() if k != "workflow_definitions"
    }, "nothing is noted in the ledger, and no version is touched"


def test_callers_go_on_calling_the_same_workflow_by_its_key(instance: Instance) -> None:
    called = instance.editor.insert(None, versions={1: {}})
    instance.editor.insert("caller", definition=steps(call(called)))
    row = instance.editor.row("caller")

    adopt(instance, (called, "called"))

    assert instance.editor.row("caller") == row
    with instance.open() as database:
        (document,) = (document for _, document in database.load([Key("caller")]))
        assert document["draft"]["definition"]["steps"][0]["workflowId"] == "key:called"
        assert not database.snapshot().warnings


def test_every_refusal_names_each_pair_and_writes_nothing(instance: Instance) -> None:
    none, other = instance.editor.insert(None), instance.editor.insert(None)
    kept = instance.editor.insert("kept")
    unknown = str(uuid.uuid4())

    def code_of(*pairs: tuple[str, str]) -> tuple[str, int, list[str]]:
        error = refusal(instance, *pairs)
        assert error.cure
        return error.code, error.exit_code, [fault["code"] for fault in error.details["adoptions"]]

    assert code_of((none, "kept")) == ("WORKFLOW_KEY_CONFLICT", 3, ["WORKFLOW_KEY_CONFLICT"])
    assert code_of((none, "Not A Key")) == ("INVALID_KEY", 4, ["INVALID_KEY"])
    assert code_of((unknown, "a")) == ("UNKNOWN_WORKFLOW", 1, ["UNKNOWN_WORKFLOW"])
    assert code_of(("no uuid' --", "a")) == ("UNKNOWN_WORKFLOW", 1, ["UNKNOWN_WORKFLOW"])
    assert code_of((kept, "a")) == ("ALREADY_KEYED", 3, ["ALREADY_KEYED"])
    assert code_of((none, "a"), (other, "a"))[0] == "WORKFLOW_KEY_CONFLICT"
    assert code_of((none, "a"), (none, "b")) == ("ADOPTION_REFUSED", 4, ["ADOPTION_REFUSED"] * 2)
    mixed = code_of((none, "fine"), (other, "X"), (kept, "a"), (unknown, "kept"))
    assert mixed == (
        "ADOPTION_REFUSED", 4, ["INVALID_KEY", "ALREADY_KEYED", "UNKNOWN_WORKFLOW", "WORKFLOW_KEY_CONFLICT"]
    )  # fmt: skip
    assert "the id comes first" in refusal(instance, ("a", none)).message


def test_a_row_of_another_tenant_is_not_there(instance: Instance) -> None:
    if instance.generation.tenant is None:
        pytest.skip("there are no tenants")
    other = Editor(instance.url, tenant=OTHER_TENANT)
    theirs, ours = other.insert(None), instance.editor.insert(None)
    other.insert("same")

    assert refusal(instance, (theirs, "a")).code == "UNKNOWN_WORKFLOW"
    assert adopt(instance, (ours, "same")) == ["same"]


def test_one_of_two_rows_with_one_key_gets_another(on_postgres: Instance) -> None:
    first, second = on_postgres.editor.insert("twin"), on_postgres.editor.insert("twin")
    with on_postgres.open() as database:
        (suggestion,) = database.suggest_keys()

    assert adopt(on_postgres, (suggestion.workflow_id, suggestion.key)) == ["twin-2"]

    assert suggestion.workflow_id in {first, second}
    assert sorted(on_postgres.digests()) == ["twin", "twin-2"]


def test_what_is_suggested_can_be_given(instance: Instance) -> None:
    for name in ("Refund", "refund!", "Größe", "請求"):
        instance.editor.insert(None, name=name)
    instance.editor.insert("Big Key", name="Something else")
    instance.editor.insert("refund")
    with instance.open() as database:
        pairs = [(item.workflow_id, str(item.key)) for item in database.suggest_keys()]

    adopt(instance, *pairs)

    fallback = next(key for _, key in pairs if key.startswith("workflow-"))
    assert sorted(instance.digests()) == sorted(
        ["refund", "refund-2", "refund-3", "grosse", "big-key", fallback]
    )
    with instance.open() as database:
        assert database.suggest_keys() == []


def test_a_dry_run_checks_and_writes_nothing(instance: Instance) -> None:
    none = instance.editor.insert(None)
    before = instance.everything()

    assert adopt(instance, (none, "a"), dry_run=True) == ["a"]
    assert refusal(instance, (none, "A"), dry_run=True).code == "INVALID_KEY"

    assert instance.everything() == before


def adopt_failing(instance: Instance, pairs: list[tuple[str, str]], *, fail_at: int) -> int:
    """How many statements it took, an error of the driver in place of the one number `fail_at`."""
    with instance.open(command="adopt") as database:
        seen = 0

        @event.listens_for(database._engine, "before_cursor_execute", retval=True)
        def fail(
            _c: Any, _cursor: Any, statement: str, parameters: Any, _x: Any, _many: bool
        ) -> tuple[str, Any]:
            nonlocal seen
            seen += 1
            return ("SELECT no_such_thing" if seen == fail_at else statement), parameters

        database.adopt(pairs)
        return seen


def test_a_failure_of_any_statement_leaves_everything_as_it_was(instance: Instance) -> None:
    pairs = [(instance.editor.insert(None), f"k{number}") for number in range(3)]
    before = instance.everything()

    failures = 0
    while True:
        try:
            adopt_failing(instance, pairs, fail_at=failures + 1)
        except GitsyncError:
            failures += 1
            assert instance.everything() == before, f"statement {failures} failed and left something"
        else:
            break

    assert failures >= 4
    assert sorted(instance.digests()) == ["k0", "k1", "k2"]


def test_a_trigger_that_undoes_it_is_found_out(on_postgres: Instance) -> None:
    none = on_postgres.editor.insert(None)
    on_postgres.editor.execute("""
        CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.key := NULL; RETURN NEW; END $$
    """)
    on_postgres.editor.execute("""
        CREATE TRIGGER meddle BEFORE UPDATE ON workflow_definitions FOR EACH ROW EXECUTE FUNCTION meddle()
    """)

    assert isinstance(refusal(on_postgres, (none, "a")), NotConverged)


def test_it_waits_for_the_lock_of_a_deployment(on_postgres: Instance) -> None:
    none = on_postgres.editor.insert(None)
    on_postgres.push(make_workflow("w"))
    with on_postgres.open() as other, other.writing():
        error = refusal(on_postgres, (none, "a"), lock_timeout=0.1)

    assert isinstance(error, LockNotAcquired)
    assert "gitsync push" in error.message


def test_rights_and_row_level_security_are_respected(on_postgres: Instance) -> None:
    seen, hidden = (
        on_postgres.editor.insert(None, name="seen"),
        on_postgres.editor.insert(None, name="hidden"),
    )
    database_name = str(make_url(on_postgres.url).database)
    role = "adopter_of_" + database_name
    url = make_url(on_postgres.url).set(username=role, password=None).render_as_string(hide_password=False)
    own = Instance(url, on_postgres.generation, on_postgres.editor)
    execute = on_postgres.editor.execute
    execute(f'CREATE ROLE "{role}" LOGIN')
    try:
        execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{role}"')
        with pytest.raises(AccessDenied):
            adopt(own, (seen, "a"))
        assert adopt(own, (seen, "a"), dry_run=True) == ["a"]

        execute(f'GRANT UPDATE ON workflow_definitions TO "{role}"')
        execute("ALTER TABLE workflow_definitions ENABLE ROW LEVEL SECURITY")
        execute("CREATE POLICY look ON workflow_definitions FOR SELECT USING (name = 'seen')")
        assert refusal(own, (hidden, "b")).code == "UNKNOWN_WORKFLOW"
        assert refusal(own, (seen, "a")).code in {
            "PLAN_STALE",
            "NOT_CONVERGED",
        }  # seen, and not to be changed

        execute("CREATE POLICY change ON workflow_definitions FOR UPDATE USING (name = 'seen')")
        assert adopt(own, (seen, "a")) == ["a"]
    finally:
        with connected(on_postgres.url) as connection:
            connection.exec_driver_sql("DROP POLICY IF EXISTS look ON workflow_definitions")
            connection.exec_driver_sql("DROP POLICY IF EXISTS change ON workflow_definitions")
        execute(f'DROP OWNED BY "{role}"')
        execute(f'DROP ROLE "{role}"')
