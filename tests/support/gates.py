"""Gates: a run of gitsync stopped at a chosen phase of its work on PostgreSQL, for as long as a test likes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import psycopg

from tests.support.postgres import libpq_url
from tests.support.program import PATIENCE

_KEY: Final = 4711
_TRIGGERS: Final = {
    "recording": "BEFORE INSERT ON gitsync_deployments",
    "noting what is replaced": "BEFORE INSERT ON gitsync_deployment_items",
    "deleting": "BEFORE DELETE ON workflow_definitions",
    "inserting": "BEFORE INSERT ON workflow_definitions",
    "inserting versions": "BEFORE INSERT ON workflow_definition_versions",
}
PHASES: Final = ("reading", *_TRIGGERS, "committing")
"""Where a push can be stopped, in the order in which it gets there."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A closed gate; `open` lets through who waits."""

    watcher: psycopg.Connection
    open: Callable[[], None]

    def wait_for_arrival(self, number: int = 1) -> None:
        """Wait until so many sessions of gitsync's stand before the gate, or behind one that does."""
        query = """SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name LIKE 'gitsync%'"""
        deadline = time.monotonic() + PATIENCE
        while self.watcher.execute(query).fetchone() != (number,):
            assert time.monotonic() < deadline, "nobody came to the gate"
            time.sleep(0.005)


@contextlib.contextmanager
def gate(url: str, phase: str) -> Iterator[Gate]:
    """A gate at `phase` in the database at `url`; it is gone afterwards."""
    with (
        psycopg.connect(libpq_url(url), autocommit=True) as keeper,
        psycopg.connect(libpq_url(url), autocommit=True) as watcher,
        _closed(keeper, phase),
    ):
        yield Gate(watcher, lambda: _release(keeper))


@contextlib.contextmanager
def _closed(keeper: psycopg.Connection, phase: str) -> Iterator[None]:
    if phase == "reading":
        keeper.execute("BEGIN")
        keeper.execute("LOCK workflow_definitions IN ACCESS EXCLUSIVE MODE")
    else:
        keeper.execute(
            f"""CREATE FUNCTION stand_before_gate() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_advisory_xact_lock_shared({_KEY}); RETURN COALESCE(NEW, OLD); END $$""".encode()
        )
        where = _TRIGGERS.get(phase)
        if where:
            made = f"CREATE TRIGGER gate {where} FOR EACH ROW EXECUTE FUNCTION stand_before_gate()"
        else:  # a deferred trigger fires in COMMIT
            made = """CREATE CONSTRAINT TRIGGER gate AFTER INSERT ON gitsync_deployments
                      DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION stand_before_gate()"""
        keeper.execute(made.encode())
        keeper.execute(f"SELECT pg_advisory_lock({_KEY})".encode())
    try:
        yield
    finally:
        with contextlib.suppress(psycopg.OperationalError):  # the server may have been stopped meanwhile
            _release(keeper)


def _release(keeper: psycopg.Connection) -> None:
    if keeper.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        keeper.execute("ROLLBACK")
    keeper.execute("SELECT pg_advisory_unlock_all()")


def remove_gates(url: str) -> None:
    """Remove what gates have left in the database at `url`; waits for whoever is passing one."""
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        connection.execute("DROP FUNCTION IF EXISTS stand_before_gate() CASCADE")
