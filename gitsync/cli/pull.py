"""``gitsync pull``."""

from __future__ import annotations

from typing import Any

import click

from gitsync.cli.options import (
    PAGES,
    cache_option,
    common_options_with,
    complete_option,
    examples,
    keys_argument,
    server_options,
    settings_of,
)


@click.command(
    "pull",
    epilog=examples(
        "gitsync pull",
        'gitsync pull --commit -m "Edits made in production"',
        "gitsync pull -e prod 'billing.*'",
        "gitsync pull --force billing.dunning    the database's version wins",
        "gitsync pull --prune                    also delete files whose workflow was deleted there",
        "gitsync pull --branch from-prod billing.dunning && git merge from-prod",
    ),
)
@keys_argument
@click.option("--commit", is_flag=True, help="Commit what was pulled, and nothing else.")
@click.option(
    "--branch",
    metavar="NAME",
    help="Commit on this branch instead, from where both sides were last in step, for git to merge.",
)
@click.option("-m", "--message", metavar="TEXT", help="The commit's message (with --commit or --branch).")
@click.option(
    "--prune", is_flag=True, help="Also delete the files of workflows that were deleted in the database."
)
@click.option(
    "--force", is_flag=True, help="The database's version wins, over git's and over edits not yet committed."
)
@click.option("--no-gpg-sign", is_flag=True, help="Don't sign the commit, whatever commit.gpgSign says.")
@click.option("--max-deletes", type=click.IntRange(min=0), metavar="N", help="Delete at most N files.")
@cache_option
@complete_option
@server_options
@common_options_with(*PAGES)
@click.pass_context
def command(context: click.Context, /, no_gpg_sign: bool, **values: Any) -> int:
    """Bring the database's edits into the files of the work tree.

    Writes each workflow that only the database has changed; the rest is listed, and makes the exit code 3.
    Files with uncommitted edits are left alone. With --commit, what was written becomes one commit that
    notes where it came from; no hook runs for it, and it is signed where commit.gpgSign says so.

    With --branch that commit is made on a branch of its own, with what has diverged as well, and nothing else
    is touched: neither the work tree nor the index nor HEAD. Merge it, and what both sides have changed is
    settled by git.
    """
    from gitsync.cli.emit import emit
    from gitsync.commands.project import open_project
    from gitsync.commands.pull import check_wishes, pull

    settings = settings_of(context)
    wishes = values | {"sign": not no_gpg_sign}
    check_wishes(**wishes)
    with open_project(settings.context()) as project:
        return emit(pull(project, with_words=settings.is_markdown, **wishes), settings)
