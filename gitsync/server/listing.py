"""Rows as the product's own API shows them: every column, JSON parsed, times as JavaScript writes them."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, Row, Table, func, select

from gitsync.stores.database.product import Kind, kind_of
from gitsync.stores.database.tables import Tables
from gitsync.workflow.parse import parse_stored
from gitsync.workflow.types import Json

_SQLITE_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,3}))?\d*")


def iter_definition_rows(
    connection: Connection, tables: Tables, *, with_hidden: bool
) -> Iterator[dict[str, Json]]:
    """Yield every definition row of the tenant by id, with its newest published version.

    with_hidden: also those whose ``is_visible`` is false, which the product shows to administrators alone.
    """
    definitions, versions = tables.definitions, tables.versions
    newest = (
        select(versions.c.workflow_id, func.max(versions.c.version).label("published_version"))
        .where(tables.owned_versions())
        .group_by(versions.c.workflow_id)
        .subquery("newest")
    )
    query = (
        select(definitions, newest.c.published_version)
        .outerjoin(newest, newest.c.workflow_id == definitions.c.workflow_id)
        .where(tables.owned())
        .order_by(definitions.c.workflow_id)
    )
    if not with_hidden:
        query = query.where(definitions.c.is_visible)
    for row in connection.execute(query):
        yield {**_as_json(row), "schedule_state": None}


def read_version_list(
    connection: Connection, tables: Tables, workflow_id: str
) -> list[dict[str, Json]] | None:
    """Return number, time of publication and of creation of each version, newest first; ``None`` for no such workflow."""
    if _draft(connection, tables, workflow_id) is None:
        return None
    versions = tables.versions.c
    query = select(
        *(versions[name] for name in ("version", "published_at", "created_at") if name in versions)
    ).where(tables.owned_versions(), versions.workflow_id == workflow_id)
    nothing: dict[str, Json] = {"published_at": None, "created_at": None}
    return [nothing | _as_json(row) for row in connection.execute(query.order_by(versions.version.desc()))]


def read_version(
    connection: Connection, tables: Tables, workflow_id: str, version: int
) -> dict[str, Json] | None:
    """Return the version's row, else the draft where it has this number, else ``None``."""
    draft = _draft(connection, tables, workflow_id)
    if draft is None:
        return None
    versions: Table = tables.versions
    query = select(versions).where(
        tables.owned_versions(), versions.c.workflow_id == workflow_id, versions.c.version == version
    )
    row = connection.execute(query).first()
    if row is not None:
        return _as_json(row)
    draft_version, definition = draft
    if draft_version != version:
        return None
    return {
        "workflow_id": workflow_id,
        "version": version,
        "definition_json": parse_stored(definition),
        "draft_version": version,
        "is_draft": True,
        "published_at": None,
    }


def read_key(connection: Connection, tables: Tables, workflow_id: str) -> tuple[str | None] | None:
    """Return the workflow's key in a tuple, since a workflow may have none; ``None`` for no such workflow."""
    definitions = tables.definitions.c
    row = connection.execute(
        select(definitions.key).where(tables.owned(), definitions.workflow_id == workflow_id)
    ).first()
    return None if row is None else (row[0],)


def _draft(connection: Connection, tables: Tables, workflow_id: str) -> tuple[int, str] | None:
    definitions = tables.definitions.c
    query = select(definitions.draft_version, definitions.draft_definition)
    row = connection.execute(query.where(tables.owned(), definitions.workflow_id == workflow_id)).first()
    return None if row is None else (row[0], row[1])


def _as_json(row: Row[Any]) -> dict[str, Json]:
    names = row._fields
    return {name: _value(name, value) for name, value in zip(names, row, strict=True)}


def _value(name: str, value: Any) -> Json:
    if value is None:
        return None
    kind = kind_of(name)
    if kind is Kind.SHARE:
        return f"{Decimal(str(value)):.2f}"
    if kind is Kind.JSON and isinstance(value, str):
        return parse_stored(value)
    if isinstance(value, dt.datetime):
        utc = value.astimezone(dt.UTC) if value.tzinfo else value.replace(tzinfo=dt.UTC)
        return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if kind is Kind.TIME and (match := _SQLITE_TIME.fullmatch(str(value))):
        return f"{match[1]}T{match[2]}.{match[3] or '0':0<3}Z"
    if isinstance(value, (uuid.UUID, dt.date, dt.time, dt.timedelta, Decimal)):
        return str(value)
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).hex()
    return value  # type: ignore[no-any-return]
