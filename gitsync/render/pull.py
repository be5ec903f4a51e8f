"""The report of ``pull``, drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from gitsync.commands.pull import PulledBranch, PullReport
from gitsync.errors import plural
from gitsync.render.json import entries_json, error_part, plan_json
from gitsync.render.markdown import Page, render_plan
from gitsync.render.text import print_plan, print_unkeyed, say, summary
from gitsync.sync.model import Action

if TYPE_CHECKING:
    from rich.console import Console


def print_text(report: PullReport, console: Console, *, tell: Callable[[str], None], **_: object) -> None:
    """Print what was written and what stays apart; tell the warnings."""
    plan = report.plan
    print_plan(console, plan)
    if report.branch is not None:
        _print_branch(report, report.branch, console)
    else:
        nothing = "nothing to pull" if report.error is None else "nothing was pulled"
        say(console, summary(plan.changes, ("written", "overwritten", "deleted")) or nothing)
        if report.commit:
            say(console, f"commit {report.commit[:10]}")
    print_unkeyed(console, report.comparison.database)
    for warning in report.warnings:
        tell(f"warning: {warning}")


def as_json(report: PullReport) -> dict[str, Any]:
    """Return the result as ``-o json`` prints it."""
    branch = report.branch
    place = (
        {}
        if branch is None
        else {"branch": {"name": branch.name, "commit": branch.commit, "base": branch.base}}
    )
    return plan_json(
        "pull",
        report.plan,
        environment=report.environment,
        commit=report.commit or report.revision,
        committed=report.commit is not None,
        **place,
        uncommitted=entries_json(report.edited),
        warnings=report.warnings,
        error=error_part(report.error),
    )


def render_markdown(report: PullReport) -> str:
    """Return the page of a comment or a job's summary."""
    page = Page(
        "pull",
        report.environment,
        report.commit or report.revision,
        report.plan,
        told=report.differences,
        obstacle=report.error,
        notes=[] if report.branch is None else list(_branch_lines(report, report.branch)),
        warnings=report.warnings,
    )
    return render_plan(page)


def _print_branch(report: PullReport, branch: PulledBranch, console: Console) -> None:
    for line in _branch_lines(report, branch):
        say(console, line)
    deleted_keys = [
        entry.key for entry in report.plan.left if entry.database is None and entry.base != entry.database
    ]
    if deleted_keys:
        keys = ", ".join(deleted_keys)
        say(console, f"deleted in the database: {keys}; --prune deletes them on the branch, too")


def _branch_lines(report: PullReport, branch: PulledBranch) -> Iterator[str]:
    """Yield the branch in words, and what to type next."""
    if not report.plan.changes:
        yield "nothing to pull; no branch was touched"
        return
    if report.commit is None:
        yield f"branch {branch.name} holds all of it already"
    else:
        after = ", after the pull before" if branch.is_continued else ""
        yield f"branch {branch.name}: commit {report.commit[:10]}{after}"
        if branch.base is not None:
            back = branch.behind
            ago = f"{plural(back, 'commit')} before HEAD" if back else "HEAD"
            yield f"it starts at commit {branch.base[:10]} ({ago}), where these workflows were last in step"
        elif report.revision is not None:
            yield "it has no commit in common with HEAD: none here has what both sides held last"
    yield f"next: `git merge {''.join(f'{option} ' for option in _merge_options(report, branch))}{branch.name}`"


def _merge_options(report: PullReport, branch: PulledBranch) -> Iterator[str]:
    """Yield what ``git merge`` has to be told to merge the branch rightly."""
    if any(change.action is not Action.UPDATE for change in report.plan.changes):
        # git may take a workflow made on one side for one deleted there, renamed, and merge two workflows into one;
        # `-X no-renames` would say it, but git 2.39 doesn't listen
        yield "-X find-renames=100%"
    if report.commit is not None and branch.base is None and report.revision is not None:
        yield "--allow-unrelated-histories"
