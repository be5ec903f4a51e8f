"""``gitsync db``."""

from __future__ import annotations

import click

from gitsync.cli.options import common_options, examples, settings_of


@click.group("db")
@common_options
def command() -> None:
    """Prepare and check the database of an environment."""


@command.command("init", epilog=examples("gitsync db init", "gitsync db init -e prod"))
@common_options
@click.pass_context
def init(context: click.Context) -> int:
    """Create gitsync's own tables, and nothing that exists already.

    Where neither of the product's workflow tables exists, as in a new embedded database, they are made as well.
    The product's tables are never altered.
    """
    from gitsync.cli.emit import emit
    from gitsync.commands.tables import create_tables

    settings = settings_of(context)
    return emit(create_tables(settings.context()), settings)


@command.command("check", epilog=examples("gitsync db check", "gitsync db check -e prod -o json"))
@common_options
@click.pass_context
def check(context: click.Context) -> int:
    """Look at the database alone: connection, tables, tenant, keys, calls, authors, ledger, rights, lock.

    Each finding has its cure. `gitsync doctor` looks at git and the configuration as well.
    """
    from gitsync.cli.emit import emit
    from gitsync.commands.tables import check_tables

    settings = settings_of(context)
    return emit(check_tables(settings.context()), settings)
