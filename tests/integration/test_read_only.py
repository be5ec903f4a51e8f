"""A server that nobody may write to, such as a read replica, is good for all that looks, and says what it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from tests.support.loop import Loop, make_loop
from tests.support.postgres import OwnServer, fresh_database
from tests.support.product import TENANT


@pytest.fixture
def replica(tmp_path: Path, own_server: OwnServer) -> Iterator[Loop]:
    """A loop in step, then an edit on both sides; its database is on a standby."""
    with fresh_database(own_server.url) as url:
        loop = make_changed_loop(tmp_path, url)
        own_server.become_standby()
        yield loop
        (own_server.folder / "data" / "standby.signal").unlink()
        own_server.restart()


@pytest.fixture
def locked(tmp_path: Path, postgres_database: str) -> Loop:
    """The same in a database whose sessions begin read-only."""
    loop = make_changed_loop(tmp_path, postgres_database)
    with loop.editor.connection() as connection:
        name = make_url(postgres_database).database
        connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    return loop


def make_changed_loop(folder: Path, url: str) -> Loop:
    loop = make_loop(folder, url=url, tenant=TENANT)
    loop.commit(a="1", b="1")
    loop.push()
    loop.editor.save("a", "2")
    loop.commit(b="2")
    return loop


@pytest.mark.parametrize(
    "kind,reason",
    [("replica", "it is a standby of another"), ("locked", "default_transaction_read_only is on")],
)
def test_a_read_only_server_is_looked_at_and_pulled_from_and_refuses_a_push(
    kind: str, reason: str, request: pytest.FixtureRequest
) -> None:
    loop: Loop = request.getfixturevalue(kind)
    before = loop.editor.dump()

    assert loop.states() == {"a": "database-ahead", "b": "repository-ahead"}
    assert loop.pull("--commit").changes == {"a": "update"}
    for command in (
        ["push", "--update"],
        ["adopt", loop.editor.id_of("a"), "c"],
        ["token", "add", "ci", "--role", "read"],
    ):
        ran = loop.gitsync(*command)
        assert (ran.code, "READ_ONLY_SERVER" in ran.err) == (9, True), ran.err
        assert "GRANT" not in ran.err
        assert "target_session_attrs=read-write" in ran.err
    for command in (["db", "check"], ["doctor"]):
        ran = loop.gitsync(*command)
        assert f"this server is read-only: {reason}" in ran.out
        assert ran.code == 0, ran.out
    assert loop.editor.dump() == before
