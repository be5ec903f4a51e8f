"""What `gitsync db init` makes: the ledger, and in an empty database the product's tables. Never a change of those."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    Engine,
    ForeignKey,
    Index,
    MetaData,
    Table,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from gitsync.stores.database.connect import mask_url, writing
from gitsync.stores.database.faults import translated
from gitsync.stores.database.lock import lock
from gitsync.stores.database.product import (
    DEFINITION_COLUMNS,
    DEFINITIONS,
    TENANT_COLUMNS,
    VERSION_COLUMNS,
    VERSIONS,
    Kind,
    ProductColumn,
)
from gitsync.stores.database.schema import (
    LEDGER_VERSION,
    Found,
    check_ledger_place,
    check_tables,
    check_tenant,
    look,
    parse_tenant,
)
from gitsync.stores.database.tables import type_of


def init_database(engine: Engine, *, tenant: str | None) -> list[str]:
    """What was made, in words, empty where nothing was missing.

    The product's tables are made only where no schema has them, with a tenant column if `tenant` is given.
    """
    address = mask_url(engine.url.render_as_string(hide_password=False))
    with translated(address), writing(engine) as connection:
        lock(connection, tenant="gitsync db init", address=address)
        found = look(connection)
        made: list[str] = []
        check_ledger_place(found)
        if not (found.definitions or found.versions or {DEFINITIONS, VERSIONS} & found.elsewhere.keys()):
            _make_product_tables(connection, has_tenant=bool(tenant and parse_tenant(tenant)))
            made += [f"table {DEFINITIONS}", f"table {VERSIONS}"]
        else:
            check_tables(found)
            check_tenant(found, tenant)
        made += _migrate(connection, found)
    return made


def _migrate(connection: Connection, found: Found) -> list[str]:
    """Bring the ledger to the newest version; Alembic is imported here, since nothing else needs it."""
    if found.has_ledger and found.ledger_version is not None and found.ledger_version >= LEDGER_VERSION:
        return []
    from alembic import command
    from alembic.config import Config

    if found.home is not None:  # the search path may begin with a schema of the role's own
        name = connection.dialect.identifier_preparer.quote(found.home)
        connection.exec_driver_sql(f"SET LOCAL search_path TO {name}")
    config = Config()
    config.set_main_option("script_location", "gitsync.stores.database:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return [f"ledger, version {LEDGER_VERSION}"]


def _make_product_tables(connection: Connection, *, has_tenant: bool) -> None:
    metadata = MetaData()
    is_postgresql = connection.dialect.name == "postgresql"
    new_id = func.gen_random_uuid() if is_postgresql else None
    now = func.now() if is_postgresql else text("(strftime('%Y-%m-%d %H:%M:%f', 'now'))")
    defaults = dict.fromkeys(("created_at", "updated_at"), now)
    tenant = [ProductColumn(TENANT_COLUMNS[0], Kind.ID)] if has_tenant else []

    def make_column(described: ProductColumn, *constraints: ForeignKey, is_primary: bool) -> Column[Any]:
        is_json = is_postgresql and described.kind is Kind.JSON
        default: Any = described.default
        if default is not None and described.kind is Kind.FLAG:
            default = text(default)
        return Column(
            described.name,
            JSONB() if is_json else type_of(described.kind, is_postgresql=is_postgresql),
            *constraints,
            primary_key=is_primary,
            nullable=not described.has_value,
            server_default=new_id if is_primary else defaults.get(described.name, default),
        )

    definitions = Table(
        DEFINITIONS,
        metadata,
        *(
            make_column(described, is_primary=described.name == "workflow_id")
            for described in (*DEFINITION_COLUMNS, *tenant)
        ),
        *([] if is_postgresql else [CheckConstraint("failure_rate_threshold < 1000")]),
    )
    Index(
        f"{DEFINITIONS}_tenant_key_unique" if has_tenant else f"{DEFINITIONS}_key_unique",
        *(definitions.c[described.name] for described in tenant),
        definitions.c.key,
        unique=True,
    )
    of_definition = ForeignKey(definitions.c.workflow_id, ondelete="CASCADE")
    Table(
        VERSIONS,
        metadata,
        *(
            make_column(
                described,
                *([of_definition] if described.name == "workflow_id" else []),
                is_primary=described.name == "version_id",
            )
            for described in (*VERSION_COLUMNS, *tenant)
        ),
        UniqueConstraint("workflow_id", "version", name=f"{VERSIONS}_workflow_version_unique"),
    )
    metadata.create_all(connection, checkfirst=False)
