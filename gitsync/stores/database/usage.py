"""What hangs on workflows beside their own rows: runs, schedules, webhooks, and calls by their ids."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Text, cast, func, or_, select

from gitsync.errors import GitsyncError
from gitsync.stores.database.product import RUNS, SCHEDULES, WEBHOOKS
from gitsync.stores.database.tables import Tables
from gitsync.sync.model import Action, Change
from gitsync.sync.usage import ENDED, Call, Surroundings, Usage
from gitsync.workflow.parse import parse_stored
from gitsync.workflow.references import SIGNS_OF_A_CALL, call_steps
from gitsync.workflow.types import Key


def read_surroundings(
    connection: Connection,
    tables: Tables,
    changes: Sequence[Change],
    ids: Mapping[Key, str],
    *,
    in_place: bool,
) -> Surroundings:
    """Return what hangs on the workflows that `changes` touch, and who calls those that go or get another id.

    ids: key → id of those that are there, of `changes` at least.
    """
    stored_ids, calls = find_touched(connection, tables, changes, ids, in_place=in_place)
    touched = {*stored_ids.values(), *(call.caller for call in calls)}
    return Surroundings(stored_ids, read_usage(connection, tables, touched) if touched else {}, calls)


def find_touched(
    connection: Connection,
    tables: Tables,
    changes: Sequence[Change],
    ids: Mapping[Key, str],
    *,
    in_place: bool,
) -> tuple[dict[Key, str], list[Call]]:
    """Return the ids of those of `changes` that are there, and the calls by others of those that go or get another id."""
    stored_ids = {change.key: ids[change.key] for change in changes if change.key in ids}
    moving = {
        stored_ids[change.key]
        for change in changes
        if change.key in stored_ids and not (in_place and change.action is Action.UPDATE)
    }
    written = frozenset(stored_ids.values())
    return stored_ids, [call for call in find_calls(connection, tables, moving) if call.caller not in written]


def read_usage(connection: Connection, tables: Tables, ids: Collection[str]) -> dict[str, Usage]:
    """Return workflow id → what hangs on it; ids without anything are absent."""
    runs: dict[str, dict[str, int]] = {}
    in_use: dict[str, dict[int, int]] = {}
    for workflow_id, version, status, count in _runs(connection, tables, ids):
        of_status = runs.setdefault(workflow_id, {})
        of_status[status] = of_status.get(status, 0) + count
        if status not in ENDED:
            of_version = in_use.setdefault(workflow_id, {})
            of_version[version] = of_version.get(version, 0) + count
    schedules = _schedules(connection, tables, ids)
    webhooks = _webhooks(connection, tables, ids)
    return {
        workflow_id: Usage(
            runs.get(workflow_id, {}),
            in_use.get(workflow_id, {}),
            schedules.get(workflow_id, 0),
            webhooks.get(workflow_id, 0),
        )
        for workflow_id in runs.keys() | schedules.keys() | webhooks.keys()
    }


def _runs(connection: Connection, tables: Tables, ids: Collection[str]) -> Iterator[Any]:
    if (table := tables.users_of_ids.get(RUNS)) is None:
        return
    columns = (tables.as_text(table.c.workflow_id), table.c.workflow_version, table.c.status)
    query = select(*columns, func.count()).where(
        tables.owned_users(table), tables.among(table.c.workflow_id, ids)
    )
    yield from connection.execute(
        query.group_by(table.c.workflow_id, table.c.workflow_version, table.c.status)
    )


def _schedules(connection: Connection, tables: Tables, ids: Collection[str]) -> dict[str, int]:
    """Return id → schedules that are not over; a paused one is meant to go on."""
    if (table := tables.users_of_ids.get(SCHEDULES)) is None:
        return {}
    query = select(tables.as_text(table.c.workflow_id), func.count()).where(
        tables.owned_users(table),
        tables.among(table.c.workflow_id, ids),
        table.c.status != "completed",
    )
    counts = connection.execute(query.group_by(table.c.workflow_id))
    return {workflow_id: count for workflow_id, count in counts}  # noqa: C416 - rows are no pairs to dict()


def _webhooks(connection: Connection, tables: Tables, ids: Collection[str]) -> dict[str, int]:
    """Return id → inbound webhooks that start the workflow."""
    if (table := tables.users_of_ids.get(WEBHOOKS)) is None:
        return {}
    named = _named_workflow(tables, table.c.handler_config)
    query = select(named, func.count()).where(tables.owned_users(table), named.is_not(None))
    counts = connection.execute(query.group_by(named))
    asked_for = frozenset(ids)
    return {workflow_id: count for workflow_id, count in counts if workflow_id in asked_for}


def _named_workflow(tables: Tables, config: Column[Any]) -> ColumnElement[str]:
    if tables.found.is_postgresql:
        return func.lower(func.jsonb_extract_path_text(config, "workflow_id"))
    return func.lower(func.json_extract(config, "$.workflow_id"))


def find_calls(connection: Connection, tables: Tables, ids: Collection[str]) -> list[Call]:
    """Return every call of a workflow of `ids` by its id, in drafts and published versions of the tenant, by row.

    One search of the text on the server; only what may call anything comes here to be parsed.
    """
    if not ids:
        return []
    definitions, versions = tables.definitions.c, tables.versions.c
    drafts = select(
        tables.as_text(definitions.workflow_id),
        tables.as_text(definitions.workflow_id),
        definitions.key,
        definitions.name,
        definitions.draft_definition,
    ).where(tables.owned(), may_call_in(tables, definitions.draft_definition))
    published = (
        select(
            tables.as_text(versions.version_id),
            tables.as_text(versions.workflow_id),
            definitions.key,
            definitions.name,
            versions.definition_json,
            versions.version,
        )
        .join(tables.definitions, tables.joined())
        .where(tables.owned(), may_call_in(tables, versions.definition_json))
    )
    called_ids = frozenset(ids)
    calls = []
    for query in (drafts, published):
        for row, caller, key, name, definition, *rest in connection.execute(query):
            version = rest[0] if rest else None
            calls += [
                Call(called, row, caller, key, name, version)
                for called in _called_ids(definition, called_ids)
            ]
    return sorted(
        calls, key=lambda call: (call.title, call.version is not None, call.version or 0, call.called)
    )


def calls_in(text: str) -> Iterator[tuple[str, object]]:
    """Yield the called id and version of each call in one definition's JSON; raises GitsyncError or ValueError for none."""
    for step, _ in call_steps(parse_stored(text)):
        yield step["workflowId"], step.get("workflowVersion")


def may_call_in(tables: Tables, column: Column[Any]) -> ColumnElement[bool]:
    """Return `may_call` as a condition: one search of the server, however many ids are asked for."""
    text = cast(column, Text) if tables.found.is_postgresql else column
    return or_(*(text.contains(sign, autoescape=True) for sign in SIGNS_OF_A_CALL))


def _called_ids(text: str, ids: Collection[str]) -> set[str]:
    """Return those of `ids`, in lower case, that a definition calls, or names at all where it cannot be read."""
    try:
        return {called.lower() for called, _ in calls_in(text)} & set(ids)
    except (GitsyncError, ValueError):
        return {workflow_id for workflow_id in ids if workflow_id in text.lower()}
