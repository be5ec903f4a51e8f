"""Keys for workflows that have none of their own: the key of the row, and nothing else of it.

Callers name a workflow by its id, which stays; so does every definition. Nothing is noted in the ledger: who
has given a row its key hasn't seen what is in it, so the content remains an edit that nobody has deployed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select, update

from gitsync.errors import Conflict, GitsyncError, InvalidInput, NotConverged, PlanStale
from gitsync.stores.database.tables import Tables
from gitsync.sync.index import shown_name, why_unkeyed
from gitsync.workflow.document import is_key
from gitsync.workflow.naming import suggest_key
from gitsync.workflow.types import Key


@dataclass(frozen=True, slots=True)
class WorkflowRow:
    """One workflow's row as far as its name goes."""

    workflow_id: str
    key: str | None
    name: str


@dataclass(frozen=True, slots=True)
class Adopted:
    """A row with the key that it gets; before: the one it had, ``None`` for none."""

    workflow_id: str
    key: Key
    name: str
    before: str | None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A key for a row that needs one; reason: why what it has won't do."""

    workflow_id: str
    key: Key
    name: str
    reason: str


def read_rows(connection: Connection, tables: Tables) -> list[WorkflowRow]:
    """The tenant's workflows, ordered by name and id."""
    columns = tables.definitions.c
    query = select(tables.as_text(columns.workflow_id), columns.key, columns.name).where(tables.owned())
    rows = [
        WorkflowRow(str(workflow_id), key, shown_name(str(name)))
        for workflow_id, key, name in connection.execute(query)
    ]
    return sorted(rows, key=lambda row: (row.name, row.workflow_id))


def suggest(rows: Sequence[WorkflowRow]) -> list[Suggestion]:
    """A key of its own for each row that has none or one that can name no file, made from its name.

    Of several rows with one key it is each but the first; which of them ought to keep it, a person knows.
    """
    counts = Counter(row.key for row in rows)
    taken = {row.key for row in rows if row.key is not None}
    kept: set[str] = set()
    found = []
    for row in rows:
        reason = why_unkeyed(row.key)
        if reason is None and row.key is not None and counts[row.key] > 1:
            reason = f"{counts[row.key]} workflows have the key {row.key}" if row.key in kept else None
            kept.add(row.key)
        if reason is not None:
            names = [row.key or "", row.name]
            key = suggest_key(*names, fallback=f"workflow-{row.workflow_id[:8].lower()}", taken=taken)
            taken.add(key)
            found.append(Suggestion(row.workflow_id, key, row.name, reason))
    return found


def plan_adoption(rows: Sequence[WorkflowRow], pairs: Sequence[tuple[str, str]]) -> list[Adopted]:
    """What each of `pairs` (workflow id, key) does, in their order; raises for all faults at once.

    Raises InvalidInput (INVALID_KEY), Conflict (WORKFLOW_KEY_CONFLICT, ALREADY_KEYED) or GitsyncError
    (UNKNOWN_WORKFLOW); faults of several kinds are an InvalidInput (ADOPTION_REFUSED).
    """
    by_id = {row.workflow_id.lower(): row for row in rows}
    holders = {row.key: row for row in reversed(rows) if row.key is not None}
    counts = Counter(row.key for row in rows)
    times = Counter(workflow_id.lower() for workflow_id, _ in pairs), Counter(key for _, key in pairs)
    adopted, faults = [], []
    for workflow_id, key in pairs:
        row = by_id.get(workflow_id.lower())
        found: list[tuple[str, str]] = []
        if row is None:
            swapped = "; the id comes first, then the key" if key.lower() in by_id else ""
            found.append(("UNKNOWN_WORKFLOW", f"no workflow here has the id {workflow_id}{swapped}"))
        elif times[0][workflow_id.lower()] > 1:
            found.append(("ADOPTION_REFUSED", f"{workflow_id} is named twice"))
        elif row.key is not None and is_key(row.key) and counts[row.key] == 1:
            found.append(("ALREADY_KEYED", f"{workflow_id} ({row.name!r}) has the key {row.key} already"))
        if (reason := why_unkeyed(key)) is not None:
            found.append(("INVALID_KEY", reason.removeprefix("its ")))
        elif key in holders:
            holder = holders[key]
            found.append(
                ("WORKFLOW_KEY_CONFLICT", f"{holder.workflow_id} ({holder.name!r}) has the key {key}")
            )
        elif times[1][key] > 1:
            found.append(("WORKFLOW_KEY_CONFLICT", f"the key {key} is given twice"))
        faults += [
            {"workflowId": workflow_id, "key": key, "code": code, "message": message}
            for code, message in dict.fromkeys(found)
        ]
        if row is not None:
            adopted.append(Adopted(row.workflow_id, Key(key), row.name, row.key))
    if faults:
        raise _refused(faults)
    return adopted


def adopt(
    connection: Connection, tables: Tables, pairs: Sequence[tuple[str, str]], *, actor: str | None
) -> list[Adopted]:
    """Give each row its key; the caller holds the deployment lock, commits, and rolls back what is raised.

    Raises what `plan_adoption` raises, PlanStale where a row moves meanwhile, and NotConverged.
    """
    planned = plan_adoption(read_rows(connection, tables), pairs)
    ids = [item.workflow_id for item in planned]
    columns = tables.definitions.c
    query = select(tables.as_text(columns.workflow_id), columns.key)
    query = query.where(tables.owned(), tables.among(columns.workflow_id, ids))
    in_order = query.order_by(columns.workflow_id).with_for_update()
    locked = {str(workflow_id): key for workflow_id, key in connection.execute(in_order)}
    moved = [item.workflow_id for item in planned if locked.get(item.workflow_id, "") != item.before]
    if moved:
        raise PlanStale(
            f"changed meanwhile: {', '.join(moved)}; nothing was written", cure="run the command again"
        )
    statement = update(tables.definitions).where(
        tables.owned(), columns.workflow_id == bindparam("of_id", type_=columns.workflow_id.type)
    )
    values = {"key": bindparam("new_key", type_=columns.key.type)}
    if "updated_by" in columns and actor is not None:
        values["updated_by"] = bindparam(None, actor, type_=columns.updated_by.type)
    touched = {"updated_at": tables.now()} if "updated_at" in columns else {}
    connection.execute(
        statement.values(values | touched),
        [{"of_id": item.workflow_id, "new_key": item.key} for item in planned],
    )
    _check_converged(read_rows(connection, tables), planned)
    return planned


def _check_converged(rows: Sequence[WorkflowRow], planned: Collection[Adopted]) -> None:
    counts = Counter(row.key for row in rows)
    held = {row.workflow_id: row.key for row in rows}
    wrong = sorted(
        item.key for item in planned if held.get(item.workflow_id) != item.key or counts[item.key] > 1
    )
    if wrong:
        raise NotConverged(
            f"the database doesn't hold the key that was written, or holds it twice: {', '.join(wrong)}; "
            "nothing was written",
            details={"keys": wrong},
            cure="`gitsync doctor`: a trigger, a rule or row-level security changes what is written",
        )


def _refused(faults: Sequence[dict[str, str]]) -> GitsyncError:
    codes = {fault["code"] for fault in faults}
    code = codes.pop() if len(codes) == 1 else "ADOPTION_REFUSED"
    kinds = {
        "UNKNOWN_WORKFLOW": GitsyncError, "ALREADY_KEYED": Conflict, "WORKFLOW_KEY_CONFLICT": Conflict
    }  # fmt: skip
    cures = {
        "UNKNOWN_WORKFLOW": "`gitsync adopt --suggest` lists those without a key, and their ids",
        "ALREADY_KEYED": "it can be in git as it is: `gitsync pull`; gitsync does not rename",
        "WORKFLOW_KEY_CONFLICT": "choose another key; `gitsync adopt --suggest` makes some",
        "INVALID_KEY": "choose one like `billing.refund-large`; `gitsync adopt --suggest` makes some",
    }
    lines = [f"{fault['workflowId']} {fault['key']}: {fault['message']}" for fault in faults]
    return kinds.get(code, InvalidInput)(
        "nothing was written: " + ("".join(f"\n  {line}" for line in lines) if len(lines) > 1 else lines[0]),
        code=code,
        details={"adoptions": list(faults)},
        cure=cures.get(code, "correct all of them, then run the command again"),
    )
