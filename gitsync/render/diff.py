"""The report of ``diff``, drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gitsync.commands.diff import DiffReport
from gitsync.commands.difference import MOST_TOLD
from gitsync.render.difference import diff_lines
from gitsync.render.json import head
from gitsync.render.markdown import render_diff
from gitsync.render.text import print_diff, say

if TYPE_CHECKING:
    from rich.console import Console


def print_text(
    report: DiffReport, console: Console, *, tell: Callable[[str], None], words: bool = False
) -> None:
    """Print each difference; `words`: without the lines of the files."""
    for one in report.differences:
        say(console, f"{one.entry.key}: {one.entry.state}: {one.words}", style="bold")
        if not words:
            print_diff(console, iter(diff_lines(one)))
    if not report.apart:
        tell("no differences")


def as_json(report: DiffReport, **_: object) -> dict[str, Any]:
    """Return the result as ``-o json`` prints it."""
    return {
        **head("diff", environment=report.environment, commit=report.commit),
        "workflows": [
            {**one.entry.as_json(), "summary": one.words, "diff": diff_lines(one)}
            for one in report.differences
        ],
    }


def render_markdown(report: DiffReport, *, words: bool = False) -> str:
    """Return the page of a comment or a job's summary."""
    return render_diff(
        report.apart,
        report.differ.differences(report.apart[:MOST_TOLD]),
        environment=report.environment,
        commit=report.commit,
        lines=not words,
    )
