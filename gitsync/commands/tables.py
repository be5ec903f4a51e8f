"""``db init`` and ``db check``: gitsync's own tables, and a look at the database alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from sqlalchemy import Engine

from gitsync.commands.context import Context
from gitsync.commands.project import read_settings
from gitsync.commands.targets import database_url
from gitsync.config import Environment
from gitsync.doctor.database import check_database
from gitsync.doctor.finding import Finding
from gitsync.stores.database.connect import make_engine, mask_url
from gitsync.stores.database.init import init_database


@dataclass(frozen=True, slots=True, kw_only=True)
class TablesReport:
    """The tables that were created, by name."""

    kind: ClassVar[str] = "db_init"
    environment: str
    created: Sequence[str]
    notes: Sequence[str] = ()
    error: None = None
    exit_code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What a look at the database has found; exit code 1 where something stops a command."""

    kind: ClassVar[str] = "db_check"
    environment: str
    address: str
    findings: Sequence[Finding]
    notes: Sequence[str] = ()
    error: None = None

    @property
    def exit_code(self) -> int:
        """1 where a finding is an error, else 0."""
        return 1 if any(finding.level == "error" for finding in self.findings) else 0


def create_tables(context: Context) -> TablesReport:
    """Create gitsync's own tables where they are missing, and the product's in an empty database."""
    with engine_of(context, command="db init", create=True, is_told=True) as (environment, engine, _):
        created = init_database(engine, tenant=environment.tenant)
    return TablesReport(environment=environment.name, created=created)


def check_tables(context: Context) -> CheckReport:
    """Look at connection, tables, tenant, keys, calls, authors, ledger, rights and lock; write nothing."""
    with engine_of(context, command="db check") as (environment, engine, address):
        findings = check_database(engine, tenant=environment.tenant, actor=environment.actor)
    return CheckReport(environment=environment.name, address=address, findings=findings)


@contextmanager
def engine_of(
    context: Context, *, command: str, create: bool = False, is_told: bool = False
) -> Iterator[tuple[Environment, Engine, str]]:
    """The chosen environment, an engine of its database, and the masked address.

    create: make an SQLite file where there is none. is_told: name the target to the caller first.
    """
    config, folder = read_settings(context)
    environment = config.environment(context.environment, context.variables)
    url = database_url(environment, folder)
    address = mask_url(url)
    if is_told:
        context.tell(f"{environment.name}: {address}")
    engine = make_engine(url, command=command, lock_timeout=context.lock_timeout, create=create)
    try:
        yield environment, engine, address
    finally:
        engine.dispose()
