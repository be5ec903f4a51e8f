"""``gitsync import``."""

from __future__ import annotations

from typing import Any

import click

from gitsync.cli.options import common_options, complete_option, examples, server_options, settings_of


@click.command(
    "import",
    epilog=examples(
        "gitsync import bundle.json",
        "gitsync import --update bundle.json",
        "gitsync import --force --in-place - < bundle.json",
        "gitsync import --dry-run bundle.json",
        "gitsync import bundle.json --base-url https://psa.example.com --cookie NAME=VALUE",
    ),
)
@click.argument("file", metavar="FILE|-")
@click.option(
    "--update",
    is_flag=True,
    help="Also overwrite what nobody has edited in the database since gitsync wrote it.",
)
@click.option("--force", is_flag=True, help="Overwrite the workflows that exist.")
@click.option(
    "--in-place/--recreate", "in_place", default=None, help="Overwrite keeping the workflow's id, or not."
)
@click.option(
    "--discard-runs",
    is_flag=True,
    help="Let go of runs, schedules and webhooks that hang on what is deleted or changed.",
)
@click.option("--dry-run", is_flag=True, help="Check everything, write nothing.")
@click.option(
    "--max-overwrites", type=click.IntRange(min=0), metavar="N", help="Overwrite at most N workflows."
)
@click.option("--new-tenant", is_flag=True, help="The tenant is meant to have no workflows yet.")
@complete_option
@server_options
@common_options
@click.pass_context
def command(context: click.Context, /, file: str, dry_run: bool, **values: Any) -> int:
    """Import a workflow bundle (format 1) into the database, or over a server, all of it or nothing.

    Without a policy every key that exists already is a conflict, and nothing is written.
    """
    from gitsync.cli.emit import emit
    from gitsync.cli.files import read_input
    from gitsync.commands.imports import import_bundle

    settings = settings_of(context)
    if values["update"] and values["force"]:
        raise click.UsageError("--update and --force are two policies; choose one")
    data = read_input(settings, file, what="a bundle")
    name = "standard input" if file == "-" else file
    return emit(import_bundle(settings.context(), data, file=name, dry_run=dry_run, **values), settings)
