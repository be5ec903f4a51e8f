"""The report of ``export`` and ``bundle join``, drawn, where the bundle went to a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitsync.commands.bundles import ExportReport
from gitsync.errors import plural
from gitsync.render.json import export_json
from gitsync.render.text import say

if TYPE_CHECKING:
    from rich.console import Console


def print_text(report: ExportReport, console: Console, *, file: str, **_: object) -> None:
    """Print how many workflows are in the file."""
    count = len(report.changes)
    say(console, f"{plural(count, 'workflow')} in {file}")


def as_json(report: ExportReport, *, file: str) -> dict[str, Any]:
    """Return the result as ``-o json`` prints it."""
    return export_json(
        report.changes,
        report.applied,
        environment=report.environment,
        commit=report.commit,
        file=file,
        warnings=report.warnings,
    )
