"""Each way in which a database can be wrong is an error of its own that names what, where and the next command."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy.engine import make_url

from gitsync.errors import AccessDenied, ConfigError, DatabaseError, GitsyncError
from gitsync.stores.database.connect import mask_url, parse_url
from gitsync.stores.database.store import Database
from gitsync.sync.model import Deployment, Mark, MarkKind
from gitsync.workflow.types import Key
from tests.support.documents import make_workflow
from tests.support.editor import Editor
from tests.support.instance import COMMIT, Instance, changes_to, make_instance
from tests.support.product import OTHER_TENANT, TENANT, Generation, connected, make_product_tables


def open_error(url: str, **options: Any) -> GitsyncError:
    facts = {"environment": "test", "tenant": None, "actor": None, "command": "status"} | options
    with pytest.raises(GitsyncError) as caught, Database(url, **facts) as database:
        database.snapshot()
    return caught.value


def as_user(url: str, user: str, password: str | None = None) -> str:
    return make_url(url).set(username=user, password=password).render_as_string(hide_password=False)


# ---------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    "url,shown",
    [
        ("postgresql://ann:hunter2@db.example/prod", "postgresql://ann:***@db.example/prod"),
        ("postgres://ann:hunter2@db.example/prod", "postgresql://ann:***@db.example/prod"),
        ("postgresql+psycopg://ann@db.example/prod", "postgresql://ann@db.example/prod"),
        ("postgresql:///prod?password=hunter2&user=ann", "postgresql:///prod?password=***&user=ann"),
        ("postgresql:///prod?sslpassword=hunter2", "postgresql:///prod?sslpassword=***"),
        (
            "postgres://ann:hunter2@one:5432,two/prod?target_session_attrs=any",
            "postgresql://ann:***@/prod?host=one,two&port=5432,&target_session_attrs=any",
        ),
        ("postgresql://ann@%2Fvar%2Frun/prod", "postgresql://ann@/prod?host=/var/run"),
        ("sqlite:///some/file.db", "sqlite:///some/file.db"),
        ("hunter2", "the database's URL"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert mask_url(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hunter2",
        "mysql://ann:hunter2@host/db",
        "sqlite://",
        "sqlite:///:memory:",
        "postgresql://h:hunter2x/db",
        "postgresql://h:hunter2x,other/db",
        "postgresql://[h,hunter2]:x/db",
        "sqlite://file.db",
    ],
)
def test_a_url_that_cannot_be_used_says_how_to_write_one_and_keeps_its_secrets(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_url(url)

    assert caught.value.code == "INVALID_DATABASE_URL"
    assert "postgresql://user@host/name" in (caught.value.cure or "")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_common_way_to_write_postgresql_is_understood(scheme: str, postgres_database: str) -> None:
    instance = make_instance(postgres_database, Generation.SEED)
    instance.editor.insert("w")
    rest = postgres_database.partition("://")[2]

    with Instance(f"{scheme}://{rest}", instance.generation, instance.editor).open() as database:
        assert list(database.snapshot().digests) == ["w"]


def test_hosts_are_written_as_for_psql(postgres_database: str) -> None:
    instance = make_instance(postgres_database, Generation.SEED)
    instance.editor.insert("w")
    parsed = make_url(postgres_database)
    folder, name = str(parsed.query["host"]), parsed.database
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]  # that nobody listens on
        for url in (
            f"postgresql://postgres@{quote(folder, safe='')}/{name}",
            f"postgresql://postgres@{quote(folder, safe='')}:{parsed.query['port']}/{name}",
            f"postgresql://postgres@127.0.0.1:{port},{quote(folder, safe='')}:{parsed.query['port']}/{name}",
            f"postgresql://postgres@[::1]:{port},{quote(folder, safe='')}/{name}?target_session_attrs=read-write",
            f"postgresql:///{name}?host={folder}&user=postgres",
        ):
            with Instance(url, instance.generation, instance.editor).open() as database:
                assert list(database.snapshot().digests) == ["w"], url


# ---------------------------------------------------------------- connections


def test_an_unreachable_server_is_named() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        error = open_error(f"postgresql://ann:hunter2@127.0.0.1:{port}/prod")

    assert (type(error), error.code, error.exit_code) == (DatabaseError, "DATABASE_UNREACHABLE", 1)
    assert f"postgresql://ann:***@127.0.0.1:{port}/prod" in error.message
    assert "hunter2" not in error.message


def test_an_unknown_database_is_named(postgres_database: str) -> None:
    url = make_url(postgres_database).set(database="no_such_database").render_as_string(hide_password=False)

    error = open_error(url)

    assert error.code == "UNKNOWN_DATABASE"
    assert "no_such_database" in error.message


def test_an_unknown_user_is_refused(postgres_database: str) -> None:
    error = open_error(as_user(postgres_database, "no_such_user", "hunter2"))

    assert (type(error), error.exit_code) == (AccessDenied, 9)
    assert "hunter2" not in error.message


def test_a_role_that_may_only_read_reads_everything_and_writes_nothing(postgres_database: str) -> None:
    instance = make_instance(postgres_database, Generation.CURRENT)
    instance.push(make_workflow("w"))
    role = "reader_of_" + str(make_url(postgres_database).database)
    instance.editor.execute(f'CREATE ROLE "{role}" LOGIN')
    try:
        instance.editor.execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{role}"')
        reader = Instance(as_user(postgres_database, role), instance.generation, instance.editor)

        with reader.open() as database:
            assert list(database.snapshot().digests) == ["w"]
            assert len(list(database.load([Key("w")]))) == 1
            assert len(database.recent_marks()[Key("w")]) == 1
            assert len(database.identity()) == 16
            with pytest.raises(AccessDenied):
                database.record(
                    Deployment(MarkKind.PULL, COMMIT, {Key("w"): Mark(MarkKind.PULL, None, COMMIT)})
                )
        with pytest.raises(AccessDenied) as caught:
            reader.push(make_workflow("w", name="Other"))
        assert caught.value.exit_code == 9

        instance.editor.execute(f'REVOKE SELECT ON gitsync_deployments FROM "{role}"')
        with reader.open() as database:
            assert (database.capabilities.has_ledger, list(database.snapshot().digests)) == (False, ["w"])

        instance.editor.execute(f'REVOKE SELECT ON workflow_definition_versions FROM "{role}"')
        error = open_error(reader.url, tenant=TENANT)
        assert (type(error), error.exit_code) == (AccessDenied, 9)
        assert "workflow_definition_versions" in error.message
    finally:
        instance.editor.execute(f'DROP OWNED BY "{role}"')
        instance.editor.execute(f'DROP ROLE "{role}"')


# ---------------------------------------------------------------- SQLite files


def test_reading_never_makes_a_file(tmp_path: Path) -> None:
    path = tmp_path / "none.db"

    error = open_error(f"sqlite:///{path}")

    assert error.code == "MISSING_DATABASE"
    assert "gitsync db init" in (error.cure or "")
    assert not path.exists()


def test_a_missing_folder_and_a_folder_in_the_file_s_place_are_told_apart(tmp_path: Path) -> None:
    assert "mkdir" in (open_error(f"sqlite:///{tmp_path}/no/such.db").cure or "")
    assert open_error(f"sqlite:///{tmp_path}").code == "NOT_A_DATABASE"


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("buy milk\n" * 500)

    error = open_error(f"sqlite:///{path}")

    assert error.code == "NOT_A_DATABASE"
    assert path.read_text() == "buy milk\n" * 500


def test_a_path_with_signs_that_mean_something_in_urls_is_a_path(tmp_path: Path) -> None:
    folder = tmp_path / "a b#c%20d?e"
    folder.mkdir()
    instance = make_instance(f"sqlite:///{quote(str(folder))}/file.db", Generation.SEED)

    instance.push(make_workflow("w"))

    assert list(instance.digests()) == ["w"]
    assert {path.name for path in folder.iterdir()} <= {"file.db", "file.db-wal", "file.db-shm"}


def test_a_read_only_file_is_read_and_refuses_to_be_written(tmp_path: Path) -> None:
    instance = make_instance(f"sqlite:///{tmp_path}/p.db", Generation.SEED)
    instance.push(make_workflow("w"))
    (tmp_path / "p.db").chmod(stat.S_IRUSR)
    if os.access(tmp_path / "p.db", os.W_OK):
        pytest.skip("root may write any file")

    assert list(instance.digests()) == ["w"]
    with pytest.raises(AccessDenied):
        instance.push(make_workflow("v"))


# ---------------------------------------------------------------- tables


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_database")
        return url
    url = f"sqlite:///{tmp_path}/p.db"
    with connected(url) as connection:
        connection.exec_driver_sql("CREATE TABLE other (n integer)")
    return url


def test_a_database_without_the_product_s_tables_says_so(empty: str) -> None:
    error = open_error(empty)

    assert error.code == "MISSING_TABLES"
    assert error.details["tables"] == ["workflow_definitions", "workflow_definition_versions"]
    assert "gitsync db init" in (error.cure or "")


def test_a_product_older_than_its_bundles_says_which_columns_it_lacks(empty: str) -> None:
    make_product_tables(empty, Generation.SEED)
    with connected(empty) as connection:
        connection.exec_driver_sql("DROP INDEX workflow_definitions_key_unique")
        connection.exec_driver_sql('ALTER TABLE workflow_definitions DROP COLUMN "key"')

    error = open_error(empty)

    assert (error.code, error.details["columns"]) == ("MISSING_COLUMNS", ["workflow_definitions.key"])


def test_a_row_that_is_no_json_is_named(tmp_path: Path) -> None:
    instance = make_instance(f"sqlite:///{tmp_path}/p.db", Generation.SEED)
    workflow_id = instance.editor.insert("broken", draft_definition='{"steps": [')

    with instance.open() as database:
        snapshot = database.snapshot()
        with pytest.raises(DatabaseError) as caught:
            list(database.load([Key("broken")]))

    found = snapshot.unreadable[Key("broken")]
    assert (found.code, found.ids, caught.value.code) == ("UNREADABLE_WORKFLOW", (workflow_id,), found.code)
    assert caught.value.details == {"key": "broken", "workflowId": workflow_id}


# ---------------------------------------------------------------- tenants


@pytest.mark.parametrize("generation", [Generation.TENANT_ID, Generation.CURRENT, Generation.CURRENT_UNIQUE])
def test_a_tenant_is_compulsory_where_there_are_tenants(empty: str, generation: Generation) -> None:
    make_product_tables(empty, generation)

    error = open_error(empty)

    assert (type(error), error.code) == (ConfigError, "TENANT_REQUIRED")
    assert "GITSYNC_TENANT" in (error.cure or "")


def test_a_malformed_tenant_is_refused_before_the_server_sees_it(empty: str) -> None:
    make_product_tables(empty, Generation.CURRENT)

    assert open_error(empty, tenant="acme' OR 1=1").code == "INVALID_TENANT"


def test_an_older_tenant_may_be_any_text(empty: str) -> None:
    make_product_tables(empty, Generation.TENANT_ID)
    Editor(empty, tenant="acme").insert("w")

    with Database(empty, environment="e", tenant="acme", actor=None, command="status") as database:
        assert list(database.snapshot().digests) == ["w"]


def test_a_tenant_is_the_same_however_its_uuid_is_written(empty: str) -> None:
    make_product_tables(empty, Generation.CURRENT)
    Editor(empty, tenant=Generation.CURRENT.tenant).insert("w")

    written = TENANT.upper().replace("-", "")
    with Database(empty, environment="e", tenant=written, actor=None, command="status") as database:
        assert list(database.snapshot().digests) == ["w"]


@pytest.mark.parametrize("generation", [Generation.TENANT_ID, Generation.CURRENT])
def test_a_tenant_without_rows_where_others_have_some_is_refused(empty: str, generation: Generation) -> None:
    instance = make_instance(empty, generation)
    instance.editor.insert("w")
    stranger = Instance(empty, generation, instance.editor)

    error = open_error(empty, tenant=OTHER_TENANT)
    assert (error.code, error.details) == ("UNKNOWN_TENANT", {"tenant": OTHER_TENANT})
    assert "--new-tenant" in (error.cure or "")
    document = make_workflow("v")
    planned = changes_to({}, document)
    with stranger.open(tenant=OTHER_TENANT) as database, pytest.raises(ConfigError):
        database.apply(planned, [(Key("v"), document)], Deployment(MarkKind.PUSH, COMMIT))

    with stranger.open(tenant=OTHER_TENANT, new_tenant=True) as database:
        assert database.snapshot().digests == {}


def test_the_first_tenant_of_an_empty_database_is_welcome(empty: str) -> None:
    make_product_tables(empty, Generation.CURRENT)

    with Database(empty, environment="e", tenant=TENANT, actor=None, command="status") as database:
        assert database.snapshot().digests == {}


def test_a_tenant_where_there_are_none_is_warned_of(empty: str) -> None:
    make_product_tables(empty, Generation.SEED)

    with Database(empty, environment="e", tenant=TENANT, actor=None, command="status") as database:
        (warning,) = database.snapshot().warnings

    assert TENANT in warning


def test_a_malformed_actor_is_refused(empty: str) -> None:
    assert open_error(empty, actor="ann").code == "INVALID_ACTOR"
