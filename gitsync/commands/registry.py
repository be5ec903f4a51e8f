"""``registry``: what the runtime offers, fetched from a server into its file, and shown."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from gitsync.commands.context import Context
from gitsync.commands.project import Project, read_settings
from gitsync.commands.targets import open_server, server_of
from gitsync.errors import ConfigError, Conflict, GitsyncError, InvalidInput
from gitsync.stores.disk import Disk
from gitsync.stores.files import write_aside
from gitsync.stores.http.offers import Offers
from gitsync.workflow.reading import read_stored_document
from gitsync.workflow.registry import Registry, read_registry
from gitsync.workflow.registry_file import HEADER, registry_changes, render_registry

FILE: Final = "registry.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryReport:
    """What a server offers, and how the file changed.

    path: of the file. name: from the repository's top. changes: ``added``, ``removed`` and ``changed`` names.
    """

    kind: ClassVar[str] = "registry_pull"
    environment: str
    path: Path
    name: str
    offers: Offers
    changes: Mapping[str, Sequence[str]]
    is_written: bool
    notes: Sequence[str] = ()
    error: None = None
    exit_code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRegistry:
    """The part of the registry's file that was asked for."""

    kind: ClassVar[str] = "registry_show"
    path: Path
    registry: Registry
    notes: Sequence[str] = ()
    error: None = None
    exit_code: int = 0


def pull_registry(project: Project, *, force: bool = False) -> RegistryReport:
    """Write the registry's file from what the environment's server says it offers.

    force: replace the file although it has edits that are not committed.
    Raises ConfigError (UNSUPPORTED_ENVIRONMENT) for a database, Conflict (UNCOMMITTED_CHANGES).
    """
    server_of(project.environment)  # a database is refused before anything is looked at
    path = _path(project)
    with open_server(project.environment, project.context) as server:
        project.context.tell(f"{project.environment.name}: {server.address}")
        offers = server.offers(_named_refs(project))
    old = _content(path)
    data = render_registry(offers.registry).encode()
    before = Registry() if old is None else _as_it_was(old)
    if data != old:
        _check_uncommitted(project, path, force=force)
        write_aside(path, data)
    notes = []
    if old is not None and data != old and _has_comments(old):
        notes.append(f"note: the comments that {path.name} had were not kept")
    if project.config.registry is None:
        notes.append(f"next: add `registry: {FILE}` to {project.config.file}, so that it is used")
    return RegistryReport(
        environment=project.environment.name,
        path=path,
        name=path.relative_to(project.git.top).as_posix(),
        offers=offers,
        changes=registry_changes(before, read_registry(data, file=FILE)),
        is_written=data != old,
        notes=notes,
    )


def show_registry(context: Context, names: Sequence[str] = ()) -> ShownRegistry:
    """Return what the registry's file offers: all, or what fits one of the names or globs.

    Raises ConfigError (MISSING_REGISTRY), GitsyncError (UNKNOWN_NAME) where nothing fits.
    """
    config, folder = read_settings(context)
    path = folder / (config.registry or FILE)
    data = _content(path)
    if data is None:
        raise ConfigError(
            f"there is no registry: {path} is not there",
            code="MISSING_REGISTRY",
            cure="`gitsync registry pull` writes it from a server, or write it by hand",
        )
    return ShownRegistry(path=path, registry=_chosen(read_registry(data, file=path.name), names))


def _path(project: Project) -> Path:
    """The registry's file; raises ConfigError where there is no work tree to write it to."""
    if project.git.is_bare:
        raise ConfigError(
            f"{project.git.top} is a bare repository and has no files to write",
            code="BARE_REPOSITORY",
            cure="pull in a clone of it",
        )
    return project.git.top / project.prefix / (project.config.registry or FILE)


def _check_uncommitted(project: Project, path: Path, *, force: bool) -> None:
    """Raise Conflict where the file has edits that git does not hold."""
    name = path.relative_to(project.git.top).as_posix()
    if not force and path.exists() and name in project.git.uncommitted(name):
        raise Conflict(
            f"{name} has edits that are not committed; nothing was written",
            code="UNCOMMITTED_CHANGES",
            cure="commit them, or throw them away with `gitsync registry pull --force`",
        )


def _named_refs(project: Project) -> set[str]:
    """The schema refs that the files of the work tree name; files that are no workflows name none."""
    refs: set[str] = set()
    disk = Disk(project.git.top)
    folder = disk.top / project.folder_at(project.config)
    for name in disk.names(folder):
        try:
            document = read_stored_document(disk.read(folder / name), file=name)
        except (InvalidInput, OSError):
            continue
        refs.update(document["dependencies"]["schemaRefs"])
        refs.add(str(document["metadata"].get("payloadSchemaRef") or "").strip())
    return refs - {""}


def _content(path: Path) -> bytes | None:
    """What is in the registry's file, ``None`` where there is none."""
    try:
        return Disk.around(path.parent).read(path)
    except FileNotFoundError:
        return None


def _as_it_was(data: bytes) -> Registry:
    """The registry of the file before, an empty one where it could not be read: it is about to be replaced."""
    try:
        return read_registry(data, file=FILE)
    except ConfigError:
        return Registry()


def _has_comments(data: bytes) -> bool:
    """Whether a file has comments of its own, beside the one that the last pull wrote."""
    lines = data.decode("utf-8", "replace").splitlines()
    return any("#" in line and line != HEADER and line.lstrip().startswith("#") for line in lines)


def _chosen(registry: Registry, names: Sequence[str]) -> Registry:
    """The part of a registry that fits any of `names`, all of it without one."""
    if not names:
        return registry

    def fits(*texts: str) -> bool:
        return any(fnmatch.fnmatchcase(text, name) for text in texts for name in names)

    chosen = Registry(
        {at: offer for at, offer in registry.actions.items() if fits(at[0], f"{at[0]}@{at[1]}")},
        frozenset(name for name in registry.node_types if fits(name)),
        {ref: schema for ref, schema in registry.schemas.items() if fits(ref)},
    )
    if not (chosen.actions or chosen.node_types or chosen.schemas):
        raise GitsyncError(
            f"the registry offers nothing that fits {', '.join(names)}",
            code="UNKNOWN_NAME",
            details={"names": list(names)},
            cure="`gitsync registry show` lists all of it",
        )
    return chosen
