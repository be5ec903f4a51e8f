"""``gitsync export``."""

from __future__ import annotations

import click

from gitsync.cli.bundles import out_options
from gitsync.cli.options import (
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
    context: click.Context,
    /,
    keys: tuple[str, ...],
    everything: bool,
    from_repo: bool,
    ref: str,
    out: str | None,
    exported_at: str | None,
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
    from gitsync.cli.bundles import emit_bundle, read_time
    from gitsync.commands.bundles import export_bundle, export_commit
    from gitsync.commands.project import open_project

    at = read_time(exported_at)
    if not from_repo:
        return emit_bundle(export_bundle(settings.context(), keys=keys, exported_at=at), settings, out)
    with open_project(settings.context()) as project:
        return emit_bundle(export_commit(project, keys=keys, ref=ref, exported_at=at), settings, out)
