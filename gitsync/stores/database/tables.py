"""The tables as SQLAlchemy sees them, made from what was found; every condition on a tenant comes from here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, assert_never
from weakref import WeakKeyDictionary

import orjson
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    DateTime,
    Engine,
    Integer,
    MetaData,
    Numeric,
    Table,
    Text,
    Uuid,
    bindparam,
    cast,
    func,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine

from gitsync.stores.database.product import DEFINITIONS, VERSIONS, Kind, kind_of
from gitsync.stores.database.schema import DEPLOYMENTS, ITEMS, TOKENS, Found


class JsonbText(TypeDecorator[str]):
    """A jsonb column that is written and read as text, so that numbers keep every digit."""

    impl = Text
    cache_ok = True

    def bind_expression(self, bindvalue: Any) -> ColumnElement[Any]:
        """The text, parsed by the server."""
        return cast(bindvalue, JSONB)

    def column_expression(self, colexpr: Any) -> ColumnElement[Any]:
        """The server's own text of the value."""
        return cast(colexpr, Text)


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one database, for one tenant.

    tenant: in the column's own form, ``None`` where the product's tables have no tenant.
    users_of_ids: by name, the tables there that name workflows by their ids.
    """

    found: Found
    tenant: str | None
    definitions: Table
    versions: Table
    deployments: Table
    items: Table
    tokens: Table
    users_of_ids: Mapping[str, Table]

    @property
    def ledger_tenant(self) -> str:
        """The tenant as the ledger writes it, empty where there is none."""
        return self.tenant or ""

    def owned(self) -> ColumnElement[bool]:
        """The condition that a definition belongs to the tenant."""
        column = self.found.tenant_column
        return true() if column is None else self.definitions.c[column] == self.tenant

    def owned_versions(self) -> ColumnElement[bool]:
        """The condition that a version row belongs to the tenant."""
        column = self.found.version_tenant_column
        if column is not None:
            return self.versions.c[column] == self.tenant
        if self.found.tenant_column is None:
            return true()
        return self.versions.c.workflow_id.in_(select(self.definitions.c.workflow_id).where(self.owned()))

    def owned_items(self) -> ColumnElement[bool]:
        """The condition that an item of the ledger belongs to the tenant."""
        return self.items.c.tenant == self.ledger_tenant

    def owned_users(self, table: Table) -> ColumnElement[bool]:
        """The condition that a row of `users_of_ids` may belong to the tenant: it names it, or nobody."""
        column = self.found.tenant_column
        if column is None or column not in table.c:
            return true()
        return (table.c[column] == self.tenant) | table.c[column].is_(None)

    def joined(self) -> ColumnElement[bool]:
        """The condition that ties a version row to its definition."""
        condition = self.versions.c.workflow_id == self.definitions.c.workflow_id
        column = self.found.version_tenant_column
        return (
            condition
            if column is None
            else condition & (self.versions.c[column] == self.definitions.c[column])
        )

    def among(self, column: Column[Any], values: Collection[str]) -> ColumnElement[bool]:
        """The condition that `column` is one of `values`, which travel as one parameter."""
        if self.found.is_postgresql:
            return column == func.any(bindparam(None, sorted(values), type_=ARRAY(column.type)))
        given = func.json_each(orjson.dumps(sorted(values)).decode()).table_valued("value")
        return column.in_(select(given.c.value))

    def ordered(self, column: Column[Any]) -> ColumnElement[Any]:
        """`column` in the order of Python's strings, whatever the server's locale."""
        if self.found.is_postgresql and isinstance(column.type, Text):
            return column.collate("C")
        return column

    def as_text(self, column: Column[Any]) -> ColumnElement[Any]:
        """`column` as the server's own text of it, so that the driver parses nothing."""
        if self.found.is_postgresql and not isinstance(column.type, Text):
            return cast(column, Text).label(column.name)
        return column

    def now(self) -> ColumnElement[Any]:
        """The time of the transaction, by the database's clock."""
        if self.found.is_postgresql:
            return func.now()
        return func.strftime("%Y-%m-%d %H:%M:%f", "now")


_BUILT: Final[WeakKeyDictionary[Engine, Tables]] = WeakKeyDictionary()
"""The tables that each engine was asked for last."""


def tables_of(connection: Connection, found: Found, tenant: str | None) -> Tables:
    """`make_tables`, once an engine, and again only where something else is found than before.

    SQLAlchemy keeps what it has compiled by the tables in it: with new ones every statement is a new one.
    """
    built = _BUILT.get(connection.engine)
    if built is None or (built.found, built.tenant) != (found, tenant):
        built = _BUILT[connection.engine] = make_tables(found, tenant)
    return built


def make_tables(found: Found, tenant: str | None) -> Tables:
    """The tables as `found` describes them; `tenant` is what `check_tenant` gave."""
    metadata = MetaData()
    time = type_of(Kind.TIME, is_postgresql=found.is_postgresql)
    users = {name: _product_table(name, metadata, held, found) for name, held in found.users_of_ids.items()}
    return Tables(
        users_of_ids=users,
        found=found,
        tenant=tenant,
        definitions=_product_table(DEFINITIONS, metadata, found.definitions, found),
        versions=_product_table(VERSIONS, metadata, found.versions, found),
        deployments=Table(
            DEPLOYMENTS,
            metadata,
            Column("tenant", Text, primary_key=True),
            Column("number", BigInteger, primary_key=True),
            Column("kind", Text, nullable=False),
            Column("environment", Text, nullable=False),
            Column("commit_id", Text),
            Column("actor", Text),
            Column("tool_version", Text, nullable=False),
            Column("created_at", time),
        ),
        items=Table(
            ITEMS,
            metadata,
            Column("tenant", Text, primary_key=True),
            Column("number", BigInteger, primary_key=True),
            Column("key", Text, primary_key=True),
            Column("kind", Text, nullable=False),
            Column("action", Text),
            Column("commit_id", Text),
            Column("digest", Text),
            Column("replaced_digest", Text),
            Column("is_write", Boolean, nullable=False),
            Column("replaced_document", Text),
            Column("replaced_workflow_id", Text),
            Column("workflow_id", Text),
        ),
        tokens=Table(
            TOKENS,
            metadata,
            *(Column(name, Text) for name in ("tenant", "id", "name", "role", "hash")),
            *(Column(name, time) for name in ("created_at", "revoked_at")),
        ),
    )


def _product_table(name: str, metadata: MetaData, columns: Mapping[str, str], found: Found) -> Table:
    return Table(
        name,
        metadata,
        *(Column(column, type_of(kind_of(column), is_postgresql=found.is_postgresql)) for column in columns),
    )


def type_of(kind: Kind, *, is_postgresql: bool) -> TypeEngine[Any]:
    """Return the type of a column that holds `kind`; SQLite keeps ids, JSON and times as text."""
    match kind:
        case Kind.TEXT:
            return Text()
        case Kind.ID:
            return Uuid(as_uuid=False) if is_postgresql else Text()
        case Kind.JSON:
            return JsonbText() if is_postgresql else Text()
        case Kind.NUMBER:
            return Integer()
        case Kind.FLAG:
            return Boolean()
        case Kind.SHARE:
            return Numeric(5, 2, asdecimal=False)
        case Kind.TIME:
            return DateTime(timezone=True) if is_postgresql else Text()
        case _:
            assert_never(kind)
