"""Which files a command is to look at, and to which project each belongs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gitsync.commands.file_project import FileProject
from gitsync.config import FILE_NAME, find_config
from gitsync.errors import ConfigError, GitsyncError
from gitsync.rules.names import SUFFIX
from gitsync.workflow.types import Key

if TYPE_CHECKING:
    from gitsync.stores.git import Index


def find_projects(
    files: Sequence[Path], *, where: Path, index: Index | None = None, is_strict: bool = True
) -> list[tuple[FileProject, list[str] | None, list[Key]]]:
    """Return the projects of `files`, each with the names to judge (``None``: all) and the deleted keys.

    index: where to read from in place of the disk; what it deletes counts as well. is_strict: raise GitsyncError for
    a file that no project knows; else it is passed over.
    """
    projects: dict[Path, FileProject] = {}
    chosen: dict[Path, list[str] | None] = {}
    removed: dict[Path, list[Key]] = {}

    def project_of(path: Path) -> FileProject | None:
        config = find_config(_nearest_folder(path)) if index is None else _staged_config(path, index)
        if config is None:
            return None
        return projects.setdefault(config, FileProject(config, where, index))

    for path in files:
        project = project_of(path)
        if project is None:
            if is_strict:
                raise no_configuration_for(project_name(path, where))
            continue
        names = chosen.setdefault(project.file, [])
        chosen[project.file] = _with(names, project, path, is_strict=is_strict)
    for path in index.deleted if index is not None else ():
        project = project_of(path)
        if project is not None and project.config is not None and project.owns(path):
            chosen.setdefault(project.file, [])
            removed.setdefault(project.file, []).append(Key(path.name.removesuffix(SUFFIX)))
    return [(projects[file], names, removed.get(file, [])) for file, names in sorted(chosen.items())]


def open_index(where: Path) -> Index:
    """Return the index of the repository that a folder is in; raises GitError where there is none."""
    from gitsync.stores.disk import repository_top
    from gitsync.stores.git import GitRepository, Index

    return Index(repository_top(where) or GitRepository.open(where).top)


def _with(names: list[str] | None, project: FileProject, path: Path, *, is_strict: bool) -> list[str] | None:
    """Return the names to judge in a project, with what `path` adds to them; ``None`` stands for all."""
    if project.files.is_folder(path):
        return _all_or(project, path, names)
    if project.owns(path):
        if is_strict:
            _check_exists(path, project.where)
        elif not project.files.is_there(path):
            return names
        name = path.relative_to(project.folder).as_posix()
        return names if names is None or name in names else [*names, name]
    if _is_setting(project, path):
        return names if is_strict else None  # a commit that changes it may break any file
    if is_strict:
        raise _stranger(project, path)
    return names


def _all_or(project: FileProject, path: Path, names: list[str] | None) -> list[str] | None:
    """Return all files of a project whose workflows lie in the folder `path`."""
    return None if project.folder.is_relative_to(path) or path.is_relative_to(project.folder) else names


def _is_setting(project: FileProject, path: Path) -> bool:
    registry = project.config.registry if project.config else None
    return path == project.file or (registry is not None and path == project.file.parent / registry)


def _check_exists(path: Path, where: Path) -> None:
    if not os.path.lexists(path):
        raise GitsyncError(
            f"there is no file {project_name(path, where)}", code="NO_SUCH_FILE", cure="check the path"
        )


def _stranger(project: FileProject, path: Path) -> GitsyncError:
    _check_exists(path, project.where)
    folder = project.shown(project.folder)
    return GitsyncError(
        f"{project.shown(path)} is no workflow of {project.shown(project.file)}: those are {folder}/*.json",
        code="NO_SUCH_FILE",
        cure=f"name files in {folder}, or none to take all",
    )


def no_configuration_for(name: str) -> ConfigError:
    """Return the error of a file above which there is no ``gitsync.yaml``."""
    return ConfigError(
        f"no {FILE_NAME} in the folder of {name} or above it", code="NO_CONFIGURATION", cure="`gitsync init`"
    )


def project_name(path: Path, where: Path) -> str:
    """Return the name of a file in messages."""
    return os.path.relpath(path, where).replace(os.sep, "/")


def _staged_config(path: Path, index: Index) -> Path | None:
    """Return the nearest ``gitsync.yaml`` of the index, in the folder of `path` or above it."""
    candidates = (parent / FILE_NAME for parent in (path, *path.parents))
    return next((candidate for candidate in candidates if index.is_there(candidate)), None)


def _nearest_folder(path: Path) -> Path:
    """Return the folder that a file is in, or the nearest above that still exists."""
    folder = path if path.is_dir() else path.parent
    return next((parent for parent in (folder, *folder.parents) if parent.is_dir()), folder)
