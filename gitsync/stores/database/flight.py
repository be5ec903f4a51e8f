"""Reading the runs that have not ended: what executes which version, and where each waits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Column, Connection, MetaData, Table, Text, inspect, select

from gitsync.stores.database.product import RUNS, WAIT_COLUMNS, WAITS, needed
from gitsync.stores.database.tables import Tables
from gitsync.sync.usage import ENDED, UnfinishedRun
from gitsync.workflow.types import Key

MOST: Final = 500
"""How many runs are read; nobody reads more lines than that."""


def read_unfinished(connection: Connection, tables: Tables, ids: Mapping[str, Key]) -> list[UnfinishedRun]:
    """The unfinished runs of the workflows with these ids, at most MOST of them, sorted.

    ids: workflow id → key.
    """
    table = tables.users_of_ids.get(RUNS)
    if table is None or not ids or "run_id" not in table.c:
        return []
    optional = [name for name in ("node_path", "engine") if name in table.c]
    columns = [tables.as_text(table.c.workflow_id), table.c.run_id, table.c.workflow_version, table.c.status]
    query = (
        select(*columns, *(table.c[name] for name in optional))
        .where(
            tables.owned_users(table),
            tables.among(table.c.workflow_id, ids),
            table.c.status.not_in(sorted(ENDED)),
        )
        .order_by(table.c.workflow_id, table.c.workflow_version, table.c.run_id)
        .limit(MOST)
    )
    rows = [tuple(row) for row in connection.execute(query)]
    waits = _read_waits(connection, [row[1] for row in rows]) if rows else {}
    found = []
    for workflow_id, run_id, version, status, *more in rows:
        facts = dict(zip(optional, more, strict=True))
        path, waits_for = waits.get(str(run_id), (None, ""))
        found.append(
            UnfinishedRun(
                key=ids[str(workflow_id)],
                version=version,
                run_id=str(run_id),
                status=status,
                path=path or facts.get("node_path"),
                waits_for=waits_for,
                is_pinned=facts.get("engine") == "temporal",
            )
        )
    return sorted(found, key=lambda run: (run.key, run.version, run.run_id))


def _read_waits(connection: Connection, run_ids: list[Any]) -> dict[str, tuple[str, str]]:
    """Run id → path of the step that waits, and for what; empty where the product keeps no waits."""
    catalogue = inspect(connection)
    if not catalogue.has_table(WAITS):
        return {}
    types = {column["name"]: column["type"] for column in catalogue.get_columns(WAITS)}
    names = needed(WAIT_COLUMNS)
    if not types.keys() >= set(names):
        return {}
    table = Table(
        WAITS, MetaData(), *(Column(name, types[name] if name == "run_id" else Text) for name in names)
    )
    columns = (table.c.run_id, table.c.step_path, table.c.wait_type, table.c.event_name, table.c.key)
    query = select(*columns).where(table.c.run_id.in_(run_ids), table.c.status == "WAITING")
    return {
        str(run_id): (path, _words(kind, event, key))
        for run_id, path, kind, event, key in connection.execute(query)
    }


def _words(kind: str, event: str | None, key: str | None) -> str:
    match kind:
        case "event":
            return f"the event {event}" + (f" ({key})" if key else "")
        case "human":
            return "a person's answer"
        case "time":
            return "a time"
        case _:
            return kind
