"""``gitsync fmt``."""

from __future__ import annotations

import click

from gitsync.cli.options import common_options, examples, settings_of


@click.command(
    "fmt",
    epilog=examples(
        "gitsync fmt",
        "gitsync fmt workflows/onboarding.client.json",
        "gitsync fmt --check --diff",
    ),
)
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 where a file would change.")
@click.option("--diff", is_flag=True, help="Show what changes.")
@click.option(
    "--staged",
    is_flag=True,
    help="As a hook before a commit: take the files that are staged, pass over what is none of gitsync's, and "
    "exit 1 where one was changed, so that it can be staged again.",
)
@common_options
@click.pass_context
def command(context: click.Context, /, files: tuple[str, ...], check: bool, diff: bool, staged: bool) -> int:
    """Write workflow files in canonical form, with the dependencies that their definitions have.

    What a push would send stays the same. A file is written whole or not at all; one that is no workflow,
    or whose text could be read in two ways, is left alone, named, and makes the exit code 4.
    """
    from gitsync.cli.emit import emit
    from gitsync.commands.format import format as format_files

    settings = settings_of(context)
    if diff and settings.output == "json":
        raise click.UsageError("--diff prints lines, and -o json one object; choose one")
    report = format_files(settings.context(), files, check=check, staged=staged, with_differences=diff)
    return emit(report, settings)
