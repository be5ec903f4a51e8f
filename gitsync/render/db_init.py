"""The report of ``db init``, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitsync.commands.tables import TablesReport
from gitsync.render.json import head
from gitsync.render.text import say

if TYPE_CHECKING:
    from rich.console import Console


def print_text(report: TablesReport, console: Console, **_: object) -> None:
    """Print the names of the tables that were created."""
    for line in [f"created {name}" for name in report.created] or ["nothing to create"]:
        say(console, line)


def as_json(report: TablesReport, **_: object) -> dict[str, Any]:
    """Return the result as ``-o json`` prints it."""
    return {**head("db", environment=report.environment, commit=None), "created": report.created}
