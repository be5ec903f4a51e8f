"""Callers of workflows whose id has changed: their definitions follow, so that their content stays the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, bindparam, select, update

from gitsync.errors import DatabaseError, GitsyncError
from gitsync.stores.database.batches import in_batches
from gitsync.stores.database.tables import Tables
from gitsync.stores.database.writing import dump
from gitsync.sync.usage import Call
from gitsync.workflow.parse import parse_stored
from gitsync.workflow.references import call_steps


def relink_callers(
    connection: Connection, tables: Tables, calls: Sequence[Call], new_ids: Mapping[str, str]
) -> None:
    """Make each of `calls` name the workflow's new id; the caller holds their rows' locks.

    new_ids: old id → new; calls of other ids stay as they are.
    """
    rows = {(call.version is None, call.row): call.title for call in calls if call.called in new_ids}
    places = (
        (True, tables.definitions, "workflow_id", "draft_definition", tables.owned()),
        (False, tables.versions, "version_id", "definition_json", tables.owned_versions()),
    )
    for is_draft, table, identity, column, owned in places:
        titles = {row: title for (is_of_draft, row), title in rows.items() if is_of_draft is is_draft}
        _relink(connection, tables, table.c[identity], table.c[column], owned, titles, new_ids)


def _relink(
    connection: Connection,
    tables: Tables,
    identity: Column[Any],
    column: Column[Any],
    owned: ColumnElement[bool],
    titles: Mapping[str, str],
    new_ids: Mapping[str, str],
) -> None:
    table = identity.table
    assert isinstance(table, Table)
    statement = (
        update(table)
        .where(owned, identity == bindparam("row_id", type_=identity.type))
        .values({column.name: bindparam("definition", type_=column.type)})
    )
    if "updated_at" in table.c:
        statement = statement.values(updated_at=tables.now())
    for batch in in_batches(sorted(titles)):
        stored = select(tables.as_text(identity), column).where(owned, tables.among(identity, batch))
        changed = [
            {"row_id": row_id, "definition": _relinked(definition, new_ids, titles[row_id])}
            for row_id, definition in connection.execute(stored.order_by(identity)).all()
        ]
        if changed:
            connection.execute(statement, changed)


def _relinked(text: str, new_ids: Mapping[str, str], title: str) -> str:
    """The definition with its calls of old ids changed; raises DatabaseError where it is no JSON."""
    try:
        definition = parse_stored(text)
    except (GitsyncError, ValueError) as error:
        raise DatabaseError(
            f"{title} names a workflow that gets a new id, and holds what is no JSON: {error}; nothing was written",
            code="UNREADABLE_WORKFLOW",
            cure="`--in-place` keeps the id; or open and save it in the product's editor",
        ) from error
    for step, _ in call_steps(definition):
        if new := new_ids.get(step["workflowId"].lower()):
            step["workflowId"] = new
    return dump(definition)
