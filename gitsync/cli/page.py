"""The page of a push's plan, made before it is known how the push goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gitsync.cli.output import echo
from gitsync.commands.difference import tell_plan
from gitsync.commands.project import Project
from gitsync.errors import GitsyncError, Problem
from gitsync.render.markdown import Page, render_plan
from gitsync.stores.git.commit import CommitSide
from gitsync.sync.compare import Comparison
from gitsync.sync.model import Side
from gitsync.sync.plan import Plan
from gitsync.sync.push import find_warnings
from gitsync.sync.usage import Call


def make_page(
    command: str, project: Project, side: CommitSide, database: Side, comparison: Comparison, plan: Plan
) -> Page:
    """What a page tells of a plan; to be made while the database holds what the plan replaces."""
    return Page(
        command,
        project.environment.name,
        side.revision,
        plan,
        told=tell_plan(side, database, plan, comparison.entries),
        warnings=(*comparison.warnings, *map(str, find_warnings(plan, comparison))),
    )


def print_page(
    page: Page, obstacle: GitsyncError | None, relinked: Sequence[Call], *, problems: Sequence[Problem] = ()
) -> None:
    """The page with what came of the plan."""
    found = replace(page, obstacle=obstacle, problems=problems, relinked=relinked)
    echo(render_plan(found), nl=False)
