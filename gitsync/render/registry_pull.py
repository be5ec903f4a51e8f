"""The report of ``registry pull``, drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gitsync.commands.registry import RegistryReport
from gitsync.render.json import registry_text
from gitsync.render.text import say
from gitsync.workflow.registry_file import registry_json

if TYPE_CHECKING:
    from rich.console import Console


def print_text(report: RegistryReport, console: Console, *, tell: Callable[[str], None], **_: object) -> None:
    """Print what changed in the file, and what the server could not tell."""
    for sign, kind, style in (("+", "added", "green"), ("-", "removed", "red"), ("~", "changed", "yellow")):
        for change in report.changes[kind]:
            say(console, f"  {sign} {change}", style=style)
    registry = report.offers.registry
    counts = f"{len(registry.actions)} actions, {len(registry.node_types)} node types, {len(registry.schemas)} schemas"
    say(
        console,
        f"{report.name}: {counts}" if report.is_written else f"{report.name} is up to date: {counts}",
    )
    for note in report.offers.notes:
        tell(f"note: {note}")
    for ref in report.offers.unknown_refs:
        tell(f"warning: {ref} is named by an event or a workflow, and the server does not know it")


def as_json(report: RegistryReport, **_: object) -> str:
    """Return the result as ``-o json`` prints it."""
    return registry_text(
        {
            "environment": report.environment,
            "file": str(report.path),
            **registry_json(report.offers.registry),
            "changes": report.changes,
            "written": report.is_written,
            "unknownSchemaRefs": list(report.offers.unknown_refs),
            "warnings": list(report.offers.notes),
        }
    )
