"""``gitsync import``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from gitsync.cli.options import (
    Settings,
    common_options,
    complete_option,
    examples,
    server_options,
    settings_of,
)
from gitsync.cli.output import echo

if TYPE_CHECKING:
    from gitsync.commands.targets import Target
    from gitsync.config import Environment
    from gitsync.stores.bundle import BundleSide
    from gitsync.sync.imports import PlannedImport
    from gitsync.sync.model import Applied


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
    from gitsync.cli.files import read_input
    from gitsync.cli.outcome import tell_unchecked
    from gitsync.commands.project import read_settings, registry_of
    from gitsync.commands.targets import choose_environment, open_side
    from gitsync.stores.bundle import BundleSide
    from gitsync.sync.imports import ImportPolicy, apply_import, plan_import

    settings = settings_of(context)
    config, folder = read_settings(settings.context())
    environment = choose_environment(config, settings.context())
    if values["update"] and values["force"]:
        raise click.UsageError("--update and --force are two policies; choose one")
    if values["update"] and environment.server is not None:
        raise click.UsageError("--update asks what gitsync wrote last, which a server does not tell")
    data = read_input(settings, file, what="a bundle")
    bundle = BundleSide.read(data, file="standard input" if file == "-" else file)
    registry = registry_of(config, folder)
    if registry is None and environment.server is None:
        settings.tell(
            "note: no registry is configured, so actions and schemas are not checked against the runtime"
        )
    tell_unchecked(settings, registry)
    in_place = environment.overwrite == "in-place" if values["in_place"] is None else values["in_place"]
    policy = ImportPolicy(
        values["update"],
        values["force"],
        replace(config.limits, max_overwrites=values["max_overwrites"]),
        in_place=in_place,
        discard_runs=values["discard_runs"],
        rules=config.rules,
    )
    with open_side(
        environment,
        folder,
        settings.context(),
        command="import",
        in_place=in_place,
        new_tenant=values["new_tenant"],
    ) as target:
        settings.tell(f"{environment.name}: {target.address}")
        if not dry_run:
            target.require_ledger()
        planned = plan_import(bundle, target, registry=registry, policy=policy)
        _tell(settings, planned, bundle, target)
        if not dry_run:
            _ask(settings, environment, planned, in_place=in_place)
        applied = apply_import(planned, bundle, target, dry_run=dry_run)
    _print(settings, planned, applied, environment=environment.name, dry_run=dry_run)
    return 0


def _tell(settings: Settings, planned: PlannedImport, bundle: BundleSide, target: Target) -> None:
    """Say what a person should know; raise for what a server cannot do."""
    from gitsync.cli.outcome import tell_warnings
    from gitsync.commands.targets import doubtful_creates, tell_limits, unsupported_changes
    from gitsync.workflow.references import called_keys

    tell_warnings(settings, planned.problems)
    for warning in planned.warnings:
        settings.tell(f"warning: {warning}")
    calls = {key: called_keys(document) for key, document in bundle.content.documents.items()}
    error = unsupported_changes(target, planned.changes, calls, lambda key: f"{bundle.content.file}: {key}")
    error = error or doubtful_creates(target, settings.context(), planned.changes, may_hide=target.may_hide())
    if error is not None:
        raise error
    tell_limits(target, planned.changes, settings.context())


def _ask(settings: Settings, environment: Environment, planned: PlannedImport, *, in_place: bool) -> None:
    from gitsync.sync.model import Action

    count = sum(change.action is Action.UPDATE for change in planned.changes)
    is_server = environment.server is not None
    how = "overwrite" if is_server else "delete and create again"
    settings.confirm(
        f"This will {how} {count} workflow{'' if count == 1 else 's'} in {environment.name}. Go on?",
        risk=bool(count) and (is_server or not in_place),
    )


def _print(
    settings: Settings, planned: PlannedImport, applied: Applied, *, environment: str, dry_run: bool
) -> None:
    if settings.is_json:
        from gitsync.render.json import import_json, render_json

        value = import_json(planned, applied, environment=environment)
        echo(render_json(value | {"dryRun": dry_run}), nl=False)
        return
    from gitsync.render.text import print_changes, say, summary

    console = settings.console()
    print_changes(console, planned.changes)
    done = summary(planned.changes, ("created", "overwritten", "deleted")) or "nothing to import"
    say(console, f"would be: {done}" if dry_run else done)
