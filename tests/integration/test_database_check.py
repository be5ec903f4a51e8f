"""What a check of the database finds beyond its tables: twins, calls that lead nowhere, authors, the lock."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from gitsync.doctor.database import check_database
from gitsync.doctor.finding import Finding
from gitsync.render.json import finding_json
from gitsync.stores.database.connect import make_engine
from tests.support.documents import call, make_workflow, steps
from tests.support.editor import Editor
from tests.support.instance import TODAY, Instance, make_instance
from tests.support.product import ACTOR, OTHER_TENANT, Generation

INSTANCES = TODAY


def check(instance: Instance, *, actor: str | None = ACTOR, url: str | None = None) -> list[Finding]:
    """All findings, none of them without a cure that needs one."""
    engine = make_engine(url or instance.url, command="doctor", lock_timeout=1)
    before = instance.everything()
    try:
        findings = check_database(engine, tenant=instance.generation.tenant, actor=actor)
    finally:
        engine.dispose()
    assert instance.everything() == before
    assert all(bool(found.cure) is (found.level != "ok") for found in findings)
    return findings


def of(findings: list[Finding], name: str) -> list[tuple[str, str]]:
    """Level and message of the findings called `name`."""
    return [(str(found.level), found.message) for found in findings if found.name == name]


def test_all_twins_and_all_unkeyed_rows_are_told_and_the_checks_go_on(instance: Instance) -> None:
    first = [instance.editor.insert("a"), instance.editor.insert("a")]
    second = [instance.editor.insert("b") for _ in range(3)]
    instance.editor.insert(None)
    instance.editor.insert("Not A Key")

    findings = check(instance)

    (a, b), (unkeyed,) = of(findings, "keys"), of(findings, "unkeyed")
    assert (a[0], b[0], unkeyed[0]) == ("error", "error", "warning")
    assert all(workflow_id in a[1] for workflow_id in first)
    assert all(workflow_id in b[1] for workflow_id in second)
    assert unkeyed[1].startswith("2 workflows")
    assert of(findings, "ledger")[0][0] == "ok"


def test_calls_that_lead_nowhere_are_told_apart(instance: Instance) -> None:
    gone = str(uuid.uuid4())
    known = instance.editor.insert("known", versions={1: {}})
    unkeyed = instance.editor.insert(None, name="No key", versions={1: {}})
    instance.editor.insert(
        "caller",
        definition=steps(
            call(gone, step_id="1"),
            call(known.upper(), step_id="2", version=7),
            call(unkeyed, step_id="3"),
            call(known, step_id="4"),
        ),
        versions={3: steps(call(gone))},
    )
    instance.editor.insert("text", name=f"says control.callWorkflow {gone}")

    found = of(check(instance), "references")
    by_id = f"caller (draft) calls {unkeyed} ('No key')"

    assert {level for level, _ in found} == {"warning"}
    assert [message for _, message in found] == [
        f"2 calls of ids that no workflow has: caller (draft) calls {gone}, caller (version 3) calls {gone}",
        "1 call of versions that are not published: caller (draft) calls known version 7",
        f"1 call of workflows that cannot be in git, by their ids in this database: {by_id}",
    ]


def test_calls_within_the_tenant_alone_count(instance: Instance) -> None:
    theirs = Editor(instance.url, tenant=OTHER_TENANT).insert("theirs", versions={1: {}})
    instance.editor.insert("caller", definition=steps(call(theirs)))

    assert of(check(instance), "references")[0][1].startswith("1 call of ids that no workflow has")


def test_a_workflow_has_an_author_by_its_row_or_by_a_version(instance: Instance) -> None:
    instance.editor.insert("by-row", created_by=ACTOR)
    instance.editor.insert("by-version", versions={1: {}})
    instance.editor.execute("UPDATE workflow_definition_versions SET published_by = :actor", actor=ACTOR)
    instance.editor.insert("by-nobody", versions={1: {}})

    (found,) = of(check(instance), "authors")

    assert found == (
        "warning",
        "1 workflow without an author, whose business actions cannot run: by-nobody",
    )


def test_the_actor_is_looked_up_among_the_users_where_these_can_be_seen(instance: Instance) -> None:
    kind = "uuid" if instance.url.startswith("postgresql") else "text"
    seen = of(check(instance), "actor")
    instance.editor.execute(f"CREATE TABLE users (tenant {kind}, user_id {kind})")
    missing = of(check(instance), "actor")
    instance.editor.execute(
        "INSERT INTO users VALUES (:tenant, :actor)", tenant=instance.generation.tenant, actor=ACTOR
    )
    found = of(check(instance), "actor")
    instance.editor.execute("UPDATE users SET tenant = :tenant", tenant=OTHER_TENANT)
    elsewhere = of(check(instance), "actor")

    assert seen == [("ok", f"{ACTOR}; whether it is a user cannot be seen here")]
    assert missing == elsewhere == [("error", f"the product has no user {ACTOR} in this tenant")]
    assert found == [("ok", f"{ACTOR}, a user of the product")]
    assert of(check(instance, actor=None), "actor")[0][0] == "warning"
    assert of(check(instance, actor="me"), "actor") == [("error", "'me' is not a uuid")]


def test_a_mistyped_tenant_is_found(instance: Instance) -> None:
    Editor(instance.url, tenant=OTHER_TENANT).insert("theirs")

    (found,) = of(check(instance), "keys")

    assert found[0] == "error"
    assert "others have" in found[1]


def test_a_row_that_is_no_json_does_not_stop_the_check(tmp_path: Path) -> None:
    instance = make_instance(f"sqlite:///{tmp_path}/p.db", Generation.CURRENT)
    instance.editor.insert("broken", draft_definition="{ control.callWorkflow")

    findings = check(instance)

    assert of(findings, "references")[0][0] == "ok"
    assert of(findings, "rights")[0][0] == "ok"


def test_who_deploys_right_now_is_named_and_a_stranger_is_a_warning(postgres_database: str) -> None:
    instance = make_instance(postgres_database, Generation.CURRENT)
    instance.push(make_workflow("w"))
    assert of(check(instance), "lock") == []
    with instance.open() as other, other.writing() as connection:
        ours = of(check(instance), "lock")
        connection.execute(sa.text("SET LOCAL application_name = 'somebody'"))
        theirs = of(check(instance), "lock")

    assert ours[0][0] == "ok"
    assert ours[0][1].startswith("`gitsync push` (process ")
    assert theirs[0][0] == "warning"
    assert "`somebody`" in theirs[0][1]


def test_row_level_security_is_mentioned_where_it_applies(postgres_database: str) -> None:
    instance = make_instance(postgres_database, Generation.CURRENT)
    role = "patient_of_" + str(make_url(postgres_database).database)
    instance.editor.execute(f'CREATE ROLE "{role}" LOGIN')
    try:
        instance.editor.execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{role}"')
        instance.editor.execute("ALTER TABLE workflow_definitions ENABLE ROW LEVEL SECURITY")
        url = make_url(instance.url).set(username=role).render_as_string(hide_password=False)

        assert of(check(instance), "row-level security") == []
        ((level, message),) = of(check(instance, url=url), "row-level security")
    finally:
        instance.editor.execute(f'DROP OWNED BY "{role}"')
        instance.editor.execute(f'DROP ROLE "{role}"')

    assert level == "warning"
    assert message.startswith("row-level security applies to workflow_definitions: ")


def test_a_finding_is_json_as_its_schema_says(instance: Instance) -> None:
    rows = [finding_json(finding) for finding in check(instance)]

    assert json.loads(json.dumps(rows)) == rows
    assert {frozenset(row) for row in rows} == {frozenset({"name", "level", "message", "cure"})}
