"""``gitsync registry``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gitsync.cli.options import common_options, examples, server_options, settings_behind, settings_of
from gitsync.cli.output import echo

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gitsync.commands.project import Project
    from gitsync.stores.http.offers import Offers
    from gitsync.workflow.registry import Registry

FILE = "registry.yaml"


@click.group(
    "registry",
    epilog=examples("gitsync registry pull -e hosted", "gitsync registry show 'email.*'"),
)
@common_options
def command() -> None:
    """Fetch and show what the runtime offers: actions, node types, schema refs."""


@command.command(
    "pull",
    epilog=examples(
        "gitsync registry pull -e hosted",
        "gitsync registry pull --base-url https://psa.example.com --api-key KEY",
        "gitsync registry pull -e hosted --force     over your own edits of the file",
    ),
)
@click.option("--force", is_flag=True, help="Replace the file although it has edits that are not committed.")
@server_options
@common_options
@click.pass_context
def pull(context: click.Context, /, *, force: bool) -> int:
    """Write the registry's file from what a server says it offers.

    The whole file is replaced: actions with the schemas of their input and output, node types, and each schema
    that an event, a workflow on the server, or a file in git names and the server knows. The same answers make the
    same bytes, so that git shows what has changed. An API key is enough.
    """
    from gitsync.cli.outcome import announce
    from gitsync.commands.project import open_project
    from gitsync.commands.targets import open_server
    from gitsync.errors import ConfigError
    from gitsync.render.registry import registry_changes, render_registry
    from gitsync.stores.files import write_aside
    from gitsync.workflow.registry import Registry, read_registry

    settings = settings_of(context)
    with open_project(settings.context()) as project:
        if project.environment.server is None:
            raise ConfigError(
                f"{project.environment.name} is a database, and only a server tells what its runtime offers",
                code="UNSUPPORTED_ENVIRONMENT",
                cure="choose an environment that has `url:`, or add `--base-url URL`",
            )
        path = _path(project)
        with open_server(project.environment, settings.context()) as server:
            announce(project, settings, server.address)
            offers = server.offers(_named_refs(project))
        old = _content(path)
        data = render_registry(offers.registry).encode()
        before = Registry() if old is None else _as_it_was(old)
        if data != old:
            _check_uncommitted(project, path, force=force)
            write_aside(path, data)
        changes = registry_changes(before, read_registry(data, file=FILE))
        _print_pull(project, path, offers, changes, is_written=data != old)
        if old is not None and data != old and _has_comments(old):
            settings.tell(f"note: the comments that {path.name} had were not kept")
        if project.config.registry is None:
            settings.tell(f"next: add `registry: {FILE}` to {project.config.file}, so that it is used")
        return 0


@command.command(
    "show",
    epilog=examples(
        "gitsync registry show", "gitsync registry show 'email.*'", "gitsync registry show -o json"
    ),
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@common_options
@click.pass_context
def show(context: click.Context, /, names: tuple[str, ...]) -> int:
    """Show what the registry's file offers: all, or what fits a NAME or glob.

    An action is shown with the members of its input, those that may be left out with a question mark.
    """
    from gitsync.commands.project import read_settings
    from gitsync.errors import ConfigError
    from gitsync.render.registry import fields_of, registry_json
    from gitsync.workflow.registry import read_registry

    settings = settings_of(context)
    config, folder = read_settings(settings.context())
    path = folder / (config.registry or FILE)
    data = _content(path)
    if data is None:
        raise ConfigError(
            f"there is no registry: {path} is not there",
            code="MISSING_REGISTRY",
            cure="`gitsync registry pull` writes it from a server, or write it by hand",
        )
    registry = _chosen(read_registry(data, file=path.name), names)
    if settings.is_json:
        _print_json({"environment": None, "file": str(path), **registry_json(registry)})
        return 0
    from gitsync.render.text import say

    console = settings.console()
    actions = {f"{name}@{version}": offer for (name, version), offer in sorted(registry.actions.items())}
    width = max((len(name) for name in actions), default=0)
    _say_list(
        console, "action", [f"{name:<{width}}  {fields_of(o.input)}".rstrip() for name, o in actions.items()]
    )
    _say_list(console, "node type", sorted(registry.node_types))
    _say_list(
        console,
        "schema",
        [
            ref if schema is not None else f"{ref}  (its schema is not known)"
            for ref, schema in sorted(registry.schemas.items())
        ],
    )
    if not (actions or registry.node_types or registry.schemas):
        say(console, "nothing")
    return 0


def _path(project: Project) -> Path:
    """The registry's file; raises ConfigError where there is no work tree to write it to."""
    from gitsync.errors import ConfigError

    if project.git.is_bare:
        raise ConfigError(
            f"{project.git.top} is a bare repository and has no files to write",
            code="BARE_REPOSITORY",
            cure="pull in a clone of it",
        )
    return project.git.top / project.prefix / (project.config.registry or FILE)


def _content(path: Path) -> bytes | None:
    """What is in the registry's file, ``None`` where there is none."""
    from gitsync.stores.disk import Disk

    try:
        return Disk.around(path.parent).read(path)
    except FileNotFoundError:
        return None


def _check_uncommitted(project: Project, path: Path, *, force: bool) -> None:
    """Raise Conflict where the file has edits that git does not hold."""
    from gitsync.errors import Conflict

    name = path.relative_to(project.git.top).as_posix()
    if not force and path.exists() and name in project.git.uncommitted(name):
        raise Conflict(
            f"{name} has edits that are not committed; nothing was written",
            code="UNCOMMITTED_CHANGES",
            cure="commit them, or throw them away with `gitsync registry pull --force`",
        )


def _named_refs(project: Project) -> set[str]:
    """The schema refs that the files of the work tree name; files that are no workflows name none."""
    from gitsync.errors import InvalidInput
    from gitsync.rules.inspection import read_stored_document
    from gitsync.stores.disk import Disk

    found: set[str] = set()
    disk = Disk(project.git.top)
    folder = disk.top / project.folder_at(project.config)
    for name in disk.names(folder):
        try:
            document = read_stored_document(disk.read(folder / name), file=name)
        except (InvalidInput, OSError):
            continue
        found.update(document["dependencies"]["schemaRefs"])
        found.add(str(document["metadata"].get("payloadSchemaRef") or "").strip())
    return found - {""}


def _as_it_was(data: bytes) -> Registry:
    """The registry of the file before, an empty one where it could not be read: it is about to be replaced."""
    from gitsync.errors import ConfigError
    from gitsync.workflow.registry import Registry, read_registry

    try:
        return read_registry(data, file=FILE)
    except ConfigError:
        return Registry()


def _has_comments(data: bytes) -> bool:
    """Whether a file has comments of its own, beside the one that the last pull wrote."""
    from gitsync.render.registry import HEADER

    lines = data.decode("utf-8", "replace").splitlines()
    return any("#" in line and line != HEADER and line.lstrip().startswith("#") for line in lines)


def _chosen(registry: Registry, names: Sequence[str]) -> Registry:
    """The part of a registry that fits any of `names`, all of it without one."""
    import fnmatch

    from gitsync.errors import GitsyncError
    from gitsync.workflow.registry import Registry

    if not names:
        return registry

    def fits(*texts: str) -> bool:
        return any(fnmatch.fnmatchcase(text, name) for text in texts for name in names)

    found = Registry(
        {at: offer for at, offer in registry.actions.items() if fits(at[0], f"{at[0]}@{at[1]}")},
        frozenset(name for name in registry.node_types if fits(name)),
        {ref: schema for ref, schema in registry.schemas.items() if fits(ref)},
    )
    if not (found.actions or found.node_types or found.schemas):
        raise GitsyncError(
            f"the registry offers nothing that fits {', '.join(names)}",
            code="UNKNOWN_NAME",
            details={"names": list(names)},
            cure="`gitsync registry show` lists all of it",
        )
    return found


def _print_pull(
    project: Project, path: Path, offers: Offers, changes: dict[str, list[str]], *, is_written: bool
) -> None:
    settings, name = settings_behind(project), path.relative_to(project.git.top).as_posix()
    registry = offers.registry
    if settings.is_json:
        from gitsync.render.registry import registry_json

        _print_json(
            {
                "environment": project.environment.name,
                "file": str(path),
                **registry_json(registry),
                "changes": changes,
                "written": is_written,
                "unknownSchemaRefs": list(offers.unknown_refs),
                "warnings": list(offers.notes),
            }
        )
        return
    from gitsync.render.text import say

    console = settings.console()
    for sign, kind, style in (("+", "added", "green"), ("-", "removed", "red"), ("~", "changed", "yellow")):
        for change in changes[kind]:
            say(console, f"  {sign} {change}", style=style)
    counts = f"{len(registry.actions)} actions, {len(registry.node_types)} node types, {len(registry.schemas)} schemas"
    say(console, f"{name}: {counts}" if is_written else f"{name} is up to date: {counts}")
    for note in offers.notes:
        settings.tell(f"note: {note}")
    for ref in offers.unknown_refs:
        settings.tell(f"warning: {ref} is named by an event or a workflow, and the server does not know it")


def _print_json(value: dict[str, Any]) -> None:
    """The result, in the form that keeps every digit of a schema's numbers."""
    from gitsync.printable import printable_json
    from gitsync.workflow.canonical import canonical_bytes

    head: dict[str, Any] = {"format": "gitsync.registry", "formatVersion": 1, "commit": None}
    echo(printable_json(canonical_bytes(head | value).decode()), nl=False)


def _say_list(console: Any, noun: str, lines: Sequence[str]) -> None:
    from gitsync.render.text import say

    if lines:
        say(console, f"{len(lines)} {noun}{'' if len(lines) == 1 else 's'}", style="bold")
    for line in lines:
        say(console, f"  {line}")
