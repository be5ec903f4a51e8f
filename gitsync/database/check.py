"""What `gitsync db check` looks at, each finding with its cure; nothing is written."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, func, select

from gitsync.database.connect import mask_url, reading
from gitsync.database.faults import translated
from gitsync.database.ledger import check_ledger
from gitsync.database.rights import READING, WRITING, Rights, read_rights
from gitsync.database.rows import read_index
from gitsync.database.schema import (
    DEFINITIONS,
    VERSIONS,
    Found,
    check_tables,
    check_tenant,
    look,
)
from gitsync.database.tables import Tables, make_tables
from gitsync.errors import GitsyncError

OLDEST_SERVER: Final = 13


class Level(enum.StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; ``cure`` is what to type next, empty where all is well."""

    name: str
    level: Level
    message: str
    cure: str = ""


def check_database(engine: Engine, *, tenant: str | None) -> list[Finding]:
    """All findings, in the order in which they were looked at; one that stops the rest is the last."""
    address = mask_url(engine.url.render_as_string(hide_password=False))
    findings: list[Finding] = []
    try:
        with translated(address), reading(engine) as connection:
            findings.append(Finding("connection", Level.OK, address))
            findings.extend(_iter_findings(connection, look(connection), tenant))
    except GitsyncError as error:
        findings.append(_error("connection" if not findings else "database", error))
    return findings


def _iter_findings(connection: Connection, found: Found, tenant: str | None) -> Iterator[Finding]:
    yield _version(found)
    try:
        check_tables(found)
    except GitsyncError as error:
        yield _error("tables", error)
        return
    yield Finding("tables", Level.OK, f"{DEFINITIONS} and {VERSIONS}, all columns")
    try:
        own_tenant = check_tenant(found, tenant)
    except GitsyncError as error:
        yield _error("tenant", error)
        return
    tables = make_tables(found, own_tenant)
    rights = read_rights(connection) if found.is_postgresql else None
    if rights is not None:
        yield from _rights(rights, found)
    is_readable = rights is None or not rights.lacking({DEFINITIONS: ("SELECT",), VERSIONS: ("SELECT",)})
    if is_readable:
        yield from _tenant(connection, tables, tenant)
    yield _unique_key(found)
    if is_readable:
        yield from _content(connection, tables)
    yield _ledger(found)


def _version(found: Found) -> Finding:
    major, minor = divmod(found.server_version, 10_000)
    if not found.is_postgresql:
        return Finding("version", Level.OK, f"SQLite {major}.{minor // 100}.{minor % 100}")
    if major < OLDEST_SERVER:
        message = f"PostgreSQL {major}; gitsync is made for {OLDEST_SERVER} and newer"
        return Finding("version", Level.ERROR, message, "update the server")
    citus = " with Citus" if found.is_citus else ""
    return Finding("version", Level.OK, f"PostgreSQL {major}.{minor // 100 or minor}{citus}")


def _tenant(connection: Connection, tables: Tables, given: str | None) -> Iterator[Finding]:
    if tables.tenant is None:
        message = "workflows belong to no tenant here"
        level = Level.WARNING if given else Level.OK
        yield Finding("tenant", level, message, "take `tenant:` out of the environment" if given else "")
        return
    yield Finding("tenant", Level.OK, f"{tables.tenant} (column `{tables.found.tenant_column}`)")
    column = tables.found.version_tenant_column
    if column is None:
        return
    lost = select(func.count()).select_from(tables.versions.join(tables.definitions, _same_workflow(tables)))
    count = connection.execute(lost.where(tables.owned(), tables.versions.c[column].is_(None))).scalar_one()
    if count:
        yield Finding(
            "version rows",
            Level.WARNING,
            f"{count} published versions have no tenant; neither the product nor gitsync sees them",
            f"set `{column}` of these rows to their definition's",
        )


def _same_workflow(tables: Tables) -> Any:
    return tables.versions.c.workflow_id == tables.definitions.c.workflow_id


def _unique_key(found: Found) -> Finding:
    if found.has_unique_key:
        return Finding("unique key", Level.OK, "the database keeps keys unique")
    return Finding(
        "unique key",
        Level.WARNING,
        "the database does not keep keys unique; the editor may make a twin at the moment of a push",
        f"the product's own schema lacks a unique index on {DEFINITIONS} (tenant, key)",
    )


def _content(connection: Connection, tables: Tables) -> Iterator[Finding]:
    try:
        index = read_index(connection, tables, new_tenant=False)
    except GitsyncError as error:
        yield _error("keys", error)
        return
    yield Finding("keys", Level.OK, f"{len(index.ids)} workflows with a key, no duplicates")
    if index.unkeyed:
        yield Finding(
            "unkeyed",
            Level.WARNING,
            f"{len(index.unkeyed)} workflows cannot be in git: they have no key, or none that can name a file",
            "`gitsync adopt --suggest` prints the commands that give them one",
        )


def _ledger(found: Found) -> Finding:
    try:
        check_ledger(found)
    except GitsyncError as error:
        return _error("ledger", error)
    return Finding("ledger", Level.OK, f"version {found.ledger_version}")


def _rights(rights: Rights, found: Found) -> Iterator[Finding]:
    role, reading, writing = rights.role, rights.lacking(READING), rights.lacking(WRITING)
    wanted = "`status` and `pull` need" if reading else "`push` needs"
    may = f"{role} may {'not read all' if reading else 'read, but not write'}"
    if reading or writing:
        shown = reading or writing
        level = (
            Level.ERROR if any(table in (DEFINITIONS, VERSIONS) for _, table in reading) else Level.WARNING
        )
        listed = ", no ".join(f"{right} on {table}" for right, table in shown)
        yield Finding("rights", level, f"{may}: no {listed}", f"what {wanted}: {rights.grants(shown)}")
    else:
        yield Finding("rights", Level.OK, f"{role} may read and write")
    if not found.has_ledger and not found.hidden and not rights.may_create:
        yield Finding(
            "right to create",
            Level.WARNING,
            f"{role} may not make tables in the schema {rights.schema}, which `gitsync db init` does, once",
            f"run `gitsync db init` as another role, or GRANT CREATE ON SCHEMA {rights.schema} TO {role}",
        )
    if rights.filtered:
        yield Finding(
            "row-level security",
            Level.WARNING,
            f"policies choose which rows of {' and '.join(rights.filtered)} {role} sees; what it doesn't see "
            "doesn't exist for gitsync",
            "make sure that they show it all rows of the tenant",
        )


def _error(name: str, error: GitsyncError) -> Finding:
    return Finding(name, Level.ERROR, error.message, error.cure or "")
