"""The product's tables as its own migrations leave them, and the tenants in them."""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

TENANT = "11111111-1111-4111-8111-111111111111"
OTHER_TENANT = "22222222-2222-4222-8222-222222222222"
ACTOR = "6f1b0d52-5a51-4d3c-8a8e-0c9d2f7e4b11"
"""A user of the product, as whom workflows are created."""


class Generation(enum.StrEnum):
    """The shapes of the product's tables that exist in the field."""

    SEED = "seed"
    TENANT_ID = "tenant_id"
    CURRENT = "current"
    CURRENT_UNIQUE = "current-unique"

    @property
    def tenant(self) -> str | None:
        """The tenant that tests work as, ``None`` where the tables have none."""
        return None if self is Generation.SEED else TENANT

    @property
    def tenant_column(self) -> str | None:
        """The definitions' column for it."""
        return {Generation.SEED: None, Generation.TENANT_ID: "tenant_id"}.get(self, "tenant")


_DEFINITIONS = """
CREATE TABLE workflow_definitions (
    workflow_id {uuid} PRIMARY KEY {new_id},
    name text NOT NULL,
    description text,
    payload_schema_ref text NOT NULL,
    "trigger" {json},
    draft_definition {json} NOT NULL,
    draft_version integer NOT NULL DEFAULT 1,
    status text NOT NULL DEFAULT 'draft',
    created_by {uuid},
    updated_by {uuid},
    created_at {time} NOT NULL DEFAULT {now},
    updated_at {time} NOT NULL DEFAULT {now},
    is_system boolean NOT NULL DEFAULT false,
    is_visible boolean NOT NULL DEFAULT true,
    is_paused boolean NOT NULL DEFAULT false,
    concurrency_limit integer,
    auto_pause_on_failure boolean NOT NULL DEFAULT false,
    failure_rate_threshold numeric(5,2) DEFAULT 0.5,
    failure_rate_min_runs integer DEFAULT 10,
    retention_policy_override {json},
    validation_status text,
    validation_errors {json},
    validation_warnings {json},
    validated_at {time},
    payload_schema_mode text NOT NULL DEFAULT 'pinned',
    pinned_payload_schema_ref text,
    payload_schema_provenance text,
    validation_context_json {json},
    validation_payload_schema_hash text,
    "key" text
    {tenant}
)"""
_VERSIONS = """
CREATE TABLE workflow_definition_versions (
    version_id {uuid} PRIMARY KEY {new_id},
    workflow_id {uuid} NOT NULL REFERENCES workflow_definitions (workflow_id) ON DELETE CASCADE,
    version integer NOT NULL,
    definition_json {json} NOT NULL,
    payload_schema_json {json},
    validation_status text,
    validation_errors {json},
    validation_warnings {json},
    validated_at {time},
    published_by {uuid},
    published_at {time},
    created_at {time} NOT NULL DEFAULT {now},
    updated_at {time} NOT NULL DEFAULT {now}
    {version_tenant},
    CONSTRAINT workflow_definition_versions_workflow_version_unique UNIQUE (workflow_id, version)
)"""
_RUNS = """
CREATE TABLE workflow_runs (
    run_id {uuid} PRIMARY KEY {new_id},
    workflow_id {uuid} NOT NULL REFERENCES workflow_definitions (workflow_id) ON DELETE CASCADE,
    workflow_version integer NOT NULL,
    status text NOT NULL,
    started_at {time} NOT NULL DEFAULT {now},
    updated_at {time} NOT NULL DEFAULT {now}
    {run_tenant}
)"""
_SCHEDULES = """
CREATE TABLE tenant_workflow_schedule (
    id {uuid} PRIMARY KEY {new_id},
    workflow_id {uuid} NOT NULL,
    workflow_version integer NOT NULL,
    trigger_type varchar(32) NOT NULL,
    status varchar(32) NOT NULL DEFAULT 'scheduled',
    name text NOT NULL
    {version_tenant}
)"""
_WEBHOOKS = """
CREATE TABLE inbound_webhooks (
    inbound_webhook_id {uuid} PRIMARY KEY {new_id},
    handler_config {json} NOT NULL
    {version_tenant}
)"""
_WAITS = """
CREATE TABLE workflow_run_waits (
    run_id {uuid} NOT NULL,
    step_path text,
    wait_type text,
    event_name text,
    "key" text,
    status text
)"""
_TABLES = {
    "workflow_definitions": _DEFINITIONS,
    "workflow_definition_versions": _VERSIONS,
    "workflow_runs": _RUNS,
    "tenant_workflow_schedule": _SCHEDULES,
    "inbound_webhooks": _WEBHOOKS,
    "workflow_run_waits": _WAITS,
}
USUAL = tuple(name for name in _TABLES if name != "workflow_run_waits")
_TENANT_COLUMNS = {
    Generation.SEED: {"tenant": "", "version_tenant": "", "run_tenant": ", tenant_id text"},
    Generation.TENANT_ID: {
        "tenant": ", tenant_id text NOT NULL",
        "version_tenant": "",
        "run_tenant": ", tenant_id text",
    },
}
_TENANT_EVERYWHERE = dict.fromkeys(("tenant", "version_tenant", "run_tenant"), ", tenant {uuid}")
_INDEXES = {
    Generation.SEED: ['CREATE UNIQUE INDEX workflow_definitions_key_unique ON workflow_definitions ("key")'],
    Generation.TENANT_ID: [
        """CREATE UNIQUE INDEX workflow_definitions_tenant_key_unique
           ON workflow_definitions (tenant_id, "key") WHERE "key" IS NOT NULL"""
    ],
    Generation.CURRENT: [
        "CREATE INDEX workflow_definitions_tenant_name ON workflow_definitions (tenant, name)"
    ],
    Generation.CURRENT_UNIQUE: [
        """CREATE UNIQUE INDEX workflow_definitions_tenant_key_unique
           ON workflow_definitions (tenant, "key") WHERE "key" IS NOT NULL"""
    ],
}
_POSTGRES = {
    "uuid": "uuid",
    "json": "jsonb",
    "time": "timestamptz",
    "now": "now()",
    "new_id": "DEFAULT gen_random_uuid()",
}
_SQLITE = {
    "uuid": "text",
    "json": "text",
    "time": "text",
    "now": "(strftime('%Y-%m-%d %H:%M:%f', 'now'))",
    "new_id": "",
}


def plain_engine(url: str) -> Engine:
    """An engine outside gitsync that keeps no connection; makes the SQLite file if there is none."""
    engine = create_engine(make_url(url), poolclass=NullPool)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def connect(connection: Any, record: object) -> None:
            connection.execute("PRAGMA foreign_keys = ON")

    return engine


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A connection outside gitsync, committed at the end."""
    with plain_engine(url).begin() as connection:
        yield connection


def make_product_tables(url: str, generation: Generation, *, names: Collection[str] = USUAL) -> None:
    """The tables of `generation` in a database that has none of `names`."""
    with connected(url) as connection:
        words = _POSTGRES if connection.dialect.name == "postgresql" else _SQLITE
        tenants = _TENANT_COLUMNS.get(generation, _TENANT_EVERYWHERE)
        words = words | {name: column.format(**words) for name, column in tenants.items()}
        for name in names:
            connection.execute(text(_TABLES[name].format(**words)))
        for statement in _INDEXES[generation] if "workflow_definitions" in names else ():
            connection.execute(text(statement))
