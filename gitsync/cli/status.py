"""``gitsync status``."""

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
    "status",
    epilog=examples(
        "gitsync status",
        "gitsync status 'billing.*'",
        "gitsync status -e prod --exit-code",
        "gitsync status -o json | jq '.workflows[] | {key, state}'",
    ),
)
@keys_argument
@ref_option
@config_from_option
@exit_code_option
@click.option("--all", "show_all", is_flag=True, help="List the workflows that are in step as well.")
@cache_option
@server_options
@common_options_with(*PAGES)
@click.pass_context
def command(context: click.Context, keys: tuple[str, ...], ref: str, exit_code: bool, show_all: bool) -> int:
    """Show which side of each workflow has moved since the two were last in step.

    Compares the commit (HEAD) with the database; uncommitted files are flagged, not compared.
    Writes nothing, and needs no more than the right to read.
    """
    from gitsync.cli.outcome import drift_exit, finish, flag_invalid, unreadable_outcome
    from gitsync.commands.project import open_project
    from gitsync.stores.git.commit import WorkTree
    from gitsync.sync.states import State

    settings = settings_of(context)
    with open_project(settings.context()) as project:
        side = project.work_tree() if ref == "HEAD" and not project.git.is_bare else project.commit_side(ref)
        database = project.target(command="status")
        comparison = project.compare(
            side, database, select=keys, registry=project.registry_at(side.commit), is_loading=False
        )
        entries = flag_invalid(comparison)
        outcome = unreadable_outcome(entries)
        uncommitted = sorted(side.uncommitted) if isinstance(side, WorkTree) else []
        if settings.is_json:
            from gitsync.render.json import render_json, status_json

            value = status_json(
                comparison,
                entries,
                environment=project.environment.name,
                commit=side.revision,
                uncommitted=uncommitted,
            )
            echo(render_json(value), nl=False)
            return finish(settings, outcome) or (drift_exit(entries) if exit_code else 0)
        if settings.is_markdown:
            from gitsync.commands.difference import MOST_TOLD, Differ
            from gitsync.render.markdown import render_status

            moved = [entry for entry in entries if entry.state is not State.IN_SYNC][:MOST_TOLD]
            page = render_status(
                comparison,
                entries,
                environment=project.environment.name,
                commit=side.revision,
                uncommitted=[side.path(key) for key in uncommitted],
                told={
                    found.entry.key: found for found in Differ(project.git, side, database).differences(moved)
                },
            )
            echo(page, nl=False)
            return finish(settings, outcome) or (drift_exit(entries) if exit_code else 0)
        from gitsync.render.text import print_advice, print_entries, print_unkeyed, say

        console = settings.console()
        shown = [entry for entry in entries if show_all or entry.state is not State.IN_SYNC]
        apart = [entry for entry in shown if entry.state is not State.IN_SYNC]
        place = f"commit {side.revision[:10]}" if side.revision else "no commit yet"
        say(console, f"{project.environment.name}: {database.address} and {place}")
        print_entries(console, shown)
        in_step = len(entries) - len(apart)
        say(console, f"{in_step} in step" + (f", {len(apart)} apart" if apart else ""))
        print_advice(console, apart)
        for key in uncommitted:
            say(console, f"  uncommitted: {side.path(key)}")
        print_unkeyed(console, comparison.database)
        for warning in comparison.warnings:
            settings.tell(f"warning: {warning}")
        for problem in side.strays:
            settings.tell(f"warning: {problem}")
        return finish(settings, outcome) or (drift_exit(entries) if exit_code else 0)
