"""Documents into rows, set by set: each function is a handful of statements however many workflows there are."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson
from sqlalchemy import Connection, Table, bindparam, delete, func, insert, null, update

from gitsync.stores.database.product import METADATA_COLUMNS, TENANT_COLUMNS, VALIDATION_COLUMNS
from gitsync.stores.database.tables import Tables
from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.references import call_steps, may_call, to_ids
from gitsync.workflow.types import Digest, Document, Json, Key
from gitsync.workflow.versions import version_digest

HeldVersions: TypeAlias = Mapping[int, Digest | None]
"""Number → `version_digest` of each version that a row has, ``None`` where it is known to say what is meant."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What one workflow becomes: rows by column, ready to be sent.

    versions: to insert. changed: to update. gone: to delete, by id and version. written: the numbers of the
    versions inserted or updated.
    """

    key: Key
    is_new: bool
    definition: Mapping[str, Any]
    versions: Sequence[Mapping[str, Any]]
    changed: Sequence[Mapping[str, Any]] = ()
    gone: Sequence[Mapping[str, Any]] = ()

    @property
    def written(self) -> list[int]:
        """The numbers of the versions inserted or updated."""
        return sorted(row["version"] for row in (*self.versions, *self.changed))


@dataclass(frozen=True, slots=True)
class Writer:
    """What all rows of one deployment share.

    ids_by_key: every key of the tenant, ids made by this deployment included. actor: a user's id.
    """

    connection: Connection
    tables: Tables
    ids_by_key: Mapping[Key, str]
    actor: str | None

    def delete(self, ids: Collection[str]) -> None:
        """Delete workflows with their versions; what else hangs on them the database deletes or keeps."""
        if ids:
            tables = self.tables
            of_ids = tables.among(tables.versions.c.workflow_id, ids)
            self.connection.execute(delete(tables.versions).where(tables.owned_versions(), of_ids))
            of_ids = tables.among(tables.definitions.c.workflow_id, ids)
            self.connection.execute(delete(tables.definitions).where(tables.owned(), of_ids))

    def rows_of(self, key: Key, document: Document, held: HeldVersions | None) -> Rows:
        """The rows of one document, made without the database.

        held: the versions of the workflow that stays, ``None`` where it is made anew.
        """
        versions = document["publishedVersions"]
        if held is None:
            actors = self._own(self.tables.definitions, created_by=self.actor, updated_by=self.actor)
            row = self._definition_row(key, document) | actors | {"key": key, "status": _status(document)}
            return Rows(
                key,
                is_new=True,
                definition=row,
                versions=[self._version_row(key, version) for version in versions],
            )
        row = self._definition_row(key, document) | {"status": _changed_status(held, document)}
        new, changed, left = [], [], dict(held)
        for version in versions:
            number = version["version"]
            if number not in left:
                new.append(self._version_row(key, version))
            elif (before := left.pop(number)) is not None and before != version_digest(version):
                changed.append(self._version_row(key, version))
        workflow_id = self.ids_by_key[key]
        gone = [{"new_workflow_id": workflow_id, "new_version": number} for number in left]
        return Rows(key, is_new=False, definition=row, versions=new, changed=changed, gone=gone)

    def send(self, batch: Sequence[Rows]) -> None:
        """Insert and update, table by table; of the versions of a workflow that stays only what differs."""
        self._insert(
            self.tables.definitions,
            [rows.definition for rows in batch if rows.is_new],
            ("created_at", "updated_at"),
        )
        self._update_definitions([rows.definition for rows in batch if not rows.is_new])
        self._delete_versions([row for rows in batch for row in rows.gone])
        self._change_versions([row for rows in batch for row in rows.changed])
        self._insert(
            self.tables.versions,
            [row for rows in batch for row in rows.versions],
            ("published_at", "created_at", "updated_at"),
        )

    def _update_definitions(self, rows: Sequence[Mapping[str, Any]]) -> None:
        if not rows:
            return
        table = self.tables.definitions
        values: dict[str, Any] = {
            name: bindparam(f"new_{name}", type_=table.c[name].type) for name in rows[0]
        }
        values |= {"status": func.coalesce(values["status"], table.c.status)}
        if "updated_by" in table.c and self.actor is not None:
            values["updated_by"] = bindparam(None, self.actor, type_=table.c.updated_by.type)
        workflow_id = values.pop("workflow_id")
        statement = update(table).where(self.tables.owned(), table.c.workflow_id == workflow_id)
        statement = statement.values(values | self._touched(table))
        self.connection.execute(statement, [_prefixed(row) for row in rows])

    def _delete_versions(self, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            self.connection.execute(delete(self.tables.versions).where(*self._one_version()), rows)

    def _change_versions(self, rows: Sequence[Mapping[str, Any]]) -> None:
        if not rows:
            return
        table = self.tables.versions
        kept = {"version_id", "workflow_id", "version", *TENANT_COLUMNS}
        if self.actor is None:
            kept.add("published_by")  # its author stays: without any, business actions cannot run
        names = [name for name in rows[0] if name not in kept]
        values: dict[str, Any] = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names}
        if "published_at" in table.c:
            values["published_at"] = self.tables.now()
        statement = update(table).where(*self._one_version()).values(values | self._touched(table))
        sent = {*names, "workflow_id", "version"}
        self.connection.execute(statement, [_prefixed({name: row[name] for name in sent}) for row in rows])

    def _one_version(self) -> tuple[Any, ...]:
        columns = self.tables.versions.c
        return (
            self.tables.owned_versions(),
            columns.workflow_id == bindparam("new_workflow_id", type_=columns.workflow_id.type),
            columns.version == bindparam("new_version", type_=columns.version.type),
        )

    def _definition_row(self, key: Key, document: Document) -> dict[str, Any]:
        metadata, draft = document["metadata"], document["draft"]
        workflow_id = self.ids_by_key[key]
        row = {column: metadata[field] for field, column in METADATA_COLUMNS.items()}
        return row | {
            "workflow_id": workflow_id,
            "trigger": _json(row["trigger"]),
            "retention_policy_override": _json(row["retention_policy_override"]),
            "draft_definition": self._stored(draft["definition"], workflow_id),
            "draft_version": draft["draftVersion"],
        }

    def _version_row(self, key: Key, version: Mapping[str, Any]) -> dict[str, Any]:
        workflow_id = self.ids_by_key[key]
        return {
            "version_id": str(uuid.uuid4()),
            "workflow_id": workflow_id,
            "version": version["version"],
            "definition_json": self._stored(version["definition"], workflow_id),
            "payload_schema_json": _json(version["payloadSchemaJson"]),
        } | self._own(self.tables.versions, published_by=self.actor)

    def _own(self, table: Table, **values: str | None) -> dict[str, str | None]:
        """Tenant and actors, as far as the table has columns for them."""
        tenants = dict.fromkeys(TENANT_COLUMNS, self.tables.tenant)
        return {name: value for name, value in (tenants | values).items() if name in table.c}

    def _touched(self, table: Table) -> dict[str, Any]:
        """What every update sets: the time, and the product's verdict on what stood there before."""
        verdict: dict[str, Any] = {name: null() for name in VALIDATION_COLUMNS if name in table.c}
        return verdict | ({"updated_at": self.tables.now()} if "updated_at" in table.c else {})

    def _insert(self, table: Table, rows: Sequence[Mapping[str, Any]], times: Sequence[str]) -> None:
        if rows:
            now = {name: self.tables.now() for name in times if name in table.c}
            self.connection.execute(insert(table).inline().values(now), rows)

    def _stored(self, definition: Json, own_id: str) -> str:
        """The definition's JSON with this database's ids; `definition` itself stays as it is."""
        if not isinstance(definition, dict):
            return dump(definition)
        text = dump({**definition, "id": own_id})
        if not may_call(text):
            return text
        calls = [(step, step["workflowId"]) for step, _ in call_steps(definition)]
        copy = {**definition}
        to_ids(copy, own_id=own_id, ids_by_key=self.ids_by_key)
        text = dump(copy)
        for step, called in calls:  # the steps themselves are shared with `definition`
            step["workflowId"] = called
        return text


def _status(document: Document) -> str:
    return "published" if document["publishedVersions"] else "draft"


def _changed_status(held: HeldVersions, document: Document) -> str | None:
    """The status where the versions went from none to some or back; else ``None``: it stays."""
    had, has = bool(held), bool(document["publishedVersions"])
    return None if had is has else _status(document)


def _prefixed(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row under the names of bound parameters, which must differ from the columns' own."""
    return {f"new_{name}": value for name, value in row.items()}


def _json(value: Json) -> str | None:
    return None if value is None else dump(value)


def dump(value: Json) -> str:
    """The value as JSON text for a column, every number digit for digit."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # a number beyond 64 bits, or a Decimal
        return canonical_bytes(value).decode()
