"""What the role of a PostgreSQL connection may do with the product's tables and gitsync's own."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text

from gitsync.stores.database.product import DEFINITIONS, USERS_OF_IDS, VERSIONS
from gitsync.stores.database.schema import DEPLOYMENTS, ITEMS, LEDGER_VERSION_TABLE
from gitsync.stores.database.tables import Tables

READING: Final[Mapping[str, Sequence[str]]] = {
    DEFINITIONS: ("SELECT",),
    VERSIONS: ("SELECT",),
    DEPLOYMENTS: ("SELECT",),
    ITEMS: ("SELECT",),
    LEDGER_VERSION_TABLE: ("SELECT",),
}
WRITING: Final[Mapping[str, Sequence[str]]] = {
    DEFINITIONS: ("INSERT", "UPDATE", "DELETE"),
    VERSIONS: ("INSERT", "UPDATE", "DELETE"),
    **dict.fromkeys(USERS_OF_IDS, ("SELECT",)),
    DEPLOYMENTS: ("INSERT",),
    ITEMS: ("INSERT",),
}

_TABLE_RIGHTS: Final = text("""
    SELECT t.name, p.name FROM unnest(CAST(:tables AS text[]), CAST(:rights AS text[])) AS p (tab, name)
      JOIN LATERAL (SELECT p.tab AS name, to_regclass(p.tab) AS oid) t ON t.oid IS NOT NULL
     WHERE NOT has_table_privilege(t.oid, p.name)
       AND NOT (p.name = 'SELECT' AND has_any_column_privilege(t.oid, 'SELECT'))
""")
_ROLE: Final = text("""
    SELECT current_user AS name, schema, COALESCE(has_schema_privilege(schema, 'CREATE'), false) AS may_create
      FROM (SELECT COALESCE(CAST(:home AS text), current_schema()) AS schema) home
""")


_POLICIES: Final = text("""
    SELECT t.name, p.polpermissive AS is_permissive, pg_get_expr(p.polqual, p.polrelid) AS condition
      FROM unnest(CAST(:tables AS text[])) AS t (name)
      LEFT JOIN pg_policy p ON p.polrelid = to_regclass(t.name) AND p.polcmd IN ('r', '*')
       AND EXISTS (SELECT FROM unnest(p.polroles) AS r (oid) WHERE r.oid = 0 OR pg_has_role(r.oid, 'USAGE'))
     WHERE row_security_active(to_regclass(t.name)::oid)
""")
_FIXED: Final = re.compile(r"\(*(\w+)\)?(?:::text)? = '([^']*)'::(?:uuid|text|character varying)\)*")
"""A condition as the server writes it that one column has one value."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What a role lacks; tables that aren't there need no rights.

    missing: table → rights.
    """

    role: str
    schema: str
    may_create: bool
    missing: Mapping[str, Sequence[str]]

    def lacking(self, wanted: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
        """The pairs (right, table) of `wanted` that are missing, in that order."""
        return [
            (right, table)
            for table, rights in wanted.items()
            for right in rights
            if right in self.missing.get(table, ())
        ]

    def grants(self, lacking: Collection[tuple[str, str]]) -> list[str]:
        """What to grant to cure what is lacking, as ``INSERT, UPDATE ON table, table``."""
        tables: dict[str, list[str]] = {}
        for right, table in lacking:
            tables.setdefault(table, []).append(right)
        together: dict[str, list[str]] = {}
        for table, rights in tables.items():
            together.setdefault(", ".join(rights), []).append(table)
        return [f"{rights} ON {', '.join(names)}" for rights, names in together.items()]


def find_hiding(connection: Connection, tables: Tables) -> list[str]:
    """Those of the product's two tables of which row-level security may hide rows of the tenant from the role.

    A table is shown whole where one policy shows all rows, or exactly those of the tenant, and none that restricts
    it shows less.
    """
    if not tables.found.is_postgresql:
        return []
    columns = {DEFINITIONS: tables.found.tenant_column, VERSIONS: tables.found.version_tenant_column}
    permissive: dict[str, list[bool]] = {}
    restrictive: dict[str, list[bool]] = {}
    for name, is_permissive, condition in connection.execute(_POLICIES, {"tables": [*columns]}):
        shows_all = _shows_all(condition, columns[name], tables.tenant)
        permissive.setdefault(name, []).append(bool(is_permissive) and shows_all)
        restrictive.setdefault(name, []).append(is_permissive is not False or shows_all)
    return [name for name in permissive if not any(permissive[name]) or not all(restrictive[name])]


def _shows_all(condition: str | None, tenant_column: str | None, tenant: str | None) -> bool:
    """Whether a policy's condition is met by each row of the tenant: it is ``true``, or names the tenant."""
    if condition == "true":
        return True
    fixed = _FIXED.fullmatch(condition or "")
    return fixed is not None and tenant is not None and fixed.groups() == (tenant_column, tenant)


def read_rights(connection: Connection, *, home: str | None) -> Rights:
    """The rights of the connection's role; `home` is the schema where the ledger belongs."""
    pairs = [(table, right) for wanted in (READING, WRITING) for table in wanted for right in wanted[table]]
    tables, rights = zip(*pairs, strict=True)
    role = connection.execute(_ROLE, {"home": home}).one()
    missing: dict[str, list[str]] = {}
    for table, right in connection.execute(_TABLE_RIGHTS, {"tables": [*tables], "rights": [*rights]}):
        missing.setdefault(table, []).append(right)
    return Rights(role.name, role.schema or "", role.may_create, missing)
