"""Behind a pooler in transaction mode: a connection is the client's own for one transaction, and no longer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gitsync.errors import LockNotAcquired
from gitsync.stores.database.connect import make_engine, writing
from gitsync.stores.database.lock import lock
from tests.support.loop import Loop, gitsync, make_loop
from tests.support.pooler import pooled
from tests.support.product import TENANT
from tests.support.server import running_server

LEFT_BEHIND = """
    SELECT (SELECT count(*) FROM pg_prepared_statements) + (SELECT count(*) FROM pg_cursors)
         + (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')
         + (SELECT count(*) FROM pg_settings WHERE source = 'session' AND name <> 'application_name')
"""


@pytest.fixture
def behind(tmp_path: Path, postgres_database: str) -> Iterator[Loop]:
    """A loop whose gitsync has one server connection, shared by all that it does."""
    with pooled(postgres_database) as url:
        yield make_loop(tmp_path, url=url, tenant=TENANT)


def left_behind(loop: Loop) -> int:
    """How much of a session's own is on the connection that the next client gets."""
    with loop.editor.connection() as connection:
        return int(connection.exec_driver_sql(LEFT_BEHIND).scalar_one())


def test_every_command_works_again_and_again_and_leaves_nothing_behind(behind: Loop) -> None:
    keys = [f"w{number:02}" for number in range(8)]

    for text in ("1", "2", "3"):
        behind.commit(**dict.fromkeys(keys, text))
        assert len(behind.push("--update", "--max-overwrites", "99").changes) == len(keys)
        behind.editor.save("w00", f"saved {text}")
        assert behind.states()["w00"] == "database-ahead"
        assert behind.pull("--commit").changes == {"w00": "update"}
        assert left_behind(behind) == 0
    workflow_id = behind.editor.create(None, "without a key")
    for command in (
        ["adopt", workflow_id, "adopted"],
        ["adopt", "--suggest"],
        ["plan"],
        ["diff"],
        ["db", "check"],
        ["db", "init"],
        ["token", "add", "ci", "--role", "admin"],
        ["token", "list"],
        ["export", "--all", "--out", str(behind.folder.parent / "bundle.json")],
    ):
        ran = behind.gitsync(*command)
        assert ran.code == 0, ran.err
    assert left_behind(behind) == 0


def test_a_server_answers_behind_a_pooler(behind: Loop) -> None:
    behind.commit(one="1")
    behind.push()

    with running_server(behind.editor.url, tenant=TENANT) as server:
        for _ in range(3):
            assert server.admin.get("/readyz").status_code == 200

    assert left_behind(behind) == 0


def test_who_holds_the_lock_is_told_without_a_second_connection(behind: Loop, postgres_database: str) -> None:
    holding = make_engine(postgres_database, command="holding", lock_timeout=5)
    waiting = make_engine(behind.editor.url, command="waiting", lock_timeout=0.05)
    try:
        with writing(holding) as holder:
            lock(holder, tenant="t", address="here")
            with pytest.raises(LockNotAcquired) as caught, writing(waiting) as connection:
                lock(connection, tenant="t", address="here")
        with writing(waiting) as connection:
            lock(connection, tenant="t", address="here")
    finally:
        holding.dispose()
        waiting.dispose()

    assert "gitsync holding" in caught.value.message


def test_the_search_path_of_a_pooler_comes_from_the_role(postgres_database: str) -> None:
    with pooled(postgres_database) as url:
        ran = gitsync("status", variables={"GITSYNC_DATABASE_URL": f"{url}?options=-csearch_path=app"})

    assert ran.code == 1
    assert "unsupported startup parameter: options" in ran.err
    assert "ALTER ROLE" in ran.err
