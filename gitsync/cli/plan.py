"""``gitsync plan``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from gitsync.cli.options import (
    PAGES,
    cache_option,
    common_options_with,
    complete_option,
    config_from_option,
    examples,
    exit_code_option,
    keys_argument,
    ref_option,
    server_options,
    settings_behind,
    settings_of,
)
from gitsync.cli.output import echo
from gitsync.cli.policy import policy_options, push_options

if TYPE_CHECKING:
    from gitsync.cli.options import Settings
    from gitsync.commands.project import Project
    from gitsync.commands.targets import Target
    from gitsync.errors import GitsyncError, Problem
    from gitsync.sync.plan import Plan
    from gitsync.sync.push import Outlook


@click.command(
    "plan",
    epilog=examples(
        "gitsync plan --update",
        "gitsync plan --update --prune --exit-code",
        "gitsync plan --ref origin/main -o json",
        "gitsync plan --update --test",
        "gitsync plan --update --out plan.json && gitsync apply plan.json",
    ),
)
@keys_argument
@ref_option
@config_from_option
@exit_code_option
@policy_options
@click.option("--out", metavar="FILE", help="Save the plan, for `gitsync apply FILE`.")
@cache_option
@complete_option
@server_options
@common_options_with(*PAGES)
@click.pass_context
def command(
    context: click.Context,
    /,
    keys: tuple[str, ...],
    ref: str,
    exit_code: bool,
    out: str | None,
    **values: Any,
) -> int:
    """Show what a push with the same options would do, and write nothing.

    Every problem that would stop the push is listed: invalid files, conflicts, limits, and what would be lost.
    With --out, a plan that nothing stops is saved with its policy, for `gitsync apply` to do exactly that.
    With --config-from, a revision without gitsync.yaml has no environment to plan for: that is said, and no error.
    """
    from gitsync.commands.project import NO_TRUSTED_CONFIGURATION
    from gitsync.errors import ConfigError

    settings = settings_of(context)
    try:
        return _plan(settings, keys, ref, exit_code=exit_code, out=out, values=values)
    except ConfigError as error:
        if error.code != NO_TRUSTED_CONFIGURATION:
            raise
        _skip(settings, f"no plan: {error.message}")
        return 0


def _skip(settings: Settings, why: str) -> None:
    """Say that there is nothing to plan for."""
    from gitsync.sync.plan import Plan

    name = settings.environment or settings.variables.get("GITSYNC_ENV") or ""
    if settings.is_json:
        from gitsync.render.json import plan_json, render_json

        empty = plan_json("plan", Plan((), (), (), (), 0, {}), environment=name, commit=None, warnings=[why])
        echo(render_json(empty), nl=False)
    elif settings.is_markdown:
        from gitsync.render.markdown import render_skipped

        echo(render_skipped("plan", name, why), nl=False)
    settings.tell(f"note: {why}")


def _plan(
    settings: Settings,
    keys: tuple[str, ...],
    ref: str,
    *,
    exit_code: bool,
    out: str | None,
    values: dict[str, Any],
) -> int:
    from gitsync.cli.beside import look_beside
    from gitsync.cli.files import write_output
    from gitsync.cli.outcome import plan_exit, tell_unchecked, tell_warnings
    from gitsync.commands.project import open_project
    from gitsync.commands.targets import check_target, find_obstacles, tell_limits
    from gitsync.errors import GitsyncError
    from gitsync.sync.push import Outlook, check_push, find_problems, find_warnings, plan_push
    from gitsync.sync.saved_plan import SavedPlan, render_saved_plan

    with open_project(settings.context()) as project:
        options = push_options(project, values)
        side = project.commit_side(ref)
        database = project.target(command="plan", in_place=options.in_place, new_tenant=values["new_tenant"])
        registry = project.registry_at(side.commit)
        tell_unchecked(settings, registry)
        comparison = project.compare(side, database, select=keys, registry=registry)
        plan = plan_push(comparison, options)
        problems = [
            *find_problems(plan, comparison, source=side, raw_calls=database.raw_calls),
            *find_obstacles(database, plan, comparison, side),
        ]
        doubts = find_warnings(plan, comparison)
        tell_warnings(settings, comparison.misplaced)
        tell_warnings(settings, doubts)
        obstacle: GitsyncError | None = None
        outlook = Outlook()
        try:
            outlook = check_push(plan, comparison, options, source=side, target=database)
            check_target(database, settings.context(), plan, comparison, side)
        except GitsyncError as error:
            obstacle = error
        beside = look_beside(project, side, database, plan, options, obstacle, is_tested=values["test"])
        obstacle = beside.obstacle
        if settings.is_json:
            from gitsync.render.json import calls_json, error_json, plan_json, render_json

            more: dict[str, Any] = {
                "problems": [problem.as_json() for problem in problems],
                "wouldFail": error_json(obstacle) if obstacle else None,
                "relinked": calls_json(outlook.relinked),
                "warnings": [*comparison.warnings, *map(str, doubts)],
                **beside.as_json(),
            }
            name = project.environment.name
            echo(
                render_json(plan_json("plan", plan, environment=name, commit=side.revision, **more)), nl=False
            )
        elif settings.is_markdown:
            from gitsync.cli.page import make_page, print_page

            print_page(
                replace(
                    make_page("plan", project, side, database, comparison, plan), notes=[*beside.lines()]
                ),
                obstacle,
                outlook.relinked,
                problems=problems,
            )
        else:
            _print_text(project, database, plan, outlook, obstacle, [*beside.lines()], problems)
        tell_limits(database, plan.changes, settings.context())
        if out is not None and obstacle is not None:
            settings.tell(f"{out} was not written, since a push would stop")
            return obstacle.exit_code
        if out is not None:
            saved = SavedPlan(
                environment=project.environment.name,
                database=database.identity(),
                commit=side.commit,
                keys=keys,
                options=options,
                number=comparison.number,
                changes=plan.changes,
                new_tenant=values["new_tenant"],
            )
            write_output(settings, out, render_saved_plan(saved))
            settings.tell(f"saved as {out}; next: `gitsync apply {out}`")
        if not exit_code:
            return 0
        return obstacle.exit_code if obstacle else plan_exit(plan)


def _print_text(
    project: Project,
    database: Target,
    plan: Plan,
    outlook: Outlook,
    obstacle: GitsyncError | None,
    told: Sequence[str],
    problems: Sequence[Problem],
) -> None:
    from gitsync.render.text import print_plan, print_relinked, say, summary

    console = settings_behind(project).console()
    say(console, f"{project.environment.name}: {database.address}")
    print_plan(console, plan)
    print_relinked(console, outlook.relinked)
    say(
        console,
        summary(plan.changes, ("to create", "to overwrite", "to delete")) or "nothing to write",
    )
    for text in told:
        say(console, text)
    if obstacle:
        say(console, f"a push would stop: {obstacle.message} [{obstacle.code}]", style="red")
        for line in (*problems, *obstacle.lines):
            say(console, f"  {line}")
        if obstacle.cure:
            say(console, f"  next: {obstacle.cure}")
