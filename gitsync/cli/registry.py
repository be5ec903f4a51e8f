"""``gitsync registry``."""

from __future__ import annotations

import click

from gitsync.cli.options import common_options, examples, server_options, settings_of


@click.group(
    "registry",
    epilog=examples("gitsync registry pull -e hosted", "gitsync registry show 'email.*'"),
)
@common_options
def command() -> None:
    """Fetch and show what the runtime offers: actions, node types, schema refs."""


@command.command(
    "pull",
    epilog=examples(
        "gitsync registry pull -e hosted",
        "gitsync registry pull --base-url https://psa.example.com --api-key KEY",
        "gitsync registry pull -e hosted --force     over your own edits of the file",
    ),
)
@click.option("--force", is_flag=True, help="Replace the file although it has edits that are not committed.")
@server_options
@common_options
@click.pass_context
def pull(context: click.Context, /, *, force: bool) -> int:
    """Write the registry's file from what a server says it offers.

    The whole file is replaced: actions with the schemas of their input and output, node types, and each schema
    that an event, a workflow on the server, or a file in git names and the server knows. The same answers make the
    same bytes, so that git shows what has changed. An API key is enough.
    """
    from gitsync.cli.emit import emit
    from gitsync.commands.project import open_project
    from gitsync.commands.registry import pull_registry

    settings = settings_of(context)
    with open_project(settings.context()) as project:
        return emit(pull_registry(project, force=force), settings)


@command.command(
    "show",
    epilog=examples(
        "gitsync registry show", "gitsync registry show 'email.*'", "gitsync registry show -o json"
    ),
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@common_options
@click.pass_context
def show(context: click.Context, /, names: tuple[str, ...]) -> int:
    """Show what the registry's file offers: all, or what fits a NAME or glob.

    An action is shown with the members of its input, those that may be left out with a question mark.
    """
    from gitsync.cli.emit import emit
    from gitsync.commands.registry import show_registry

    settings = settings_of(context)
    return emit(show_registry(settings.context(), names), settings)
