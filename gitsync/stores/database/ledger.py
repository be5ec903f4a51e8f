"""The ledger: what gitsync last wrote or found in step per key, and what it replaced, so that it can be undone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select

import gitsync
from gitsync.errors import AccessDenied, DatabaseError
from gitsync.stores.database.batches import iter_rows
from gitsync.stores.database.faults import read_only
from gitsync.stores.database.schema import LEDGER_VERSION, LEDGER_WRITABLE, TOKENS, Found, check_ledger_place
from gitsync.stores.database.tables import Tables
from gitsync.sync.model import Action, Change, Deployment, Mark, MarkKind
from gitsync.workflow.types import Digest, Key


@dataclass(frozen=True, slots=True)
class Item:
    """What one deployment did to one key.

    replaced_document: canonical text of what was overwritten or deleted. The ids are the workflow's, before
    and after.
    """

    change: Change
    replaced_document: str | None = None
    replaced_workflow_id: str | None = None
    workflow_id: str | None = None


def check_writable(found: Found) -> None:
    """Raise where a write cannot be made, or not be noted: AccessDenied (READ_ONLY_SERVER), and as `check_ledger`."""
    if found.read_only:
        raise read_only(f"this server is read-only: {found.read_only}; nothing was written")
    check_ledger(found)


def check_ledger(found: Found) -> None:
    """Raise DatabaseError where there is no ledger, or one that this gitsync cannot write, AccessDenied where it
    may not be read.
    """
    if needed := [table for table in found.hidden if table != TOKENS]:
        raise AccessDenied(
            f"the role of the database's URL may not read {', '.join(needed)}, which writing needs",
            cure="`gitsync db check` has the GRANT that is missing",
        )
    check_ledger_place(found)
    if not found.has_ledger:
        raise DatabaseError(
            "the database has no gitsync ledger, which writing needs",
            code="MISSING_LEDGER",
            cure="`gitsync db init` makes it, once; the product's own tables stay as they are",
        )
    if found.ledger_version is not None and found.ledger_version > LEDGER_VERSION:
        raise DatabaseError(
            f"the ledger has version {found.ledger_version}; this gitsync knows {LEDGER_VERSION}",
            code="LEDGER_VERSION",
            cure="use the gitsync that wrote it, or a newer one",
        )
    if found.ledger_version is None or found.ledger_version < LEDGER_WRITABLE:
        raise DatabaseError(
            f"the ledger has version {found.ledger_version or 'none'}; this gitsync writes {LEDGER_WRITABLE} "
            "and newer",
            code="LEDGER_VERSION",
            cure="`gitsync db init` brings it up to date",
        )


def newest_number(connection: Connection, tables: Tables) -> int:
    """The number of the tenant's newest deployment, 0 where there is none."""
    deployments = tables.deployments.c
    query = select(func.coalesce(func.max(deployments.number), 0))
    return int(connection.execute(query.where(deployments.tenant == tables.ledger_tenant)).scalar_one())


def marks(connection: Connection, tables: Tables, keys: Collection[Key]) -> dict[Key, tuple[Mark, ...]]:
    """All marks of `keys`, newest first; keys without one are absent."""
    return _read_marks(connection, _marks_query(tables).where(tables.among(tables.items.c.key, keys)))


def recent_marks(
    connection: Connection, tables: Tables, keys: Collection[Key] | None = None
) -> dict[Key, tuple[Mark, ...]]:
    """Per key its marks, newest first, down to and with the newest that a push wrote; of all keys without `keys`."""
    items, writes = tables.items.c, tables.items.alias("writes")
    newest = select(writes.c.key, func.max(writes.c.number).label("number")).where(
        writes.c.tenant == tables.ledger_tenant, writes.c.kind == MarkKind.PUSH.value, writes.c.is_write
    )
    floor = newest.group_by(writes.c.key).subquery("floor")
    query = (
        _marks_query(tables)
        .outerjoin(floor, floor.c.key == items.key)
        .where(items.number >= func.coalesce(floor.c.number, 0))
    )
    return _read_marks(connection, query if keys is None else query.where(tables.among(items.key, keys)))


def keys_deployed_since(
    connection: Connection, tables: Tables, keys: Collection[Key], number: int
) -> list[Key]:
    """Those of `keys` that a deployment after `number` has an item for, sorted."""
    items = tables.items.c
    query = select(items.key).where(
        tables.owned_items(), items.number > number, tables.among(items.key, keys)
    )
    return sorted(set(connection.execute(query).scalars()))


def add_deployment(
    connection: Connection, tables: Tables, deployment: Deployment, *, environment: str, actor: str | None
) -> int:
    """The number of the deployment just noted; the caller holds the lock, so numbers ascend without gaps."""
    number = newest_number(connection, tables) + 1
    row = {
        "tenant": tables.ledger_tenant,
        "number": number,
        "kind": deployment.kind.value,
        "environment": environment,
        "commit_id": deployment.commit,
        "actor": actor,
        "tool_version": gitsync.__version__,
    }
    connection.execute(insert(tables.deployments).values(**row, created_at=tables.now()))
    return number


def add_items(
    connection: Connection, tables: Tables, number: int, deployment: Deployment, items: Sequence[Item]
) -> None:
    """Note what a deployment did to each key."""
    rows = [
        _row(tables, number, item.change.key, _mark_of(item.change, deployment))
        | {
            "action": item.change.action.value,
            "replaced_document": item.replaced_document,
            "replaced_workflow_id": item.replaced_workflow_id,
            "workflow_id": item.workflow_id,
        }
        for item in items
    ]
    if rows:
        connection.execute(insert(tables.items).inline(), rows)


def add_marks(connection: Connection, tables: Tables, number: int, marks: Mapping[Key, Mark]) -> None:
    """Note keys that a run found in step, or pulled."""
    nothing = {"action": None, "replaced_document": None, "replaced_workflow_id": None, "workflow_id": None}
    rows = [_row(tables, number, key, mark) | nothing for key, mark in sorted(marks.items())]
    if rows:
        connection.execute(insert(tables.items).inline(), rows)


def _mark_of(change: Change, deployment: Deployment) -> Mark:
    return Mark(
        deployment.kind,
        change.after if change.action is not Action.DELETE else None,
        deployment.commit,
        replaced=change.before,
    )


def _row(tables: Tables, number: int, key: Key, mark: Mark) -> dict[str, Any]:
    return {
        "tenant": tables.ledger_tenant,
        "number": number,
        "key": key,
        "kind": mark.kind.value,
        "commit_id": mark.commit,
        "digest": mark.digest,
        "replaced_digest": mark.replaced,
        "is_write": mark.is_write,
    }


def _marks_query(tables: Tables) -> Select[Any]:
    items = tables.items.c
    return (
        select(
            items.key,
            items.kind,
            items.digest,
            items.commit_id,
            items.number,
            items.replaced_digest,
            items.is_write,
        )
        .where(tables.owned_items())
        .order_by(items.number.desc())
    )


def _read_marks(connection: Connection, query: Select[Any]) -> dict[Key, tuple[Mark, ...]]:
    found: dict[Key, list[Mark]] = {}
    for key, kind, digest, commit, number, replaced, is_write in iter_rows(connection.execute(query)):
        mark = Mark(MarkKind(kind), _digest(digest), commit, number, _digest(replaced), is_write)
        found.setdefault(key, []).append(mark)
    return {key: tuple(of_key) for key, of_key in found.items()}


def _digest(value: str | None) -> Digest | None:
    return None if value is None else Digest(value)
