"""``gitsync plan``."""

from __future__ import annotations

from typing import Any

import click

from gitsync.cli.options import (
    common_options,
    examples,
    exit_code_option,
    keys_argument,
    ref_option,
    settings_of,
)
from gitsync.cli.policy import policy_options, push_options


@click.command(
    "plan",
    epilog=examples(
        "gitsync plan --update",
        "gitsync plan --update --prune --exit-code",
        "gitsync plan --ref origin/main -o json",
    ),
)
@keys_argument
@ref_option
@exit_code_option
@policy_options
@common_options
@click.pass_context
def command(
    context: click.Context, /, keys: tuple[str, ...], ref: str, exit_code: bool, **values: Any
) -> int:
    """Show what a push with the same options would do, and write nothing.

    Every problem that would stop the push is listed: invalid files, conflicts, limits.
    """
    from gitsync.cli.outcome import plan_exit
    from gitsync.cli.workspace import open_workspace
    from gitsync.errors import GitsyncError
    from gitsync.sync.push import check_push, find_problems, plan_push

    settings = settings_of(context)
    with open_workspace(settings) as workspace:
        options = push_options(workspace, values)
        side = workspace.commit_side(ref)
        database = workspace.database(command="plan", new_tenant=values["new_tenant"])
        comparison = workspace.compare(
            side, database, select=keys, registry=workspace.registry_at(side.commit)
        )
        plan = plan_push(comparison, options)
        problems = find_problems(plan, comparison, source=side, raw_calls=database.raw_calls)
        obstacle: GitsyncError | None = None
        try:
            check_push(plan, comparison, options, source=side, raw_calls=database.raw_calls)
        except GitsyncError as error:
            obstacle = error
        if settings.is_json:
            from gitsync.render.json import error_json, plan_json, render_json

            more = {
                "problems": [problem.as_json() for problem in problems],
                "wouldFail": error_json(obstacle) if obstacle else None,
                "warnings": list(comparison.database.warnings),
            }
            name = workspace.environment.name
            click.echo(
                render_json(plan_json("plan", plan, environment=name, commit=side.revision, **more)), nl=False
            )
        else:
            from gitsync.render.text import print_plan, say, summary

            console = settings.console()
            say(console, f"{workspace.environment.name}: {database.address}")
            print_plan(console, plan)
            say(
                console,
                summary(plan.changes, ("to create", "to overwrite", "to delete")) or "nothing to write",
            )
            if obstacle:
                say(console, f"a push would stop: {obstacle.message} [{obstacle.code}]", style="red")
                for problem in problems:
                    say(console, f"  {problem}")
                if obstacle.cure:
                    say(console, f"  next: {obstacle.cure}")
        if not exit_code:
            return 0
        return obstacle.exit_code if obstacle else plan_exit(plan)
