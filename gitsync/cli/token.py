"""``gitsync token``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from gitsync.cli.options import Settings, common_options, examples, settings_of
from gitsync.cli.output import echo

if TYPE_CHECKING:
    from gitsync.stores.database.tokens import Tokens


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
    from gitsync.stores.database.tokens import Role

    settings = settings_of(context)
    with _tokens(settings) as (environment, tokens):
        token = tokens.add(name, Role(role))
        if settings.is_json:
            _print_json(environment, token=token, tokens=[{"name": name, "role": role}])
        else:
            echo(token)
    settings.tell(f"keep it: it cannot be shown again; `gitsync token revoke {name}` ends its use")
    return 0


@command.command("list", epilog=examples("gitsync token list", "gitsync token list --all -o json"))
@click.option("--all", "everything", is_flag=True, help="Show the revoked ones as well.")
@common_options
@click.pass_context
def list_(context: click.Context, /, everything: bool) -> int:
    """Show the tokens in use: name, role and since when; never the token."""
    settings = settings_of(context)
    with _tokens(settings) as (environment, tokens):
        found = tokens.list(with_revoked=everything)
    if settings.is_json:
        rows = [
            {
                "name": token.name,
                "role": token.role,
                "createdAt": str(token.created_at),
                "revokedAt": None if token.revoked_at is None else str(token.revoked_at),
            }
            for token in found
        ]
        _print_json(environment, tokens=rows)
        return 0
    width = max((len(token.name) for token in found), default=0)
    for token in found:
        revoked = "" if token.revoked_at is None else f", revoked {token.revoked_at}"
        echo(f"{token.name:<{width}}  {token.role:<5}  since {token.created_at}{revoked}")
    if not found:
        settings.tell("there is no token; `gitsync token add NAME` makes one")
    return 0


@command.command("revoke", epilog=examples("gitsync token revoke ci"))
@click.argument("name")
@common_options
@click.pass_context
def revoke(context: click.Context, /, name: str) -> int:
    """End a token's use; a running server refuses it from now on."""
    settings = settings_of(context)
    with _tokens(settings) as (environment, tokens):
        tokens.revoke(name)
    if settings.is_json:
        _print_json(environment, tokens=[{"name": name}])
    else:
        echo(f"revoked {name}")
    return 0


@contextmanager
def _tokens(settings: Settings) -> Iterator[tuple[str, Tokens]]:
    """The environment's name, and its tokens."""
    from gitsync.commands.project import database_url, read_settings
    from gitsync.stores.database.connect import make_engine, mask_url
    from gitsync.stores.database.tokens import Tokens

    config, folder = read_settings(settings.context())
    environment = config.environment(settings.environment, settings.variables)
    url = database_url(environment, folder)
    address = mask_url(url)
    settings.tell(f"{environment.name}: {address}")
    engine = make_engine(url, command="token", lock_timeout=settings.lock_timeout)
    try:
        yield environment.name, Tokens(engine, tenant=environment.tenant, address=address)
    finally:
        engine.dispose()


def _print_json(environment: str, **facts: Any) -> None:
    from gitsync.render.json import head, render_json

    echo(render_json({**head("token", environment=environment, commit=None), **facts}), nl=False)
