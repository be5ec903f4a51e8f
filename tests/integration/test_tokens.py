"""Tokens in the database, and a ledger that is older than them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from sqlalchemy import Engine, text

from gitsync.errors import Conflict, DatabaseError, GitsyncError
from gitsync.stores.database.connect import make_engine
from gitsync.stores.database.init import init_database
from gitsync.stores.database.schema import LEDGER_VERSION
from gitsync.stores.database.tokens import Role, Tokens
from tests.support.documents import make_workflow
from tests.support.instance import TODAY, Instance
from tests.support.loop import Loop, Ran, make_loop
from tests.support.product import OTHER_TENANT, TENANT, Generation

INSTANCES = TODAY


@pytest.fixture
def engine(instance: Instance) -> Iterator[Engine]:
    made = make_engine(instance.url, command="tests", lock_timeout=5)
    yield made
    made.dispose()


def tokens_of(engine: Engine, tenant: str = Generation.CURRENT.tenant or "") -> Tokens:
    return Tokens(engine, tenant=tenant, address="here")


def test_a_token_is_found_until_it_is_revoked(engine: Engine) -> None:
    tokens = tokens_of(engine)
    token = tokens.add("ci", Role.READ)
    other = tokens.add("me", Role.ADMIN)

    found = tokens.find(token)
    assert found is not None
    assert (found.name, found.role) == ("ci", Role.READ)
    assert [held.name for held in tokens.list()] == ["ci", "me"]

    tokens.revoke("ci")

    assert tokens.find(token) is None
    assert tokens.find(other) is not None
    assert [held.name for held in tokens.list()] == ["me"]
    assert [held.name for held in tokens.list(with_revoked=True)] == ["ci", "me"]
    with pytest.raises(GitsyncError, match="ci"):
        tokens.revoke("ci")


def test_a_name_is_in_use_once_and_free_again_after_its_end(engine: Engine) -> None:
    tokens = tokens_of(engine)
    first = tokens.add("ci", Role.ADMIN)

    with pytest.raises(Conflict):
        tokens.add("ci", Role.READ)
    tokens.revoke("ci")
    second = tokens.add("ci", Role.ADMIN)

    assert tokens.find(first) is None
    assert tokens.find(second) is not None


def test_the_database_holds_no_token_and_no_part_of_its_secret(instance: Instance, engine: Engine) -> None:
    token = tokens_of(engine).add("ci", Role.ADMIN)

    (row,) = instance.editor.rows("gitsync_tokens")

    assert token not in str(row)
    assert token.split("_", 2)[2] not in str(row)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"), id="another-secret"),
        pytest.param(lambda token: token[:-1], id="cut"),
        pytest.param(lambda token: token + "\n", id="line-end"),
        pytest.param(lambda token: "gitsync_" + "0" * 12 + token[20:], id="another-id"),
        pytest.param(lambda _: "", id="empty"),
        pytest.param(lambda _: "\udcff", id="no-text"),
        pytest.param(lambda _: "' OR 1=1 --", id="no-token"),
    ],
)
def test_anything_else_is_no_token(engine: Engine, wrong: object) -> None:
    tokens = tokens_of(engine)
    token = tokens.add("ci", Role.ADMIN)
    assert callable(wrong)

    assert tokens.find(wrong(token)) is None


def test_a_token_is_of_one_tenant(engine: Engine) -> None:
    token = tokens_of(engine).add("ci", Role.ADMIN)

    other = tokens_of(engine, OTHER_TENANT)

    assert other.find(token) is None
    assert other.list() == []


@pytest.mark.parametrize("name", ["", " a", "a\nb", "x" * 101, "é"])
def test_a_name_that_a_log_line_would_not_bear_is_refused(engine: Engine, name: str) -> None:
    with pytest.raises(GitsyncError) as caught:
        tokens_of(engine).add(name, Role.READ)

    assert caught.value.code == "INVALID_NAME"


def test_a_ledger_of_version_1_is_written_and_brought_up_to_date_by_db_init(
    instance: Instance, engine: Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE gitsync_tokens"))
        connection.execute(text("UPDATE gitsync_alembic_version SET version_num = '0001'"))

    instance.push(make_workflow("w"))

    with instance.open() as database:
        assert database.newest_number() == 1
    with pytest.raises(DatabaseError) as caught:
        tokens_of(engine).list()
    assert caught.value.code == "MISSING_TOKENS"

    assert init_database(engine, tenant=instance.generation.tenant) == [f"ledger, version {LEDGER_VERSION}"]

    assert tokens_of(engine).list() == []
    with instance.open() as database:
        assert database.newest_number() == 1


def check_result(ran: Ran) -> list[dict[str, object]]:
    schema = json.loads((files("gitsync.schemas") / "token.schema.json").read_text())
    assert ran.code == 0, ran.err
    jsonschema.Draft7Validator(schema).validate(ran.json)
    rows: list[dict[str, object]] = ran.json["tokens"]
    return rows


def test_the_command_prints_the_token_alone_and_never_again(loop: Loop) -> None:
    added = loop.gitsync("token", "add", "ci")
    token = added.out.strip()
    listed = loop.gitsync("token", "list")
    as_json = loop.gitsync("token", "list", "-o", "json")
    revoked = loop.gitsync("token", "revoke", "ci")

    assert added.out == f"{token}\n"
    assert token.startswith("gitsync_")
    assert len(token) == 64
    assert "ci  admin" in listed.out
    assert token.split("_", 2)[2] not in listed.out + listed.err + as_json.out + added.err
    assert [row["role"] for row in check_result(as_json)] == ["admin"]
    assert revoked.out == "revoked ci\n"
    assert check_result(loop.gitsync("token", "list", "-o", "json")) == []
    assert check_result(loop.gitsync("token", "list", "--all", "-o", "json"))[0]["revokedAt"]
    assert loop.gitsync("token", "revoke", "ci").code == 1
    assert check_result(loop.gitsync("token", "add", "ci", "-o", "json")) == [{"name": "ci", "role": "admin"}]
    assert loop.gitsync("token", "add", "ci").code == 3


def test_the_command_names_db_init_where_there_is_no_table(tmp_path: Path) -> None:
    loop = make_loop(tmp_path, init=False)
    assert loop.gitsync("db", "init").code == 0
    with loop.editor.connection() as connection:
        connection.execute(text("DROP TABLE gitsync_tokens"))

    ran = loop.gitsync("token", "add", "ci")

    assert ran.code == 1
    assert "MISSING_TOKENS" in ran.err
    assert "gitsync db init" in ran.err


def test_the_tenant_of_the_environment_is_the_token_s(tmp_path: Path, postgres_database: str) -> None:
    loop = make_loop(tmp_path, url=postgres_database, tenant=TENANT)

    assert loop.gitsync("token", "add", "ci").code == 0

    with loop.editor.connection() as connection:
        assert connection.execute(text("SELECT tenant FROM gitsync_tokens")).scalar_one() == TENANT
