"""The report of a plan that was not made, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitsync.commands.push import SkippedPlan
from gitsync.render.json import plan_json
from gitsync.render.markdown import render_skipped
from gitsync.sync.plan import Plan

if TYPE_CHECKING:
    from rich.console import Console


def print_text(report: SkippedPlan, console: Console, **_: object) -> None:
    """Print nothing: the note says all."""


def as_json(report: SkippedPlan, **_: object) -> dict[str, Any]:
    """Return an empty plan as ``-o json`` prints it."""
    plan = Plan((), (), (), (), 0, {})
    return plan_json("plan", plan, environment=report.environment, commit=None, warnings=[report.why])


def render_markdown(report: SkippedPlan, **_: object) -> str:
    """Return the page of a comment or a job's summary."""
    return render_skipped("plan", report.environment, report.why)
