"""``gitsync export``."""

from __future__ import annotations

from typing import Any

import click

from gitsync.cli.bundles import out_options
from gitsync.cli.options import (
    Settings,
    common_options,
    examples,
    keys_argument,
    ref_option,
    server_options,
    settings_of,
)


@click.command(
    "export",
    epilog=examples(
        "gitsync export billing.dunning > bundle.json",
        "gitsync export 'billing.*' --out billing.json -e prod",
        "gitsync export --all --out all.json --exported-at 2026-01-31T12:00:00Z",
        "gitsync export --all --from-repo --ref v1.4 --out release.json",
        "gitsync export --all --base-url https://psa.example.com --cookie NAME=VALUE --out all.json",
    ),
)
@keys_argument
@click.option("--all", "everything", is_flag=True, help="Export all workflows.")
@click.option("--from-repo", is_flag=True, help="Export what a commit holds; no database is asked.")
@ref_option
@out_options
@server_options
@common_options
@click.pass_context
def command(
    context: click.Context, /, keys: tuple[str, ...], everything: bool, from_repo: bool, ref: str, **out: Any
) -> int:
    """Export workflows as one bundle (format 1), which gitsync and the product import.

    Dependencies are derived; authors, times and other ids of the database stay behind. A definition keeps its
    workflow's id, so that calls between the bundle's workflows can be linked again; exported from a commit, it
    has an id made of the key, the same every time.
    """
    settings = settings_of(context)
    if bool(keys) is everything:
        raise click.UsageError("name the workflows to export, or say --all")
    if context.get_parameter_source("ref") is not click.core.ParameterSource.DEFAULT and not from_repo:
        raise click.UsageError("--ref names a commit: it goes with --from-repo")
    if from_repo and (settings.base_url or settings.given):
        raise click.UsageError("--from-repo and a server are two sources; choose one")
    if from_repo:
        _export_commit(settings, keys, ref=ref, **out)
    else:
        _export_target(settings, keys, **out)
    return 0


def _export_target(
    settings: Settings, keys: tuple[str, ...], *, out: str | None, exported_at: str | None
) -> None:
    from gitsync.cli.bundles import new_bundle, read_time, report_export
    from gitsync.commands.project import read_settings
    from gitsync.commands.targets import choose_environment, open_side, warn_of_hidden
    from gitsync.sync.compare import select_keys
    from gitsync.sync.exports import export_workflows

    at = read_time(exported_at)
    config, folder = read_settings(settings.context())
    environment = choose_environment(config, settings.context())
    with open_side(environment, folder, settings.context(), command="export") as target:
        settings.tell(f"{environment.name}: {target.address}")
        chosen = select_keys(target.list_ids().keys() | target.twins.keys(), keys)
        bundle = new_bundle(settings, out, exported_at=at, id_of=lambda key: target.ids[key])
        exported = export_workflows(target, bundle, chosen)
        warnings = [
            f"left out: {row.name} (id {row.workflow_id}): {row.reason}" for row in target.unkeyed if not keys
        ]
        warnings += [*warn_of_hidden(target), *bundle.warnings]
        report_export(settings, out, exported, warnings, environment=environment.name)


def _export_commit(
    settings: Settings, keys: tuple[str, ...], *, ref: str, out: str | None, exported_at: str | None
) -> None:
    from gitsync.cli.bundles import check_files, new_bundle, read_time, report_export
    from gitsync.commands.project import open_project
    from gitsync.rules.rule import Severity
    from gitsync.rules.validator import Judge
    from gitsync.sync.compare import select_keys
    from gitsync.sync.exports import export_workflows

    at = read_time(exported_at)
    with open_project(settings.context()) as project:
        side = project.commit_side(ref)
        chosen = select_keys(side.blobs, keys)
        judge = Judge(settings=project.config.rules)
        problems = [problem for _, facts in side.examine(chosen, judge) for problem in facts.problems]
        errors = [problem for problem in problems if problem.severity == Severity.ERROR]
        check_files([*errors, *(() if keys else (*side.strays, *side.misplaced))])
        bundle = new_bundle(settings, out, exported_at=at)
        exported = export_workflows(side, bundle, chosen)
        warnings = [*map(str, side.misplaced), *bundle.warnings]
        report_export(settings, out, exported, warnings, environment="repository", commit=side.revision)
