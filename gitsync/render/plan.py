"""The report of ``plan``, drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gitsync.commands.push import PlanReport
from gitsync.render.json import calls_json, error_part, plan_json
from gitsync.render.markdown import Page, render_plan
from gitsync.render.tests import gate_json, gate_lines
from gitsync.render.text import print_plan, print_relinked, say, summary

if TYPE_CHECKING:
    from rich.console import Console


def print_text(report: PlanReport, console: Console, **_: object) -> None:
    """Print what a push would do, and what it would stop with."""
    objection = report.objection
    say(console, f"{report.environment}: {report.address}")
    print_plan(console, report.plan)
    print_relinked(console, _relinked(report))
    say(
        console,
        summary(report.plan.changes, ("to create", "to overwrite", "to delete")) or "nothing to write",
    )
    for line in _beside(report):
        say(console, line)
    if objection:
        say(console, f"a push would stop: {objection.message} [{objection.code}]", style="red")
        for entry in (*report.problems, *objection.lines):
            say(console, f"  {entry}")
        if objection.cure:
            say(console, f"  next: {objection.cure}")


def as_json(report: PlanReport) -> dict[str, Any]:
    """Return the result as ``-o json`` prints it."""
    return plan_json(
        "plan",
        report.plan,
        environment=report.environment,
        commit=report.commit,
        problems=[problem.as_json() for problem in report.problems],
        wouldFail=error_part(report.objection),
        relinked=calls_json(_relinked(report)),
        warnings=report.warnings,
        **gate_json(report.gate),
        **report.plan.flight.as_json(),
    )


def render_markdown(report: PlanReport) -> str:
    """Return the page of a comment or a job's summary."""
    page = Page(
        "plan",
        report.environment,
        report.commit,
        report.plan,
        told=report.differences,
        obstacle=report.objection,
        problems=report.problems,
        relinked=_relinked(report),
        notes=list(_beside(report)),
        warnings=report.warnings,
    )
    return render_plan(page)


def _relinked(report: PlanReport) -> Any:
    return () if _is_stopped(report) else report.plan.relinked


def _is_stopped(report: PlanReport) -> bool:
    """Whether something else than the tests speaks against the plan."""
    return report.objection is not None and report.gate.obstacle is None


def _beside(report: PlanReport) -> Iterator[str]:
    """The verdict of the tests, and what becomes of runs; what stops a push tells the latter itself."""
    yield from gate_lines(report.gate)
    if not _is_stopped(report):
        yield from (f"in flight: {line}" for line in report.plan.flight.lines())
