"""``gitsync bundle``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gitsync.cli.bundles import out_options
from gitsync.cli.options import Settings, common_options, examples, keys_argument, settings_of
from gitsync.cli.output import echo

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
    from gitsync.cli.files import read_input
    from gitsync.stores.bundle import BundleSide
    from gitsync.sync.model import Action, Change, Deployment, MarkKind
    from gitsync.workflow.bundle import iter_loose_calls

    settings = settings_of(context)
    target = _folder(settings, workflows)
    data = read_input(settings, file, what="a bundle")
    bundle = BundleSide.read(data, file="standard input" if file == "-" else file)
    wanted, there = bundle.snapshot().digests, target.snapshot().digests
    changes = [
        Change(key, Action.UPDATE if key in there else Action.CREATE, there.get(key), digest)
        for key, digest in sorted(wanted.items())
        if there.get(key) != digest
    ]
    if not force:
        _check_files_free(changes, target, file)
    target.apply(changes, bundle.load([change.key for change in changes]), Deployment(MarkKind.PULL, None))
    warnings = [
        *bundle.content.warnings,
        *iter_loose_calls(bundle.content.documents, where="the bundle"),
    ]
    for warning in warnings:
        settings.tell(f"warning: {warning}")
    if settings.is_json:
        from gitsync.render.json import render_json, split_json

        echo(render_json(split_json(changes, folder=str(target.path), warnings=warnings)), nl=False)
    else:
        from gitsync.render.text import print_changes, say, summary

        console = settings.console()
        print_changes(console, changes)
        done = summary(changes, ("written", "overwritten", "deleted")) or "nothing to write"
        say(console, f"{done} in {target.path}")
    return 0


def _check_files_free(changes: Any, target: Any, file: str) -> None:
    from gitsync.errors import Conflict
    from gitsync.sync.model import Action

    taken = [change for change in changes if change.action is Action.UPDATE]
    if taken:
        names = ", ".join(f"{change.key}.json" for change in taken)
        raise Conflict(
            f"{len(taken)} file{'' if len(taken) == 1 else 's'} in {target.path} hold something else: {names}; "
            "nothing was written",
            code="WORKFLOW_KEY_CONFLICT",
            details={
                "conflicts": [
                    {
                        "key": change.key,
                        "state": "exists",
                        "repository": change.before,
                        "database": None,
                        "base": None,
                    }
                    for change in taken
                ]
            },
            cure=f"commit what must not be lost, then `gitsync bundle split --force {file}`",
        )


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
    from gitsync.cli.bundles import check_files, new_bundle, read_time, report_export
    from gitsync.sync.compare import select_keys
    from gitsync.sync.exports import export_workflows

    settings = settings_of(context)
    at = read_time(exported_at)
    source = _folder(settings, workflows)
    chosen = select_keys(source.keys, keys)
    misplaced = source.misplaced
    check_files([*source.find_problems(chosen, with_strays=not keys), *(() if keys else misplaced)])
    bundle = new_bundle(settings, out, exported_at=at)
    exported = export_workflows(source, bundle, chosen)
    warnings = [*map(str, misplaced), *bundle.warnings]
    report_export(settings, out, exported, warnings, environment="repository")
    return 0


def _folder(settings: Settings, given: str | None) -> Folder:
    from gitsync.commands.project import read_settings
    from gitsync.stores.folder import Folder

    if given is not None:
        return Folder(settings.place(given))
    config, folder = read_settings(settings.context())
    return Folder(folder / config.workflows, largest=config.limits.file)
