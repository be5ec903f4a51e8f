"""``gitsync diff``."""

from __future__ import annotations

import click

from gitsync.cli.options import (
    PAGES,
    cache_option,
    common_options_with,
    config_from_option,
    examples,
    exit_code_option,
    keys_argument,
    ref_option,
    server_options,
    settings_of,
)
from gitsync.cli.output import echo


@click.command(
    "diff",
    epilog=examples(
        "gitsync diff",
        "gitsync diff billing.dunning",
        "gitsync diff --words",
        "gitsync diff --ref origin/main --exit-code",
    ),
)
@keys_argument
@ref_option
@config_from_option
@exit_code_option
@click.option("--words", is_flag=True, help="One line per workflow, without the lines of the files.")
@cache_option
@server_options
@common_options_with(*PAGES)
@click.pass_context
def command(context: click.Context, keys: tuple[str, ...], ref: str, exit_code: bool, words: bool) -> int:
    """Show what differs between git and the database, in words and line by line.

    Each difference reads as the side that moved would bring it: git's edits lead from the database's content to
    git's, as a push; the database's edits lead from git's content to the database's, as a pull. Where both have
    moved, both changes are shown against their base, if the base's content is in git.
    """
    from gitsync.cli.outcome import drift_exit, finish, tell_warnings, unreadable_outcome
    from gitsync.commands.difference import Differ
    from gitsync.commands.project import open_project
    from gitsync.render.difference import MASKED
    from gitsync.sync.states import State

    settings = settings_of(context)
    with open_project(settings.context()) as project:
        side = project.commit_side(ref)
        database = project.target(command="diff")
        comparison = project.compare(side, database, select=keys)
        tell_warnings(settings, comparison.misplaced)
        apart = [entry for entry in comparison.entries if entry.state is not State.IN_SYNC]
        differ = Differ(project.git, side, database)
        if settings.is_json:
            from gitsync.render.json import head, render_json

            value = {
                **head("diff", environment=project.environment.name, commit=side.revision),
                "workflows": [
                    {**found.entry.as_json(), "summary": found.words, "diff": list(found.lines)}
                    for found in differ.differences(apart)
                ],
            }
            echo(render_json(value), nl=False)
        elif settings.is_markdown:
            from gitsync.commands.difference import MOST_TOLD
            from gitsync.render.markdown import render_diff

            page = render_diff(
                apart,
                differ.differences(apart[:MOST_TOLD]),
                environment=project.environment.name,
                commit=side.revision,
                lines=not words,
            )
            echo(page, nl=False)
        else:
            from gitsync.render.text import print_diff, say

            console = settings.console()
            for found in differ.differences(apart):
                say(console, f"{found.entry.key}: {found.entry.state}: {found.words}", style="bold")
                if not words:
                    print_diff(console, iter(found.lines))
            if not apart:
                settings.tell("no differences")
        if differ.secrets and not settings.is_markdown:
            settings.tell(f"note: {MASKED}")
        return finish(settings, unreadable_outcome(apart)) or (drift_exit(apart) if exit_code else 0)
