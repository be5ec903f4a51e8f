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
    from gitsync.cli.emit import emit
    from gitsync.commands.diff import diff
    from gitsync.commands.project import open_project

    settings = settings_of(context)
    with open_project(settings.context()) as project:
        report = diff(project, keys=keys, ref=ref)
        code = emit(report, settings, words=words)
    return code if exit_code or report.error else 0
