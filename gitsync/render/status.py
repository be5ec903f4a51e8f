"""The report of ``status``, drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gitsync.commands.status import StatusReport
from gitsync.render.json import status_json
from gitsync.render.markdown import render_status
from gitsync.render.text import print_advice, print_entries, print_unkeyed, say

if TYPE_CHECKING:
    from rich.console import Console


def print_text(
    report: StatusReport, console: Console, *, tell: Callable[[str], None], show_all: bool = False
) -> None:
    """Print what is apart, with advice; `show_all`: what is in step as well."""
    apart = report.apart
    place = f"commit {report.commit[:10]}" if report.commit else "no commit yet"
    say(console, f"{report.environment}: {report.address} and {place}")
    print_entries(console, report.entries if show_all else apart)
    in_step = len(report.entries) - len(apart)
    say(console, f"{in_step} in step" + (f", {len(apart)} apart" if apart else ""))
    print_advice(console, apart)
    for path in report.uncommitted.values():
        say(console, f"  uncommitted: {path}")
    print_unkeyed(console, report.comparison.database)
    for warning in (*report.comparison.warnings, *report.strays):
        tell(f"warning: {warning}")


def as_json(report: StatusReport, **_: object) -> dict[str, Any]:
    """Return the result as ``-o json`` prints it."""
    return status_json(
        report.comparison,
        report.entries,
        environment=report.environment,
        commit=report.commit,
        uncommitted=sorted(report.uncommitted),
    )


def render_markdown(report: StatusReport, *, show_all: bool = False) -> str:
    """Return the page of a comment or a job's summary, which lists what is apart alone."""
    return render_status(
        report.comparison,
        report.entries,
        environment=report.environment,
        commit=report.commit,
        uncommitted=list(report.uncommitted.values()),
        told=report.differences,
    )
