"""Callers of workflows whose id has changed: their definitions follow, so that their content stays the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, Text, bindparam, cast, select, update

from gitsync.database.batches import in_batches
from gitsync.database.tables import Tables
from gitsync.database.writing import dump
from gitsync.workflow.parse import parse_stored
from gitsync.workflow.steps import CALL, iter_steps


def relink_callers(
    connection: Connection, tables: Tables, new_ids: Mapping[str, str], *, apart_from: Collection[str]
) -> None:
    """Make every call of an old id one of the new, in the tenant's drafts and versions.

    new_ids: old id → new. apart_from: ids of workflows that have been written already.
    """
    if not new_ids:
        return
    places = (
        (tables.definitions, "workflow_id", "draft_definition", tables.owned()),
        (tables.versions, "version_id", "definition_json", tables.owned_versions()),
    )
    for table, identity, column, owned in places:
        _relink(connection, tables, table.c[identity], table.c[column], owned, new_ids, apart_from)


def _relink(
    connection: Connection,
    tables: Tables,
    identity: Column[Any],
    column: Column[Any],
    owned: ColumnElement[bool],
    new_ids: Mapping[str, str],
    apart_from: Collection[str],
) -> None:
    table = identity.table
    assert isinstance(table, Table)
    query = select(tables.as_text(identity), tables.as_text(table.c.workflow_id))
    query = query.where(owned, _may_call(tables, column)).order_by(identity)
    found = [row_id for row_id, workflow_id in connection.execute(query) if workflow_id not in apart_from]
    statement = (
        update(table)
        .where(owned, identity == bindparam("row_id", type_=identity.type))
        .values({column.name: bindparam("definition", type_=column.type)})
    )
    if "updated_at" in table.c:
        statement = statement.values(updated_at=tables.now())
    for ids in in_batches(found):
        locked = select(tables.as_text(identity), column).where(owned, tables.among(identity, ids))
        rows = connection.execute(locked.order_by(identity).with_for_update()).all()
        changed = [
            {"row_id": row_id, "definition": text}
            for row_id, definition in rows
            if (text := _relinked(definition, new_ids)) is not None
        ]
        if changed:
            connection.execute(statement, changed)


def _may_call(tables: Tables, column: Column[Any]) -> ColumnElement[bool]:
    """The condition that a definition has a call at all: one search, however many ids have changed."""
    text = cast(column, Text) if tables.found.is_postgresql else column
    return text.contains(CALL, autoescape=True)


def _relinked(text: str, new_ids: Mapping[str, str]) -> str | None:
    """The definition with its calls changed; ``None`` where it has none of these."""
    definition = parse_stored(text)
    is_changed = False
    for step in iter_steps(definition):
        called = step.get("workflowId") if step["type"] == CALL else None
        if isinstance(called, str) and (new := new_ids.get(called) or new_ids.get(called.lower())):
            step["workflowId"] = new
            is_changed = True
    return dump(definition) if is_changed else None
