"""`gitsync db init` makes what is missing and nothing else; `gitsync db check` says what is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect

from gitsync.doctor.database import check_database
from gitsync.doctor.finding import Finding
from gitsync.errors import ConfigError, DatabaseError
from gitsync.stores.database.connect import make_engine
from gitsync.stores.database.init import init_database
from gitsync.stores.database.schema import LEDGER_VERSION
from tests.support.documents import make_workflow
from tests.support.editor import Editor
from tests.support.instance import Instance, make_instance
from tests.support.product import ACTOR, TENANT, Generation, connected, make_product_tables

PRODUCT = {"workflow_definitions", "workflow_definition_versions"}
LEDGER = {"gitsync_deployments", "gitsync_deployment_items", "gitsync_tokens", "gitsync_alembic_version"}


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/p.db"
    url: str = request.getfixturevalue("postgres_database")
    return url


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = make_engine(url, command="db", lock_timeout=5, create=True)
    yield engine
    engine.dispose()


def tables(url: str) -> set[str]:
    with connected(url) as connection:
        return set(inspect(connection).get_table_names()) - {"gitsync_identity"}


def finding(findings: list[Finding], name: str) -> Finding:
    (found,) = [finding for finding in findings if finding.name == name]
    return found


@pytest.mark.parametrize("tenant", [None, TENANT])
def test_an_empty_database_gets_everything_once(url: str, engine: Engine, tenant: str | None) -> None:
    made = init_database(engine, tenant=tenant)

    assert made == [
        "table workflow_definitions",
        "table workflow_definition_versions",
        f"ledger, version {LEDGER_VERSION}",
    ]
    assert tables(url) == PRODUCT | LEDGER
    assert init_database(engine, tenant=tenant) == []
    generation = Generation.CURRENT_UNIQUE if tenant else Generation.SEED
    instance = Instance(url, generation, Editor(url, tenant=generation.tenant))
    instance.push(make_workflow("w", versions={1: {}}, failureRateThreshold=0.5))
    instance.push(make_workflow("w", versions={2: {}}), in_place=True)
    assert [row["key"] for row in instance.editor.rows()] == ["w"]
    with pytest.raises(Exception, match=r"(?i)unique"):
        instance.editor.insert("w")


@pytest.mark.parametrize("generation", list(Generation))
def test_the_product_s_tables_stay_as_they_are(url: str, engine: Engine, generation: Generation) -> None:
    make_product_tables(url, generation)
    Editor(url, tenant=generation.tenant).insert("w")
    before, there = described(url), tables(url)

    made = init_database(engine, tenant=generation.tenant)

    assert made == [f"ledger, version {LEDGER_VERSION}"]
    assert described(url) == before
    assert tables(url) == there | LEDGER


def described(url: str) -> list[object]:
    with connected(url) as connection:
        inspector = inspect(connection)
        return [
            (
                table,
                [
                    (c["name"], str(c["type"]), c["nullable"], c["default"])
                    for c in inspector.get_columns(table)
                ],
                [(i["name"], i["column_names"], i["unique"]) for i in inspector.get_indexes(table)],
                [(f["constrained_columns"], f["options"]) for f in inspector.get_foreign_keys(table)],
            )
            for table in sorted(PRODUCT)
        ]


def test_half_of_the_product_s_tables_are_not_completed(url: str, engine: Engine) -> None:
    with connected(url) as connection:
        connection.exec_driver_sql("CREATE TABLE workflow_definitions (workflow_id text)")

    with pytest.raises(DatabaseError) as caught:
        init_database(engine, tenant=None)

    assert (caught.value.code, caught.value.details) == (
        "MISSING_TABLES",
        {"tables": ["workflow_definition_versions"]},
    )
    assert tables(url) == {"workflow_definitions"}


def test_a_missing_tenant_stops_it_before_anything_is_made(url: str, engine: Engine) -> None:
    make_product_tables(url, Generation.CURRENT)

    with pytest.raises(ConfigError):
        init_database(engine, tenant=None)

    assert not tables(url) & LEDGER


def test_a_ledger_of_a_newer_gitsync_is_read_and_not_written(url: str) -> None:
    instance = make_instance(url, Generation.SEED)
    instance.push(make_workflow("w"))
    instance.editor.execute("UPDATE gitsync_alembic_version SET version_num = '9999'")

    with instance.open() as database:
        assert len(database.recent_marks()) == 1
    with pytest.raises(DatabaseError) as caught:
        instance.push(make_workflow("v"))

    assert caught.value.code == "LEDGER_VERSION"
    engine = make_engine(url, command="db init", lock_timeout=5)
    assert init_database(engine, tenant=None) == []
    engine.dispose()


def test_a_sound_database_has_no_finding_but_ok(url: str, engine: Engine) -> None:
    init_database(engine, tenant=TENANT)

    findings = check_database(engine, tenant=TENANT, actor=ACTOR)

    names = [
        "connection",
        "version",
        "tables",
        "tenant",
        "unique key",
        "keys",
        "references",
        "actor",
        "ledger",
    ]
    assert [finding.name for finding in findings if finding.name != "rights"] == names
    assert {finding.level for finding in findings} == {"ok"}


def test_a_check_names_what_is_amiss_each_with_its_cure(url: str, engine: Engine) -> None:
    make_product_tables(url, Generation.CURRENT)
    editor = Editor(url, tenant=Generation.CURRENT.tenant)
    editor.insert(None)
    editor.insert("lost", versions={1: {}})
    editor.execute("UPDATE workflow_definition_versions SET tenant = NULL")
    first, second = editor.insert("twin"), editor.insert("twin")

    findings = check_database(engine, tenant=TENANT)

    levels = {finding.name: str(finding.level) for finding in findings}
    assert levels["unique key"] == levels["version rows"] == "warning"
    assert levels["keys"] == levels["ledger"] == "error"
    assert first in finding(findings, "keys").message
    assert second in finding(findings, "keys").message
    assert "gitsync db init" in finding(findings, "ledger").cure
    assert all(finding.cure for finding in findings if finding.level != "ok")


def test_a_check_of_the_wrong_database_ends_at_what_is_wrong(url: str, engine: Engine) -> None:
    assert [str(finding.level) for finding in check_database(engine, tenant=None)] == ["ok", "ok", "error"]

    make_product_tables(url, Generation.CURRENT)

    assert finding(check_database(engine, tenant=None), "tenant").level == "error"
    assert finding(check_database(engine, tenant="acme"), "tenant").level == "error"


def test_a_check_of_a_server_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/none.db", command="db check", lock_timeout=1)

    (only,) = check_database(engine, tenant=None)

    assert (only.name, only.level) == ("connection", "error")
    assert "gitsync db init" in only.cure


def test_missing_rights_are_listed(postgres_database: str) -> None:
    instance = make_instance(postgres_database, Generation.SEED)
    role = "checker_of_" + postgres_database.rpartition("/")[2].partition("?")[0]
    instance.editor.execute(f'CREATE ROLE "{role}" LOGIN')
    try:
        instance.editor.execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{role}"')
        url = postgres_database.replace("://postgres@", f"://{role}@")
        engine = make_engine(url, command="db check", lock_timeout=1)
        rights = finding(check_database(engine, tenant=None), "rights")
        engine.dispose()
    finally:
        instance.editor.execute(f'DROP OWNED BY "{role}"')
        instance.editor.execute(f'DROP ROLE "{role}"')

    assert rights.level == "warning"
    assert "it lacks INSERT, UPDATE, DELETE ON workflow_definitions, " in rights.message
    assert "GRANT" in rights.cure
