"""What `gitsync db init` makes: the ledger, and in an empty database the product's tables. Never a change of those."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    DateTime,
    Engine,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import Boolean, TypeEngine

from gitsync.stores.database.connect import mask_url, writing
from gitsync.stores.database.faults import translated
from gitsync.stores.database.lock import lock
from gitsync.stores.database.schema import (
    DEFINITIONS,
    LEDGER_VERSION,
    VERSIONS,
    Found,
    check_ledger_place,
    check_tables,
    check_tenant,
    look,
    parse_tenant,
)


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
    identity: TypeEngine[str] = Uuid(as_uuid=False) if is_postgresql else Text()
    json: TypeEngine[str] = JSONB() if is_postgresql else Text()
    time: TypeEngine[object] = DateTime(timezone=True) if is_postgresql else Text()  # type: ignore[assignment]
    new_id = func.gen_random_uuid() if is_postgresql else None
    now = func.now() if is_postgresql else text("(strftime('%Y-%m-%d %H:%M:%f', 'now'))")

    def tenant() -> list[Column[str]]:
        return [Column("tenant", identity)] if has_tenant else []

    def times() -> list[Column[object]]:
        return [
            Column(name, time, nullable=False, server_default=now) for name in ("created_at", "updated_at")
        ]

    def verdict() -> list[Column[object]]:
        return [
            Column("validation_status", Text),
            Column("validation_errors", json),
            Column("validation_warnings", json),
            Column("validated_at", time),
        ]

    def flag(name: str, *, default: bool) -> Column[bool]:
        return Column(name, Boolean, nullable=False, server_default=text(str(default).lower()))

    definitions = Table(
        DEFINITIONS,
        metadata,
        Column("workflow_id", identity, primary_key=True, server_default=new_id),
        Column("key", Text),
        Column("name", Text, nullable=False),
        Column("description", Text),
        Column("payload_schema_ref", Text, nullable=False),
        Column("payload_schema_mode", Text, nullable=False, server_default="pinned"),
        Column("pinned_payload_schema_ref", Text),
        Column("payload_schema_provenance", Text),
        Column("trigger", json),
        Column("draft_definition", json, nullable=False),
        Column("draft_version", Integer, nullable=False, server_default="1"),
        Column("status", Text, nullable=False, server_default="draft"),
        flag("is_system", default=False),
        flag("is_visible", default=True),
        flag("is_paused", default=False),
        Column("concurrency_limit", Integer),
        flag("auto_pause_on_failure", default=False),
        Column("failure_rate_threshold", Numeric(5, 2), server_default="0.5"),
        Column("failure_rate_min_runs", Integer, server_default="10"),
        Column("retention_policy_override", json),
        *verdict(),
        Column("validation_context_json", json),
        Column("validation_payload_schema_hash", Text),
        Column("created_by", identity),
        Column("updated_by", identity),
        *times(),
        *tenant(),
        *([] if is_postgresql else [CheckConstraint("failure_rate_threshold < 1000")]),
    )
    Index(
        "workflow_definitions_tenant_key_unique" if has_tenant else "workflow_definitions_key_unique",
        *([definitions.c.tenant] if has_tenant else []),
        definitions.c.key,
        unique=True,
    )
    Table(
        VERSIONS,
        metadata,
        Column("version_id", identity, primary_key=True, server_default=new_id),
        Column(
            "workflow_id", identity, ForeignKey(definitions.c.workflow_id, ondelete="CASCADE"), nullable=False
        ),
        Column("version", Integer, nullable=False),
        Column("definition_json", json, nullable=False),
        Column("payload_schema_json", json),
        *verdict(),
        Column("published_by", identity),
        Column("published_at", time),
        *times(),
        *tenant(),
        UniqueConstraint(
            "workflow_id", "version", name="workflow_definition_versions_workflow_version_unique"
        ),
    )
    metadata.create_all(connection, checkfirst=False)
