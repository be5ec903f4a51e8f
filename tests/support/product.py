"""The product's tables as its own migrations leave them, and an editor that writes them as the product does."""

from __future__ import annotations

import enum
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from gitsync.stores.database.connect import make_engine
from gitsync.stores.database.init import init_database
from gitsync.stores.database.store import Database
from gitsync.sync.model import Action, Applied, Change, Deployment, MarkKind
from gitsync.sync.usage import Protection
from gitsync.workflow.canonical import document_digest
from gitsync.workflow.document import make_document
from gitsync.workflow.types import Digest, Document, Key

TENANT = "3f0e8a52-7c1b-4d7e-9a55-6b1f2c8d9e01"
OTHER_TENANT = "9d6c2b1a-0f4e-4c3d-8b7a-1e2f3a4b5c6d"


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


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A connection outside gitsync, committed at the end; makes the SQLite file if there is none."""
    engine = create_engine(make_url(url), poolclass=NullPool)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def connect(connection: Any, record: object) -> None:
            connection.execute("PRAGMA foreign_keys = ON")

    with engine.begin() as connection:
        yield connection


def make_product_tables(url: str, generation: Generation) -> None:
    """The tables of `generation` in an empty database."""
    with connected(url) as connection:
        words = _POSTGRES if connection.dialect.name == "postgresql" else _SQLITE
        tenants = _TENANT_COLUMNS.get(generation, _TENANT_EVERYWHERE)
        words = words | {name: column.format(**words) for name, column in tenants.items()}
        for statement in (_DEFINITIONS, _VERSIONS, _RUNS, _SCHEDULES, _WEBHOOKS):
            connection.execute(text(statement.format(**words)))
        for statement in _INDEXES[generation]:
            connection.execute(text(statement))


class Editor:
    """Edits one tenant's workflows row by row, as the product's own editor does, knowing nothing of gitsync."""

    def __init__(self, url: str, *, generation: Generation, tenant: str | None = None) -> None:
        self.url = url
        self.generation = generation
        self.tenant = tenant or generation.tenant

    def create(
        self,
        key: str | None,
        *,
        name: str = "A workflow",
        definition: Mapping[str, Any] | None = None,
        versions: Mapping[int, Mapping[str, Any]] | None = None,
        **columns: Any,
    ) -> str:
        """The id of a new workflow; `columns` are the row's own, JSON ones as text."""
        workflow_id = columns.pop("workflow_id", None) or str(uuid.uuid4())
        draft: dict[str, Any] = {
            "id": workflow_id,
            "version": 1,
            "name": name,
            "payloadSchemaRef": "payload.Empty.v1",
            "steps": [],
        }
        row = {
            "workflow_id": workflow_id,
            "key": key,
            "name": name,
            "payload_schema_ref": "payload.Empty.v1",
            "draft_definition": json.dumps(draft | dict(definition or {})),
        }
        row |= {"status": "published" if versions else "draft"} | self._own("workflow_definitions") | columns
        self._insert("workflow_definitions", row)
        for number, published in (versions or {}).items():
            self.publish(workflow_id, number, draft | {"version": number} | dict(published))
        return workflow_id

    def publish(
        self, workflow_id: str, version: int, definition: Mapping[str, Any], schema: str | None = None
    ) -> str:
        """The version row's id."""
        version_id = str(uuid.uuid4())
        row = {
            "version_id": version_id,
            "workflow_id": workflow_id,
            "version": version,
            "definition_json": json.dumps(definition),
            "payload_schema_json": schema,
        }
        self._insert("workflow_definition_versions", row | self._own("workflow_definition_versions"))
        return version_id

    def edit(self, key: str, **columns: Any) -> None:
        """Set columns of the workflow; JSON ones as text."""
        sets = ", ".join(f'"{name}" = {self._bound(name)}' for name in columns)
        with connected(self.url) as connection:
            where, values = self._where()
            changed = connection.execute(
                text(f'UPDATE workflow_definitions SET {sets} WHERE "key" = :of_key {where}'),
                columns | values | {"of_key": key},
            )
            assert changed.rowcount == 1, f"there is no workflow {key} to edit"

    def delete(self, key: str) -> None:
        """Delete the workflow, its versions and its runs."""
        where, values = self._where()
        self.execute(f'DELETE FROM workflow_definitions WHERE "key" = :of_key {where}', of_key=key, **values)

    def start_run(self, workflow_id: str, *, version: int = 1, status: str = "RUNNING") -> None:
        """A run of one version."""
        row = {
            "run_id": str(uuid.uuid4()),
            "workflow_id": workflow_id,
            "workflow_version": version,
            "status": status,
        }
        self._insert("workflow_runs", row)

    def schedule(self, workflow_id: str, *, status: str = "scheduled") -> None:
        """A schedule that starts the workflow."""
        row = {
            "id": str(uuid.uuid4()),
            "workflow_id": workflow_id,
            "workflow_version": 1,
            "trigger_type": "recurring",
            "status": status,
            "name": "Nightly",
        }
        self._insert("tenant_workflow_schedule", row | self._own("tenant_workflow_schedule"))

    def hook(self, workflow_id: str) -> None:
        """An inbound webhook that starts the workflow."""
        row = {
            "inbound_webhook_id": str(uuid.uuid4()),
            "handler_config": json.dumps({"workflow_id": workflow_id}),
        }
        self._insert("inbound_webhooks", row | self._own("inbound_webhooks"))

    def rows(self, table: str = "workflow_definitions") -> list[dict[str, Any]]:
        """All rows of `table`, ids and JSON as text, whoever's they are."""
        with connected(self.url) as connection:
            found = connection.execute(text(f"SELECT * FROM {table}")).mappings()
            rows = [
                {name: str(v) if isinstance(v, uuid.UUID) else v for name, v in row.items()} for row in found
            ]
        return sorted(rows, key=lambda row: str(list(row.values())))

    def row(self, key: str) -> dict[str, Any]:
        """The one row of `key`."""
        (row,) = [row for row in self.rows() if row["key"] == key]
        return row

    def execute(self, statement: str, **values: Any) -> None:
        """Any statement."""
        with connected(self.url) as connection:
            connection.execute(text(statement), values)

    def _own(self, table: str) -> dict[str, str | None]:
        column = self.generation.tenant_column
        has_column = column == "tenant" or (column is not None and table == "workflow_definitions")
        return {column: self.tenant} if column and has_column else {}

    def _where(self) -> tuple[str, dict[str, str | None]]:
        column = self.generation.tenant_column
        return (f"AND {column} = :own_tenant", {"own_tenant": self.tenant}) if column else ("", {})

    def _insert(self, table: str, row: Mapping[str, Any]) -> None:
        names = ", ".join(f'"{name}"' for name in row)
        values = ", ".join(self._bound(name) for name in row)
        self.execute(f"INSERT INTO {table} ({names}) VALUES ({values})", **row)

    def _bound(self, name: str) -> str:
        """The parameter of a column, as JSON where it is."""
        is_json = name.endswith(("_json", "definition", "_errors", "_warnings")) or name in (
            "trigger",
            "retention_policy_override",
            "handler_config",
        )
        return f"CAST(:{name} AS jsonb)" if is_json and not self.url.startswith("sqlite") else f":{name}"


def call_step(workflow_id: str, *, step_id: str = "call", version: int = 1) -> dict[str, Any]:
    """A step that calls another workflow."""
    return {
        "id": step_id,
        "type": "control.callWorkflow",
        "workflowId": workflow_id,
        "workflowVersion": version,
    }


def steps(*items: Mapping[str, Any]) -> dict[str, Sequence[Mapping[str, Any]]]:
    """The part of a definition that holds steps."""
    return {"steps": list(items)}


COMMIT = "c" * 40


@dataclass(frozen=True, slots=True)
class Instance:
    """One database with the product's tables, and the ledger."""

    url: str
    generation: Generation
    editor: Editor

    def open(self, *, in_place: bool = False, **options: Any) -> Database:
        """The database's side, to be entered."""
        facts = {"environment": "test", "tenant": self.generation.tenant, "actor": None, "command": "push"}
        return Database(self.url, **(facts | {"in_place": in_place} | options))

    def digests(self) -> dict[Key, Digest]:
        """What the database holds."""
        with self.open(new_tenant=True) as database:
            return dict(database.snapshot().digests)

    def push(
        self,
        *documents: Document,
        delete: Sequence[str] = (),
        in_place: bool = False,
        protection: Protection | None = None,
        **options: Any,
    ) -> Applied:
        """Apply what makes the database hold `documents`, and no more the workflows of `delete`."""
        held = self.digests()
        with self.open(in_place=in_place, new_tenant=True, **options) as database:
            return database.apply(
                changes_to(held, *documents, delete=delete),
                [(document["key"], document) for document in by_key(documents)],
                Deployment(MarkKind.PUSH, COMMIT, protection=protection or Protection()),
            )

    def everything(self) -> dict[str, list[dict[str, Any]]]:
        """All rows of all tables, to compare the database with itself."""
        tables = (
            "workflow_definitions",
            "workflow_definition_versions",
            "workflow_runs",
            "gitsync_deployments",
            "gitsync_deployment_items",
        )
        return {table: self.editor.rows(table) for table in tables}


def make_instance(url: str, generation: Generation, *, has_ledger: bool = True) -> Instance:
    """An instance of `generation` in an empty database."""
    make_product_tables(url, generation)
    if has_ledger:
        engine = make_engine(url, command="db init", lock_timeout=5, create=True)
        init_database(engine, tenant=generation.tenant)
        engine.dispose()
    return Instance(url, generation, Editor(url, generation=generation))


def by_key(documents: Sequence[Document]) -> list[Document]:
    """`documents` in the order in which a side wants them."""
    return sorted(documents, key=lambda document: str(document["key"]))


def changes_to(
    held: Mapping[Key, Digest], *documents: Document, delete: Sequence[str] = ()
) -> tuple[Change, ...]:
    """The changes that lead from `held` to `documents`."""
    changes = [Change(Key(key), Action.DELETE, held[Key(key)], None) for key in delete]
    for document in documents:
        before = held.get(document["key"])
        action = Action.CREATE if before is None else Action.UPDATE
        changes.append(Change(document["key"], action, before, document_digest(document)))
    return tuple(sorted(changes))


def make_workflow(
    key: str,
    *,
    draft: Mapping[str, Any] | None = None,
    versions: Mapping[int, Mapping[str, Any]] | None = None,
    **metadata: Any,
) -> Document:
    """A document in normal form; `draft` and `versions` add to a minimal definition."""
    settings: dict[str, Any] = {
        "name": key.title(),
        "description": None,
        "payloadSchemaRef": "payload.Empty.v1",
        "payloadSchemaMode": "pinned",
        "pinnedPayloadSchemaRef": None,
        "trigger": None,
        "isSystem": False,
        "isVisible": True,
        "isPaused": False,
        "concurrencyLimit": None,
        "autoPauseOnFailure": False,
        "failureRateThreshold": None,
        "failureRateMinRuns": None,
        "retentionPolicyOverride": None,
    }

    def definition(number: int, more: Mapping[str, Any] | None) -> dict[str, Any]:
        least = {"version": number, "name": key, "payloadSchemaRef": "payload.Empty.v1", "steps": []}
        return json.loads(json.dumps(least | dict(more or {})))  # type: ignore[no-any-return]

    return make_document(
        key=Key(key),
        metadata=settings | metadata,
        draft_definition=definition(1, draft),
        draft_version=1,
        versions=[(number, definition(number, more), None) for number, more in (versions or {}).items()],
    )
