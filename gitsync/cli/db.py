"""``gitsync db``."""

from __future__ import annotations

import click

from gitsync.cli.options import common_options, examples, settings_of
from gitsync.cli.output import echo


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
    from gitsync.commands.project import database_url, read_settings
    from gitsync.stores.database.connect import make_engine, mask_url
    from gitsync.stores.database.init import init_database

    settings = settings_of(context)
    config, folder = read_settings(settings.context())
    environment = config.environment(settings.environment, settings.variables)
    url = database_url(environment, folder)
    settings.tell(f"{environment.name}: {mask_url(url)}")
    engine = make_engine(url, command="db init", lock_timeout=settings.lock_timeout, create=True)
    try:
        made = init_database(engine, tenant=environment.tenant)
    finally:
        engine.dispose()
    if settings.is_json:
        from gitsync.render.json import head, render_json

        echo(
            render_json({**head("db", environment=environment.name, commit=None), "created": made}), nl=False
        )
    else:
        echo("\n".join(f"created {name}" for name in made) or "nothing to create")
    return 0


@command.command("check", epilog=examples("gitsync db check", "gitsync db check -e prod -o json"))
@common_options
@click.pass_context
def check(context: click.Context) -> int:
    """Look at the database alone: connection, tables, tenant, keys, calls, authors, ledger, rights, lock.

    Each finding has its cure. `gitsync doctor` looks at git and the configuration as well.
    """
    from gitsync.commands.project import database_url, read_settings
    from gitsync.doctor.database import check_database
    from gitsync.stores.database.connect import make_engine, mask_url

    settings = settings_of(context)
    config, folder = read_settings(settings.context())
    environment = config.environment(settings.environment, settings.variables)
    url = database_url(environment, folder)
    engine = make_engine(url, command="db check", lock_timeout=settings.lock_timeout)
    try:
        findings = check_database(engine, tenant=environment.tenant, actor=environment.actor)
    finally:
        engine.dispose()
    worst = 1 if any(finding.level == "error" for finding in findings) else 0
    if settings.is_json:
        from gitsync.render.json import head, render_json

        rows = [finding.as_json() for finding in findings]
        echo(
            render_json({**head("db", environment=environment.name, commit=None), "findings": rows}), nl=False
        )
        return worst
    from gitsync.render.text import print_finding, say

    console = settings.console()
    say(console, f"{environment.name}: {mask_url(url)}")
    for finding in findings:
        print_finding(console, finding)
    return worst
