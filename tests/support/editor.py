"""The product's editor, that writes the product's tables as the product does and knows nothing of gitsync."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from tests.support.documents import SCHEMA_REF, make_definition, text_of
from tests.support.product import plain_engine

_PRODUCT = ("workflow_definitions", "workflow_definition_versions")
_LEDGER = ("gitsync_deployments", "gitsync_deployment_items")
Backup = Mapping[str, Sequence[Mapping[str, Any]]]
"""Table → rows."""


class Editor:
    """Edits one tenant's workflows: told by one text each, as `documents.saying` has them, or row by row."""

    def __init__(self, url: str, *, tenant: str | None = None) -> None:
        self._engine = plain_engine(url)
        self._columns: dict[str, set[str]] = {}
        self.url = url
        self.tenant = tenant

    @contextlib.contextmanager
    def connection(self) -> Iterator[sa.Connection]:
        """A connection whose transaction is committed at the end."""
        with self._engine.begin() as connection:
            yield connection

    @property
    def tenant_column(self) -> str | None:
        """The column that says whose a workflow is, if there is one."""
        return next(iter(self._tenant_in("workflow_definitions")), None)

    # ---------------------------------------------------------------- told by one text

    def texts(self) -> dict[str, str]:
        """Key → text of each workflow that has a key."""
        query = "SELECT key, CAST(draft_definition AS text) FROM workflow_definitions WHERE key IS NOT NULL"
        with self.connection() as connection:
            rows = connection.execute(sa.text(query)).all()
        return {key: json.loads(definition)["description"] for key, definition in sorted(rows)}

    def keys(self) -> set[str]:
        """The keys of all workflows, whatever is in them."""
        with self.connection() as connection:
            return set(connection.execute(sa.text("SELECT key FROM workflow_definitions")).scalars())

    def text(self, key: str) -> str | None:
        """What the workflow `key` says, ``None`` where there is none."""
        return self.texts().get(key)

    def id_of(self, key: str) -> str:
        """The workflow's id."""
        with self.connection() as connection:
            found = connection.execute(
                sa.text("SELECT workflow_id FROM workflow_definitions WHERE key = :key"), {"key": key}
            ).scalar_one()
        return str(found)

    def save(self, key: str, text: str, *, calls: str | None = None) -> None:
        """Make the draft of the workflow `key` say `text`; the workflow is made if there is none."""
        if key in self.keys():
            self._write_draft(key, make_definition(key, text, own_id=self.id_of(key), calls=calls))
        else:
            self.create(key, text, calls=calls)

    def create(
        self, key: str | None, text: str, *, workflow_id: str | None = None, calls: str | None = None
    ) -> str:
        """The id of a new workflow, by default a random one; a `key` of ``None`` is what the editor gives."""
        own_id = workflow_id or str(uuid.uuid4())
        name = key or "unnamed"
        return self.insert(
            key,
            name=f"Workflow {name}",
            definition=make_definition(name, text, own_id=own_id, calls=calls),
            workflow_id=own_id,
            payload_schema_ref=SCHEMA_REF,
            payload_schema_mode="pinned",
            pinned_payload_schema_ref=SCHEMA_REF,
            draft_version=1,
            failure_rate_threshold=0.5,
            failure_rate_min_runs=10,
        )

    def rename(self, workflow_id: str, key: str) -> None:
        """Give a workflow a key, all that adopting one does."""
        statement = "UPDATE workflow_definitions SET key = :key WHERE workflow_id = :workflow_id"
        self.execute(statement, key=key, workflow_id=workflow_id)
        self._write_draft(key, make_definition(key, self.texts()[key], own_id=workflow_id))

    def publish(self, key: str, version: int) -> None:
        """Add a published version."""
        workflow_id = self.id_of(key)
        definition = make_definition(key, f"version {version}", own_id=workflow_id)
        self.insert_version(workflow_id, version, definition)

    def dump(self, *beginnings: str) -> list[tuple[Any, ...]]:
        """Every row of the product's two tables and of the ledger, to compare a database with itself.

        beginnings: of the names of the tables, where not all of these are meant.
        """
        rows: list[tuple[Any, ...]] = []
        with self.connection() as connection:
            names = set(sa.inspect(connection).get_table_names())
            for name in sorted(names):
                if name.startswith(beginnings or ("workflow_definition", "gitsync_deployment")):
                    found = connection.execute(sa.text(f"SELECT * FROM {name}"))
                    rows += sorted(((name, *map(str, row)) for row in found), key=repr)
        return rows

    def backup(self) -> Backup:
        """All rows of the product's two tables and of the ledger."""
        with self.connection() as connection:
            tables = sa.MetaData()
            tables.reflect(connection, only=[*_PRODUCT, *_LEDGER])
            return {
                name: [dict(row) for row in connection.execute(tables.tables[name].select()).mappings()]
                for name in (*_PRODUCT, *_LEDGER)
            }

    def restore(self, backup: Backup, *, has_ledger: bool) -> None:
        """Bring back what a backup holds, with the ledger or without, in one transaction."""
        names = (*_PRODUCT, *_LEDGER) if has_ledger else _PRODUCT
        with self.connection() as connection:
            tables = sa.MetaData()
            tables.reflect(connection, only=names)
            for name in reversed(names):
                connection.execute(tables.tables[name].delete())
            for name in names:
                if backup[name]:
                    connection.execute(tables.tables[name].insert(), backup[name])

    def replaced_texts(self) -> dict[str, str]:
        """Key → text of what the newest deployment has replaced, as the ledger keeps it."""
        query = """SELECT key, replaced_document FROM gitsync_deployment_items WHERE replaced_document IS NOT NULL
                      AND number = (SELECT max(number) FROM gitsync_deployments)"""
        with self.connection() as connection:
            rows = connection.execute(sa.text(query)).all()
        return {key: text_of(document.encode()) for key, document in rows}

    def connections(self) -> int:
        """How many others are connected to a server's database; 0 for a file."""
        if self._engine.dialect.name == "sqlite":
            return 0
        query = """SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"""
        with self.connection() as connection:
            return int(connection.execute(sa.text(query)).scalar_one())

    def forget(self) -> None:
        """Lose the ledger, as a restore of the product's tables alone does."""
        for name in ("gitsync_deployment_items", "gitsync_deployments"):
            self.execute(f"DELETE FROM {name}")

    # ---------------------------------------------------------------- row by row

    def insert(
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
        row |= (
            {"status": "published" if versions else "draft"}
            | self._tenant_in("workflow_definitions")
            | columns
        )
        self._insert("workflow_definitions", row)
        for number, published in (versions or {}).items():
            self.insert_version(workflow_id, number, draft | {"version": number} | dict(published))
        return workflow_id

    def insert_version(
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
        self._insert("workflow_definition_versions", row | self._tenant_in("workflow_definition_versions"))
        return version_id

    def edit(self, key: str, **columns: Any) -> None:
        """Set columns of the workflow; JSON ones as text."""
        sets = ", ".join(f'"{name}" = {self._bound(name)}' for name in columns)
        with self.connection() as connection:
            where, values = self._where()
            changed = connection.execute(
                sa.text(f'UPDATE workflow_definitions SET {sets} WHERE "key" = :of_key {where}'),
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
        self._insert("tenant_workflow_schedule", row | self._tenant_in("tenant_workflow_schedule"))

    def hook(self, workflow_id: str) -> None:
        """An inbound webhook that starts the workflow."""
        row = {
            "inbound_webhook_id": str(uuid.uuid4()),
            "handler_config": json.dumps({"workflow_id": workflow_id}),
        }
        self._insert("inbound_webhooks", row | self._tenant_in("inbound_webhooks"))

    def rows(self, table: str = "workflow_definitions") -> list[dict[str, Any]]:
        """All rows of `table`, ids and JSON as text, whoever's they are."""
        with self.connection() as connection:
            found = connection.execute(sa.text(f"SELECT * FROM {table}")).mappings()
            rows = [
                {name: str(v) if isinstance(v, uuid.UUID) else v for name, v in row.items()} for row in found
            ]
        return sorted(rows, key=lambda row: str(list(row.values())))

    def row(self, key: str) -> dict[str, Any]:
        """The one row of `key`."""
        (row,) = [row for row in self.rows() if row["key"] == key]
        return row

    def write_text(self, key: str, definition: str) -> None:
        """Put any text in the place of a draft, JSON or not; for a file, whose columns take everything."""
        self.execute(
            "UPDATE workflow_definitions SET draft_definition = :new WHERE key = :key",
            new=definition,
            key=key,
        )

    def execute(self, statement: str, **values: Any) -> None:
        """Any statement."""
        with self.connection() as connection:
            connection.execute(sa.text(statement), values)

    def _tenant_in(self, table: str) -> dict[str, str | None]:
        """The column of `table` that says whose a row is, if there is one, and what stands there."""
        if table not in self._columns:
            self._columns[table] = {column["name"] for column in sa.inspect(self._engine).get_columns(table)}
        name = next((name for name in ("tenant", "tenant_id") if name in self._columns[table]), None)
        return {} if name is None else {name: self.tenant}

    def _where(self) -> tuple[str, dict[str, str | None]]:
        """The condition that a row is the tenant's, where there are tenants."""
        if not self.tenant or not (column := self.tenant_column):
            return "", {}
        return f"AND {column} = :of_tenant", {"of_tenant": self.tenant}

    def _write_draft(self, key: str, definition: Mapping[str, Any]) -> None:
        statement = f"UPDATE workflow_definitions SET draft_definition = {self._bound('draft_definition')} WHERE key = :key"
        self.execute(statement, draft_definition=json.dumps(definition), key=key)

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
