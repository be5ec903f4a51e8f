"""``gitsync bundle``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gitsync.cli.bundles import out_options
from gitsync.cli.options import Settings, common_options, examples, keys_argument, settings_of

if TYPE_CHECKING:
    from gitsync.stores.folder import Folder

if TYPE_CHECKING:
    from gitsync.stores.folder import Folder

_folder_option = click.option(
    "--folder",
    "workflows",
    metavar="DIR",
    help="The folder of the workflow files (that of gitsync.yaml).",
)


@click.group(
    "bundle",
    epilog=examples("gitsync bundle split bundle.json", "gitsync bundle join 'billing.*' --out billing.json"),
)
@common_options
def command() -> None:
    """Take bundles apart into workflow files, and put files together; no database is asked."""


@command.command(
    "split", epilog=examples("gitsync bundle split bundle.json", "gitsync bundle split --force - < all.json")
)
@click.argument("file", metavar="FILE|-")
@_folder_option
@click.option("--force", is_flag=True, help="Overwrite the files that hold something else.")
@common_options
@click.pass_context
def split(context: click.Context, /, file: str, workflows: str | None, force: bool) -> int:
    """Write each workflow of a bundle to its own file, <key>.json, in canonical form.

    A file that exists and holds something else is a conflict, and nothing is written. Workflows that are not
    in the bundle keep their files.
    """
    from gitsync.cli.emit import emit
    from gitsync.cli.files import read_input
    from gitsync.commands.bundles import split_bundle

    settings = settings_of(context)
    target = _folder(settings, workflows)
    data = read_input(settings, file, what="a bundle")
    report = split_bundle(data, file=file, target=target, force=force)
    for warning in report.warnings:
        settings.tell(f"warning: {warning}")
    return emit(report, settings)


@command.command(
    "join",
    epilog=examples(
        "gitsync bundle join > bundle.json",
        "gitsync bundle join 'billing.*' --out billing.json --exported-at 2026-01-31T12:00:00Z",
    ),
)
@keys_argument
@_folder_option
@out_options
@common_options
@click.pass_context
def join(
    context: click.Context,
    /,
    keys: tuple[str, ...],
    workflows: str | None,
    out: str | None,
    exported_at: str | None,
) -> int:
    """Put workflow files together to one bundle: the files as they are on disk, committed or not.

    Without a KEY all of them. `gitsync export --from-repo` takes those of a commit.
    """
    from gitsync.cli.bundles import emit_bundle, read_time
    from gitsync.commands.bundles import join_files

    settings = settings_of(context)
    at = read_time(exported_at)
    return emit_bundle(join_files(_folder(settings, workflows), keys=keys, exported_at=at), settings, out)


def _folder(settings: Settings, given: str | None) -> Folder:
    from gitsync.commands.project import read_settings
    from gitsync.stores.folder import Folder

    if given is not None:
        return Folder(settings.place(given))
    config, folder = read_settings(settings.context())
    return Folder(folder / config.workflows, largest=config.limits.file)
