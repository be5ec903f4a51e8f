"""``gitsync doctor``."""

from __future__ import annotations

import click

from gitsync.cli.options import common_options, examples, settings_of


@click.command(
    "doctor",
    epilog=examples("gitsync doctor", "gitsync doctor -e prod", "gitsync doctor -o json"),
)
@common_options
@click.pass_context
def command(context: click.Context) -> int:
    """Look at everything that gitsync stands on, and say how to cure what is amiss.

    Git and its repository, the configuration with each environment, the database with its tables, tenant, keys,
    references, authors and rights, the ledger and what it remembers. Writes nothing and needs no more than the
    right to read; what is missing is a finding, not the end. Exits 1 where something stops a command.
    """
    from gitsync.cli.emit import emit
    from gitsync.commands.doctor import diagnose

    settings = settings_of(context)
    return emit(diagnose(settings.context()), settings)
