"""Databases that fail on purpose: at the n-th statement, by an error or by a connection that is gone.

The failures are the driver's own. A statement is replaced by one that the database refuses, or the driver's
connection is closed under it; what gitsync then does is what it does in the field.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event

from tests.support import figures
from tests.support.loop import Ran

MOST_STATEMENTS = 400
"""Far more than any command sends for a handful of workflows."""


class Failure(enum.StrEnum):
    """How a statement fails; a connection to a file has no other end than its process's."""

    REFUSED = "refused"
    CONNECTION_GONE = "connection-gone"


@dataclass(slots=True)
class Countdown:
    """Counts statements and commits; the one number `fail_at` fails, and `has_failed` tells that it came, `at` which it was."""

    fail_at: int
    how: Failure
    seen: int = 0
    at: str = ""

    @property
    def has_failed(self) -> bool:
        """Whether so many statements were sent."""
        return self.seen >= self.fail_at

    def statement(
        self, connection: Connection, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool
    ) -> tuple[str, Any]:
        """What is sent in place of a statement."""
        self.seen += 1
        if self.seen != self.fail_at:
            return statement, parameters
        self.at = statement
        if self.how is Failure.REFUSED:
            nothing: Any = () if connection.dialect.name == "sqlite" else {}
            return "SELECT no_such_thing", [nothing] if many else nothing
        _close(connection)
        return statement, parameters

    def commit(self, connection: Connection) -> None:
        """Let the commit of a transaction that writes fail where it is due."""
        if not connection.get_execution_options().get("gitsync_writing"):
            return
        self.seen += 1
        if self.seen != self.fail_at:
            return
        self.at = "COMMIT"
        if self.how is Failure.REFUSED:
            held = _held(connection)
            for doomed in _DOOMED:
                held.execute(doomed)
        else:
            _close(connection)


_DOOMED = (
    "CREATE TABLE doomed (a integer PRIMARY KEY, b integer REFERENCES doomed (a) DEFERRABLE INITIALLY DEFERRED)",
    "INSERT INTO doomed VALUES (1, 2)",
)
"""What a database notices when it is to commit, and not before."""


def _close(connection: Connection) -> None:
    _held(connection).close()


def _held(connection: Connection) -> Any:
    held = connection.connection.dbapi_connection
    assert held is not None
    return held


@contextmanager
def failing_at(number: int, how: Failure) -> Iterator[Countdown]:
    """Let statement `number`, from 1, fail on whichever engines are used inside the block, all taken together.

    COMMIT counts as a statement. Nothing but the code under test may use a database meanwhile.
    """
    countdown = Countdown(number, how)
    event.listen(Engine, "before_cursor_execute", countdown.statement, retval=True)
    event.listen(Engine, "commit", countdown.commit)
    try:
        yield countdown
    finally:
        event.remove(Engine, "before_cursor_execute", countdown.statement)
        event.remove(Engine, "commit", countdown.commit)


def everything(url: str) -> dict[str, list[str]]:
    """All that a database holds, to compare it with itself: per table its columns, indexes and rows."""
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").exists():
        return {}
    with engine.connect() as connection:
        inspector = sa.inspect(connection)
        held: dict[str, list[str]] = {}
        for table in sorted(inspector.get_table_names()):
            columns = [column["name"] for column in inspector.get_columns(table)]
            indexes = sorted(str(index["name"]) for index in inspector.get_indexes(table))
            rows = sorted(map(str, connection.execute(sa.text(f'SELECT * FROM "{table}"'))))
            held[table] = [str(columns), str(indexes), *rows]
    return held


def fail_at_each_statement(run: Callable[[], Ran], state: Callable[[], Any], how: Failure) -> int:
    """How many statements `run` sends; each of them was made to fail in its turn, and the state stayed the same.

    run: a command that writes, repeated until no statement is left to fail; then it must succeed.
    state: everything that it may write, as a value.
    """
    before = state()
    for number in range(1, MOST_STATEMENTS):
        with failing_at(number, how) as countdown:
            ran = run()
        if not countdown.has_failed:
            assert ran.code == 0, f"exit {ran.code}\n{ran.out}{ran.err}"
            return countdown.seen
        with figures.tried("faults"):
            told = f"statement {number} {how}: exit {ran.code}\n{ran.err}{countdown.at}"
            assert ran.code in {1, 5, 7, 9}, told
            assert "internal error" not in ran.err, told
            assert state() == before, f"{told}\nsomething was written"
    raise AssertionError(f"the command sends more than {MOST_STATEMENTS} statements")
