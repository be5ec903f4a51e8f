"""The report of ``import``, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitsync.commands.imports import ImportReport
from gitsync.render.json import import_json
from gitsync.render.text import print_changes, say, summary

if TYPE_CHECKING:
    from rich.console import Console


def print_text(report: ImportReport, console: Console, **_: object) -> None:
    """Print what was imported, or would be."""
    changes = report.planned.changes
    print_changes(console, changes)
    done = summary(changes, ("created", "overwritten", "deleted")) or "nothing to import"
    say(console, f"would be: {done}" if report.dry_run else done)


def as_json(report: ImportReport, **_: object) -> dict[str, Any]:
    """Return the result as ``-o json`` prints it."""
    value = import_json(report.planned, report.applied, environment=report.environment)
    return value | {"dryRun": report.dry_run}
