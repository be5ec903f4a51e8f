"""One deployment at a time per database and tenant.

The lock is PostgreSQL's advisory one of the transaction, so it dies with the connection; on SQLite the writing
transaction itself, which began with BEGIN IMMEDIATE.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from gitsync.errors import LockNotAcquired

_CLASS = 0x67697473  # "gits": apart from other programs' advisory locks


def lock(connection: Connection, *, tenant: str, address: str) -> None:
    """Hold the deployment lock until the connection's transaction ends; it waits as long as the engine lets it.

    Raises LockNotAcquired, naming who holds it and since when.
    Source: PostgreSQL manual, "Advisory Lock Functions".
    """
    if connection.dialect.name != "postgresql":
        return
    number = _number(tenant)
    held = {"class": _CLASS, "number": number}
    waiting = (
        connection.begin_nested()
    )  # so that the same connection can ask who holds it: there may be no other
    try:
        connection.execute(
            text("SELECT pg_advisory_xact_lock(CAST(:class AS int), CAST(:number AS int))"), held
        )
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != "55P03":
            raise
        waiting.rollback()
        raise _not_acquired(_find_holder(connection, number), address) from error
    waiting.commit()


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock: its program's name as the server shows it, process, state and since when.

    seconds: how long its transaction has run; ``None`` where the server doesn't say, as of other people's
    sessions.
    """

    name: str | None
    process: int
    since: str | None
    state: str | None
    seconds: float | None

    def __str__(self) -> str:
        return f"`{self.name or 'an unnamed program'}` (process {self.process})" + (
            f" since {self.since}" if self.since else ""
        )


def find_holder(connection: Connection, *, tenant: str) -> Holder | None:
    """Who holds the deployment lock of `tenant` now; ``None`` where nobody does, and on SQLite."""
    if connection.dialect.name != "postgresql":
        return None
    return _find_holder(connection, _number(tenant))


def _find_holder(connection: Connection, number: int) -> Holder | None:
    query = text("""
        SELECT a.application_name, a.pid, to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SS TZ'), a.state,
               extract(epoch FROM clock_timestamp() - a.xact_start)::float8
          FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
         WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
           AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND l.classid::bigint = :class AND l.objid::bigint = :number
         LIMIT 1
    """)
    row = connection.execute(query, {"class": _CLASS, "number": number}).first()
    return None if row is None else Holder(*row)


def _not_acquired(holder: Holder | None, address: str) -> LockNotAcquired:
    name = None if holder is None else str(holder)
    return LockNotAcquired(
        f"{address}: {name or 'another run'} holds the deployment lock; nothing was written",
        details={"holder": name},
        cure="wait for it and try again, or wait longer with `--lock-timeout`",
    )


def _number(tenant: str) -> int:
    """A positive 31-bit number for the tenant; two tenants that share one merely wait for each other."""
    return int.from_bytes(hashlib.sha256(tenant.encode()).digest()[:4]) >> 1
