"""The report of ``db check``, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitsync.commands.tables import CheckReport
from gitsync.render.json import finding_json, head
from gitsync.render.text import print_finding, say

if TYPE_CHECKING:
    from rich.console import Console


def print_text(report: CheckReport, console: Console, **_: object) -> None:
    """Print the findings with their cures."""
    say(console, f"{report.environment}: {report.address}")
    for finding in report.findings:
        print_finding(console, finding)


def as_json(report: CheckReport, **_: object) -> dict[str, Any]:
    """Return the result as ``-o json`` prints it."""
    rows = [finding_json(finding) for finding in report.findings]
    return {**head("db", environment=report.environment, commit=None), "findings": rows}
