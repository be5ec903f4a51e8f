"""The report of ``bundle split``, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitsync.commands.bundles import SplitReport
from gitsync.render.json import split_json
from gitsync.render.text import print_changes, say, summary

if TYPE_CHECKING:
    from rich.console import Console


def print_text(report: SplitReport, console: Console, **_: object) -> None:
    """Print what was written where."""
    print_changes(console, report.changes)
    done = summary(report.changes, ("written", "overwritten", "deleted")) or "nothing to write"
    say(console, f"{done} in {report.folder}")


def as_json(report: SplitReport) -> dict[str, Any]:
    """Return the result as ``-o json`` prints it."""
    return split_json(report.changes, folder=str(report.folder), warnings=report.warnings)
