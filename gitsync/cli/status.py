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
    from gitsync.cli.emit import emit
    from gitsync.commands.project import open_project
    from gitsync.commands.status import status

    settings = settings_of(context)
    with open_project(settings.context()) as project:
        report = status(project, keys=keys, ref=ref, with_words=settings.is_markdown)
        code = emit(report, settings, show_all=show_all)
    return code if exit_code or report.error else 0
