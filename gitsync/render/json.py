"""The commands' results as JSON; each has a schema of its own in ``schemas/``."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson

from gitsync.doctor.finding import Finding
from gitsync.errors import GitsyncError
from gitsync.printable import printable_json
from gitsync.sync.compare import Comparison
from gitsync.sync.imports import PlannedImport
from gitsync.sync.model import Applied, Change
from gitsync.sync.plan import Entry, Plan
from gitsync.sync.usage import Call
from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.types import Key


def render_json(value: Mapping[str, Any]) -> str:
    """The value as indented JSON with one line feed at the end."""
    try:
        text = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
    except (
        orjson.JSONEncodeError
    ):  # a file's name that is no UTF-8, whose bytes Python keeps as half characters
        text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    return printable_json(text)


def head(name: str, *, environment: str, commit: str | None) -> dict[str, Any]:
    """What each result begins with."""
    return {"format": f"gitsync.{name}", "formatVersion": 1, "environment": environment, "commit": commit}


def change_json(change: Change) -> dict[str, Any]:
    """One change of a plan."""
    return {"key": change.key, "action": change.action.value, "before": change.before, "after": change.after}


def finding_json(finding: Finding) -> dict[str, Any]:
    """Return what a check found."""
    return {
        "name": finding.name,
        "level": finding.level.value,
        "message": finding.message,
        "cure": finding.cure or None,
    }


def entries_json(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Entries in the order given."""
    return [entry.as_json() for entry in entries]


def ids_json(ids: Mapping[Key, str]) -> list[dict[str, str]]:
    """Keys with their workflow ids, sorted by key."""
    return [{"key": key, "workflowId": workflow_id} for key, workflow_id in sorted(ids.items())]


def calls_json(calls: Sequence[Call]) -> list[dict[str, Any]]:
    """Calls that name another id now: whose, where, and the id that they named."""
    return [
        {
            "key": call.key,
            "workflowId": call.caller,
            "version": call.version,
            "called": call.called,
        }
        for call in calls
    ]


def status_json(
    comparison: Comparison,
    entries: Sequence[Entry],
    *,
    environment: str,
    commit: str | None,
    uncommitted: Sequence[str],
) -> dict[str, Any]:
    """The result of ``status``."""
    return {
        **head("status", environment=environment, commit=commit),
        "workflows": entries_json(entries),
        "unkeyed": [
            {"workflowId": row.workflow_id, "name": row.name, "reason": row.reason}
            for row in comparison.database.unkeyed
        ],
        "uncommitted": sorted(uncommitted),
        "warnings": comparison.warnings,
    }


def plan_json(name: str, plan: Plan, *, environment: str, commit: str | None, **more: Any) -> dict[str, Any]:
    """The result of ``plan``, ``push`` or ``pull``."""
    return {
        **head(name, environment=environment, commit=commit),
        "changes": [change_json(change) for change in plan.changes],
        "conflicts": entries_json(plan.conflicts),
        "refused": entries_json(plan.refused),
        "left": entries_json(plan.left),
        **more,
    }


def export_json(
    changes: Sequence[Change],
    applied: Applied,
    *,
    environment: str,
    commit: str | None,
    file: str,
    warnings: Collection[str],
) -> dict[str, Any]:
    """The result of ``export`` and ``bundle join`` into a file; the ids are those in the bundle."""
    return {
        **head("export", environment=environment, commit=commit),
        "file": file,
        "workflows": [
            {"key": change.key, "digest": change.after, "workflowId": applied.created[change.key]}
            for change in changes
        ],
        "warnings": list(warnings),
    }


def split_json(changes: Sequence[Change], *, folder: str, warnings: Collection[str]) -> dict[str, Any]:
    """The result of ``bundle split``."""
    return {
        **head("split", environment="repository", commit=None),
        "folder": folder,
        "changes": [change_json(change) for change in changes],
        "warnings": list(warnings),
    }


def import_json(planned: PlannedImport, applied: Applied, *, environment: str) -> dict[str, Any]:
    """The result of ``import``: the product's own summary, and what gitsync has to add."""
    return {
        **head("import", environment=environment, commit=None),
        "changes": [change_json(change) for change in planned.changes],
        **summary_json(applied),
        "deployment": applied.number,
        "warnings": [*map(str, planned.problems), *planned.warnings],
    }


def summary_json(applied: Applied) -> dict[str, Any]:
    """What an import did, as the product's own summary has it."""
    return {
        "createdWorkflows": ids_json(applied.created),
        "deletedWorkflows": ids_json(applied.deleted),
        "createdPublishedVersions": [
            {"key": key, "workflowId": applied.created.get(key), "versions": list(versions)}
            for key, versions in sorted(applied.versions.items())
            if versions
        ],
    }


def error_json(error: GitsyncError) -> dict[str, Any]:
    """An error as ``-o json`` prints it."""
    return {
        "format": "gitsync.error",
        "formatVersion": 1,
        "code": error.code,
        "message": error.message,
        "details": error.details,
        "cure": error.cure,
    }


def error_part(error: GitsyncError | None) -> dict[str, Any] | None:
    """Return an error as a part of a result, of a run that wrote something first, say."""
    return None if error is None else error_json(error)


def registry_text(value: dict[str, Any]) -> str:
    """Return a result about the registry as JSON, in the form that keeps every digit of a schema's numbers."""
    head: dict[str, Any] = {"format": "gitsync.registry", "formatVersion": 1, "commit": None}
    return printable_json(canonical_bytes(head | value).decode())
