"""``gitsync token``."""

from __future__ import annotations

import click

from gitsync.cli.options import common_options, examples, settings_of


@click.group(
    "token",
    epilog=examples("gitsync token add ci --role read", "gitsync token list", "gitsync token revoke ci"),
)
@common_options
def command() -> None:
    """Say who may use `gitsync serve`: tokens, of which the database keeps hashes only."""


@command.command("add", epilog=examples("gitsync token add ci", "gitsync token add grafana --role read"))
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["admin", "read"]),
    default="admin",
    show_default=True,
    help="What it allows: all, or to look; exports and imports are an admin's.",
)
@common_options
@click.pass_context
def add(context: click.Context, /, name: str, role: str) -> int:
    """Make a token and print it, alone and this once: nobody can ever read it again."""
    from gitsync.cli.emit import emit
    from gitsync.commands.tokens import add_token

    settings = settings_of(context)
    return emit(add_token(settings.context(), name, role=role), settings)


@command.command("list", epilog=examples("gitsync token list", "gitsync token list --all -o json"))
@click.option("--all", "everything", is_flag=True, help="Show the revoked ones as well.")
@common_options
@click.pass_context
def list_(context: click.Context, /, everything: bool) -> int:
    """Show the tokens in use: name, role and since when; never the token."""
    from gitsync.cli.emit import emit
    from gitsync.commands.tokens import list_tokens

    settings = settings_of(context)
    return emit(list_tokens(settings.context(), with_revoked=everything), settings)


@command.command("revoke", epilog=examples("gitsync token revoke ci"))
@click.argument("name")
@common_options
@click.pass_context
def revoke(context: click.Context, /, name: str) -> int:
    """End a token's use; a running server refuses it from now on."""
    from gitsync.cli.emit import emit
    from gitsync.commands.tokens import revoke_token

    settings = settings_of(context)
    return emit(revoke_token(settings.context(), name), settings)
