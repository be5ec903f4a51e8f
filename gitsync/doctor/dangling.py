"""Calls that lead nowhere: of ids that no workflow has, and of versions that are not published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from gitsync.errors import GitsyncError
from gitsync.stores.database.adopting import WorkflowRow
from gitsync.stores.database.tables import Tables
from gitsync.stores.database.usage import calls_in, may_call_in


@dataclass(frozen=True, slots=True)
class Dangling:
    """One call that leads nowhere, or to a workflow that cannot be in git.

    caller: the calling workflow, and which of its definitions, such as ``refund (version 2)``.
    called: the id, or the key and the version.
    """

    caller: str
    called: str
    is_version: bool = False
    is_unkeyed: bool = False


def find_dangling(
    connection: Connection, tables: Tables, rows: Sequence[WorkflowRow], keys_by_id: Mapping[str, str]
) -> list[Dangling]:
    """Return every call that leads nowhere, in no order. Only definitions that call anything are fetched."""
    stored = {row.workflow_id.lower(): row.workflow_id for row in rows}
    names = {row.workflow_id: keys_by_id.get(row.workflow_id, row.name) for row in rows}
    calls = [
        (caller, stored.get(called.lower(), called), version)
        for workflow_id, what, text in _iter_callers(connection, tables)
        if (caller := f"{names.get(workflow_id, workflow_id)} ({what})")
        for called, version in _calls(text)
    ]
    versions = tables.versions.c
    published = select(tables.as_text(versions.workflow_id), versions.version).where(
        tables.owned_versions(),
        tables.among(versions.workflow_id, {called for _, called, _ in calls if called in names}),
    )
    known = {(str(workflow_id), number) for workflow_id, number in connection.execute(published)}
    dangling = set()
    for caller, workflow_id, version in calls:
        if workflow_id not in names:
            dangling.add(Dangling(caller, workflow_id))
        elif workflow_id not in keys_by_id:
            dangling.add(Dangling(caller, f"{workflow_id} ({names[workflow_id]!r})", is_unkeyed=True))
        elif isinstance(version, int) and (workflow_id, version) not in known:
            dangling.add(Dangling(caller, f"{names[workflow_id]} version {version}", is_version=True))
    return list(dangling)


def _iter_callers(connection: Connection, tables: Tables) -> Iterator[tuple[str, str, str]]:
    """Yield (workflow id, ``draft`` or the version, the definition's JSON) of each definition with a call in it."""
    drafts, versions = tables.definitions.c, tables.versions.c
    query = select(tables.as_text(drafts.workflow_id), drafts.draft_definition)
    query = query.where(tables.owned(), may_call_in(tables, drafts.draft_definition))
    for workflow_id, text in connection.execute(query):
        yield str(workflow_id), "draft", text
    published = select(tables.as_text(versions.workflow_id), versions.version, versions.definition_json)
    published = published.where(tables.owned_versions(), may_call_in(tables, versions.definition_json))
    for workflow_id, version, text in connection.execute(published):
        yield str(workflow_id), f"version {version}", text


def _calls(text: str) -> list[tuple[str, object]]:
    """Return (id, version) of each call in one definition; none in one that is no JSON, which others report."""
    try:
        return list(calls_in(text))
    except (GitsyncError, ValueError):
        return []
