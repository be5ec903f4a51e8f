"""The report of ``push`` and ``apply``, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitsync.commands.push import PushReport
from gitsync.render.json import calls_json, error_part, ids_json, plan_json
from gitsync.render.markdown import Page, render_plan
from gitsync.render.tests import gate_json, gate_lines
from gitsync.render.text import print_plan, print_relinked, say, summary
from gitsync.sync.states import State

if TYPE_CHECKING:
    from rich.console import Console


def print_text(report: PushReport, console: Console, **_: object) -> None:
    """Print what was written and what stays apart."""
    print_plan(console, report.plan)
    print_relinked(console, report.plan.relinked)
    for line in gate_lines(report.gate):
        say(console, line)
    done = summary(report.plan.changes, ("created", "overwritten", "deleted"))
    in_step = sum(entry.state is State.IN_SYNC for entry in report.comparison.entries)
    say(console, f"{done or 'nothing to write'}; {in_step} were in step already")


def as_json(report: PushReport) -> dict[str, Any]:
    """Return the result as ``-o json`` prints it."""
    return plan_json(
        report.command,
        report.plan,
        environment=report.environment,
        commit=report.commit,
        deployment=report.deployment,
        createdWorkflows=ids_json(report.applied.created),
        deletedWorkflows=ids_json(report.applied.deleted),
        relinked=calls_json(report.plan.relinked),
        warnings=report.warnings,
        uncommitted=report.uncommitted,
        error=error_part(report.error),
        **gate_json(report.gate),
    )


def render_markdown(report: PushReport) -> str:
    """Return the page of a comment or a job's summary."""
    page = Page(
        report.command,
        report.environment,
        report.revision,
        report.plan,
        told=report.differences,
        obstacle=report.error,
        relinked=report.plan.relinked,
        notes=list(gate_lines(report.gate)),
        warnings=report.warnings,
    )
    return render_plan(page)
