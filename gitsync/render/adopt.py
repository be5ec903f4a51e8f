"""The report of ``adopt``, drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gitsync.commands.adopt import AdoptReport
from gitsync.render.json import head
from gitsync.render.text import say

if TYPE_CHECKING:
    from rich.console import Console


def print_text(
    report: AdoptReport, console: Console, *, tell: Callable[[str], None], chosen: str | None
) -> None:
    """Print the adopted, or a command for each suggestion; `chosen`: the environment that was named."""
    option = f" -e {chosen}" if chosen else ""
    for item in report.suggestions:
        say(
            console,
            f"gitsync adopt{option} {item.workflow_id} {item.key}  # {item.name!r}: {item.reason}",
        )
    for row in report.adopted:
        before = f", instead of {row.before!r}" if row.before is not None else ""
        say(console, f"  + {row.key}  {row.workflow_id} {row.name!r}{before}")
    if report.adopted:
        say(console, f"{'would be: ' if report.dry_run else ''}{len(report.adopted)} adopted")
        if not report.dry_run:
            tell("next: `gitsync pull` brings them into git")
    elif not report.suggestions:
        tell("every workflow has a key of its own")


def as_json(report: AdoptReport, **_: object) -> dict[str, Any]:
    """Return the result as ``-o json`` prints it."""
    return {
        **head("adopt", environment=report.environment, commit=None),
        "dryRun": report.dry_run,
        "adopted": [
            {"workflowId": item.workflow_id, "key": item.key, "name": item.name, "before": item.before}
            for item in report.adopted
        ],
        "suggestions": [
            {"workflowId": item.workflow_id, "key": item.key, "name": item.name, "reason": item.reason}
            for item in report.suggestions
        ],
    }
