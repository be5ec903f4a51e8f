"""``gitsync import``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from gitsync.cli.options import common_options, examples, settings_of


@click.command(
    "import",
    epilog=examples(
        "gitsync import bundle.json",
        "gitsync import --update bundle.json",
        "gitsync import --force --in-place - < bundle.json",
        "gitsync import --dry-run bundle.json",
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
@common_options
@click.pass_context
def command(context: click.Context, /, file: str, dry_run: bool, **values: Any) -> int:
    """Import a workflow bundle (format 1) into the database, in one transaction.

    Without a policy every key that exists already is a conflict, and nothing is written.
    """
    from gitsync.cli.files import read_input
    from gitsync.cli.outcome import tell_warnings
    from gitsync.cli.workspace import connect, read_settings, registry_of
    from gitsync.sides.bundle import BundleSide
    from gitsync.sync.imports import ImportPolicy, apply_import, plan_import
    from gitsync.sync.side import Action

    settings = settings_of(context)
    if values["update"] and values["force"]:
        raise click.UsageError("--update and --force are two policies; choose one")
    config, folder = read_settings(settings)
    environment = config.environment(settings.environment, settings.variables)
    data = read_input(settings, file, what="a bundle")
    bundle = BundleSide.read(data, file="standard input" if file == "-" else file)
    registry = registry_of(config, folder)
    if registry is None:
        settings.tell(
            "note: no registry is configured, so actions and schemas are not checked against the runtime"
        )
    place = environment.overwrite == "in-place" if values["in_place"] is None else values["in_place"]
    with connect(
        environment, folder, settings, command="import", in_place=place, new_tenant=values["new_tenant"]
    ) as database:
        settings.tell(f"{environment.name}: {database.address}")
        if not dry_run:
            database.require_ledger()
        limits = replace(config.limits, max_overwrites=values["max_overwrites"])
        policy = ImportPolicy(
            values["update"],
            values["force"],
            limits,
            in_place=place,
            discard_runs=values["discard_runs"],
            rules=config.rules,
        )
        planned = plan_import(bundle, database, registry=registry, policy=policy)
        tell_warnings(settings, planned.problems)
        for warning in planned.warnings:
            settings.tell(f"warning: {warning}")
        overwrites = sum(change.action is Action.UPDATE for change in planned.changes)
        settings.confirm(
            f"This will delete and create again {overwrites} workflows in {environment.name}. Go on?",
            risk=bool(overwrites) and not place and not dry_run,
        )
        applied = apply_import(planned, bundle, database, dry_run=dry_run)
        if settings.is_json:
            from gitsync.render.json import import_json, render_json

            value = import_json(planned, applied, environment=environment.name)
            click.echo(render_json(value | {"dryRun": dry_run}), nl=False)
        else:
            from gitsync.render.text import print_changes, say, summary

            console = settings.console()
            print_changes(console, planned.changes)
            done = summary(planned.changes, ("created", "overwritten", "deleted")) or "nothing to import"
            say(console, f"would be: {done}" if dry_run else done)
        return 0
