"""What the database looks like: one cheap look at its catalogue, and what follows for a tenant."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from sqlalchemy import Connection, text

from gitsync.errors import ConfigError, DatabaseError, noun_for
from gitsync.stores.database.product import (
    DEFINITION_COLUMNS,
    DEFINITIONS,
    TENANT_COLUMNS,
    USERS_OF_IDS,
    VERSION_COLUMNS,
    VERSIONS,
    needed,
    tenant_column_of,
)

DEPLOYMENTS: Final = "gitsync_deployments"
ITEMS: Final = "gitsync_deployment_items"
TOKENS: Final = "gitsync_tokens"
LEDGER_VERSION_TABLE: Final = "gitsync_alembic_version"
LEDGER_VERSION: Final = "0002"
"""The newest migration in ``migrations/versions``."""
LEDGER_WRITABLE: Final = "0001"
"""The oldest ledger that deployments may be noted in: later migrations only add tables, for other purposes.

A migration that changes what a deployment writes raises this to its own number. What needs a table of a later
migration asks for that table, as `tokens.check_tokens` does. Reading needs no ledger at all.
"""

_TABLES: Final = (DEFINITIONS, VERSIONS, DEPLOYMENTS, ITEMS, TOKENS, LEDGER_VERSION_TABLE, *USERS_OF_IDS)
_POSTGRES_LOOK: Final = text("""
    WITH looked AS (
        SELECT name, to_regclass(name) AS oid FROM unnest(CAST(:tables AS text[])) AS name
    )
    SELECT 'column' AS what, looked.name, a.attname AS item, format_type(a.atttypid, NULL) AS fact
      FROM looked JOIN pg_attribute a ON a.attrelid = looked.oid
     WHERE a.attnum > 0 AND NOT a.attisdropped
       AND (looked.name NOT LIKE 'gitsync%' OR has_table_privilege(looked.oid, 'SELECT'))
    UNION ALL
    SELECT 'unique', looked.name, i.indexrelid::text,
           (SELECT string_agg(a.attname, ',' ORDER BY a.attnum)
              FROM pg_attribute a WHERE a.attrelid = i.indexrelid)
      FROM looked JOIN pg_index i ON i.indrelid = looked.oid
     WHERE i.indisunique AND i.indisvalid
    UNION ALL
    SELECT 'hidden', looked.name, '', '' FROM looked
     WHERE looked.oid IS NOT NULL AND looked.name LIKE 'gitsync%' AND NOT has_table_privilege(looked.oid, 'SELECT')
    UNION ALL
    SELECT 'extension', extname, extversion, '' FROM pg_extension WHERE extname = 'citus'
    UNION ALL
    SELECT 'read-only', '', CASE WHEN pg_is_in_recovery() THEN 'it is a standby of another'
           ELSE 'default_transaction_read_only is on' END, ''
     WHERE pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean
    UNION ALL
    SELECT CASE WHEN c.oid IN (SELECT oid FROM looked) THEN 'here' ELSE 'elsewhere' END, c.relname, n.nspname,
           has_schema_privilege(n.oid, 'USAGE')::text
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relname = ANY (CAST(:tables AS text[])) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
       AND n.nspname !~ '^pg_'
     ORDER BY 1, 2, 3
""")
_SQLITE_LOOK: Final = text("""
    SELECT 'column' AS what, m.name AS name, c.name AS item, lower(c.type) AS fact
      FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type IN ('table', 'view')
    UNION ALL
    SELECT 'unique', m.name, i.name, (SELECT group_concat(x.name) FROM pragma_index_info(i.name) x)
      FROM sqlite_master m, pragma_index_list(m.name) i WHERE m.type = 'table' AND i."unique" = 1
""")


@dataclass(frozen=True, slots=True)
class Found:
    """What a look at the database found; columns are name → type, empty where the table isn't there.

    server_version: PostgreSQL's ``server_version_num``, SQLite's likewise. ledger_version: the newest
    migration that the ledger has had, ``None`` without a ledger. users_of_ids: table → columns, of those of
    USERS_OF_IDS that are there. hidden: gitsync's tables that are there, and that the role may not read; to it
    there is no ledger. places: table → its schema on PostgreSQL. elsewhere: table → the schemas that have one
    too, and that the search path doesn't lead to. closed: those of them that the role may not use.
    read_only: why a PostgreSQL server lets nobody write, ``None`` where it does.
    """

    is_postgresql: bool
    server_version: int
    definitions: Mapping[str, str]
    versions: Mapping[str, str]
    has_ledger: bool
    has_tokens: bool
    ledger_version: str | None
    has_unique_key: bool
    is_citus: bool
    users_of_ids: Mapping[str, Mapping[str, str]]
    hidden: tuple[str, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    elsewhere: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    closed: frozenset[str] = frozenset()
    read_only: str | None = None

    @property
    def home(self) -> str | None:
        """The schema of the ledger, else of the product's tables, beside which it belongs; ``None`` without any."""
        names = (LEDGER_VERSION_TABLE, DEPLOYMENTS, DEFINITIONS)
        return next((self.places[name] for name in names if name in self.places), None)

    @property
    def tenant_column(self) -> str | None:
        """``tenant``, ``tenant_id``, or ``None`` where workflows belong to nobody in particular."""
        return tenant_column_of(self.definitions)

    @property
    def version_tenant_column(self) -> str | None:
        """The same of the version rows; without one they belong to their definition's tenant."""
        column = self.tenant_column
        return column if column in self.versions else None

    def missing_columns(self) -> list[str]:
        """Columns that gitsync cannot do without and that aren't there, as ``table.column``."""
        return [
            f"{table}.{column}"
            for table, columns, present in (
                (DEFINITIONS, DEFINITION_COLUMNS, self.definitions),
                (VERSIONS, VERSION_COLUMNS, self.versions),
            )
            for column in needed(columns)
            if column not in present
        ]


def look(connection: Connection) -> Found:
    """What is there; never raises for something missing."""
    is_postgresql = connection.dialect.name == "postgresql"
    rows = (
        connection.execute(_POSTGRES_LOOK, {"tables": list(_TABLES)})
        if is_postgresql
        else connection.execute(_SQLITE_LOOK)
    )
    columns: dict[str, dict[str, str]] = {name: {} for name in _TABLES}
    has_unique_key = is_citus = False
    hidden: list[str] = []
    places: dict[str, str] = {}
    elsewhere: dict[str, tuple[str, ...]] = {}
    closed: set[str] = set()
    read_only = None
    for what, table, item, fact in rows:
        if what == "column" and table in columns:
            columns[table][item] = fact
        elif what == "unique" and table == DEFINITIONS:
            has_unique_key = has_unique_key or _is_key_index(str(fact).split(","))
        elif what == "hidden":
            hidden.append(table)
        elif what == "here":
            places[table] = item
        elif what == "read-only":
            read_only = item
        elif what == "elsewhere":
            elsewhere[table] = (*elsewhere.get(table, ()), item)
            closed |= {item} if fact == "false" else set()
        elif what == "extension":
            is_citus = True
    has_ledger = bool(columns[DEPLOYMENTS] and columns[ITEMS])
    return Found(
        is_postgresql=is_postgresql,
        server_version=_server_version(connection),
        definitions=columns[DEFINITIONS],
        versions=columns[VERSIONS],
        has_ledger=has_ledger,
        has_tokens=bool(columns[TOKENS]),
        ledger_version=_ledger_version(connection) if columns[LEDGER_VERSION_TABLE] else None,
        has_unique_key=has_unique_key,
        is_citus=is_citus,
        users_of_ids={
            name: columns[name]
            for name, described in USERS_OF_IDS.items()
            if columns[name].keys() >= set(needed(described))
        },
        hidden=tuple(sorted(hidden)),
        places=places,
        elsewhere=elsewhere,
        closed=frozenset(closed),
        read_only=read_only,
    )


def check_tables(found: Found) -> None:
    """Raise DatabaseError where the product's tables, or columns that gitsync needs, are missing."""
    missing = [
        name for name, there in ((DEFINITIONS, found.definitions), (VERSIONS, found.versions)) if not there
    ]
    if missing:
        if elsewhere := sorted({schema for name in missing for schema in found.elsewhere.get(name, ())}):
            raise _off_the_path(found, " and ".join(missing), elsewhere, code="MISSING_TABLES")
        raise DatabaseError(
            f"the database has no table {' and no table '.join(missing)}",
            code="MISSING_TABLES",
            details={"tables": missing},
            cure="is this the right database? `gitsync db init` makes the tables in an empty one",
        )
    columns = found.missing_columns()
    if columns:
        raise DatabaseError(
            f"the product's tables lack {', '.join(columns)}",
            code="MISSING_COLUMNS",
            details={"columns": columns},
            cure="the product is older than its bundles (January 2026): update it first",
        )


def check_ledger_place(found: Found) -> None:
    """Raise DatabaseError (MISSING_LEDGER) where the ledger is in a schema that the search path doesn't lead to.

    One beside other tables of the product is theirs.
    """
    if elsewhere := _stray(found, DEPLOYMENTS):
        raise _off_the_path(found, "gitsync's ledger", elsewhere, code="MISSING_LEDGER")


def find_stray_users(found: Found) -> list[DatabaseError]:
    """What is to be said of each table of USERS_OF_IDS that is there, and that no statement finds."""
    strays = {name: _stray(found, name) for name in USERS_OF_IDS}
    return [
        _off_the_path(found, name, schemas, code="MISSING_TABLES")
        for name, schemas in strays.items()
        if schemas
    ]


def _stray(found: Found, table: str) -> list[str]:
    """The schemas that have `table` where the search path leads to none, but for those of another instance."""
    if table in found.places:
        return []
    taken = found.elsewhere.get(DEFINITIONS, ())
    return [schema for schema in found.elsewhere.get(table, ()) if schema not in taken]


def _off_the_path(found: Found, what: str, schemas: Sequence[str], *, code: str) -> DatabaseError:
    """The error for tables that are in `schemas`, where a statement doesn't find them."""
    first = schemas[0]
    own = [found.places[DEFINITIONS]] if DEFINITIONS in found.places else []
    cure = f"end the database's URL with `?options={_search_path_option([*own, first])}`"
    if first in found.closed:
        cure = f"`GRANT USAGE ON SCHEMA {_quoted(first)} TO` the role of the database's URL, and {cure}"
    place = f"{noun_for(len(schemas), 'schema')} {' and '.join(schemas)}"
    return DatabaseError(
        f"{what}: only in the {place}, which the search path doesn't lead to",
        code=code,
        details={"schemas": list(schemas)},
        cure=cure,
    )


def _search_path_option(schemas: Sequence[str]) -> str:
    """The option of a URL that names the search path; libpq separates options by blanks, not behind a backslash."""
    path = ",".join(map(_quoted, schemas)).replace("\\", "\\\\").replace(" ", "\\ ")
    return quote(f"-csearch_path={path}", safe="=,")


def _quoted(name: str) -> str:
    if re.fullmatch("[a-z_][a-z0-9_]*", name):
        return name
    return '"' + name.replace('"', '""') + '"'


def check_tenant(found: Found, tenant: str | None) -> str | None:
    """The tenant in the column's own form; ``None`` where the database has no tenants.

    Raises ConfigError: TENANT_REQUIRED, or INVALID_TENANT where the column is a uuid and the tenant isn't.
    """
    column = found.tenant_column
    if column is None:
        return None
    if not tenant:
        raise ConfigError(
            f"this database keeps workflows per tenant (`{DEFINITIONS}.{column}`), and no tenant is named",
            code="TENANT_REQUIRED",
            cure="set `tenant:` for the environment in gitsync.yaml, or GITSYNC_TENANT",
        )
    return parse_tenant(tenant) if column == "tenant" else tenant


def parse_tenant(tenant: str) -> str:
    """The tenant's uuid in lower case with hyphens; raises ConfigError for anything else."""
    try:
        return str(uuid.UUID(tenant))
    except ValueError:
        raise ConfigError(
            f"the tenant {tenant!r} is not a uuid",
            code="INVALID_TENANT",
            cure="write it as in the product's `tenants` table: 8-4-4-4-12 hexadecimal digits",
        ) from None


def unknown_tenant(tenant: str) -> ConfigError:
    """The error for a tenant without rows where others have some."""
    return ConfigError(
        f"tenant {tenant} has no workflows in this database, others have",
        code="UNKNOWN_TENANT",
        details={"tenant": tenant},
        cure="check the tenant; if it is a new one, `gitsync push --new-tenant`",
    )


def _is_key_index(columns: list[str]) -> bool:
    return "key" in columns and set(columns) <= {"key", *TENANT_COLUMNS}


def _server_version(connection: Connection) -> int:
    numbers = [int(part) for part in connection.dialect.server_version_info or ()]
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return major * 10_000 + minor * 100 + patch


def _ledger_version(connection: Connection) -> str | None:
    version = connection.execute(text(f"SELECT max(version_num) FROM {LEDGER_VERSION_TABLE}")).scalar()  # noqa: S608
    return None if version is None else str(version)
