"""The files of one gitsync.yaml, on disk or in the index: which they are, and under which configuration.

Nothing here imports a database: the hook of pre-commit goes through it on every commit.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from gitsync.config import FILE_NAME, Config, parse_config
from gitsync.errors import ConfigError, GitsyncError, InvalidInput, Problem
from gitsync.rules.names import SUFFIX, WorkflowTree, is_workflow_name
from gitsync.rules.validator import Validator
from gitsync.stores.disk import Disk, Files, misplaced_files
from gitsync.sync.limits import LARGEST
from gitsync.workflow.reading import WorkflowFile, parse_workflow
from gitsync.workflow.registry import Registry, read_registry
from gitsync.workflow.types import Key


@dataclass(frozen=True)
class FileProject:
    """One ``gitsync.yaml`` with its registry and its folder of workflows.

    where: the folder that names in messages are relative to. given: where it is read from; the disk by default.
    """

    file: Path
    where: Path
    given: Files | None = None

    @cached_property
    def files(self) -> Files:
        """Where its files are read from."""
        return self.given or Disk.around(self.file.parent)

    @cached_property
    def _parsed(self) -> tuple[Config | None, Registry | None, tuple[Problem, ...]]:
        name = self.shown(self.file)
        try:
            data = self.content(self.file)
            config = parse_config(data, file=name)
        except (ConfigError, InvalidInput) as error:
            return None, None, error.problems
        if config.registry is None:
            return config, None, ()
        registry = self.file.parent / config.registry
        if not self.files.is_there(registry):
            message = f"the registry {config.registry} is not there"
            line = next(
                (n for n, text in enumerate(data.splitlines(), start=1) if text.startswith(b"registry")), 1
            )
            cure = f"add it, or take `registry:` out of {FILE_NAME}"
            return config, None, (Problem(name, line, 1, "registry", "MISSING_REGISTRY", message, cure),)
        try:
            content = self.content(registry)
            return config, read_registry(content, file=self.shown(registry), check_schemas=True), ()
        except (ConfigError, InvalidInput) as error:
            return config, None, error.problems

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the configuration, the registry, and the way to the workflows."""
        return (*self._parsed[2], *self.obstacles)

    @property
    def obstacles(self) -> tuple[Problem, ...]:
        """What stands between the configuration and the folder of the workflows."""
        return self._listed[1]

    @property
    def config(self) -> Config | None:
        """The configuration, ``None`` where it cannot be read."""
        return self._parsed[0]

    @property
    def has_registry(self) -> bool:
        """Whether anything says what the runtime offers."""
        return self.config is None or self.config.registry is not None

    @property
    def registry(self) -> Registry | None:
        """What the runtime offers, ``None`` where nothing says so, or it cannot be read."""
        return self._parsed[1]

    @cached_property
    def validator(self) -> Validator:
        """What its files are held to."""
        rules = self.config.rules if self.config else Config(FILE_NAME).rules
        return Validator(self.registry, rules, reads_text=True)

    @cached_property
    def folder(self) -> Path:
        """Where its workflows are."""
        return self.file.parent / (self.config.workflows if self.config else "")

    @cached_property
    def _listed(self) -> tuple[Mapping[str, bool], tuple[Problem, ...]]:
        for part in (self.folder, *self.folder.parents):
            if part == self.file.parent:
                break
            if self.files.is_there(part / ".git"):
                return {}, (self._submodule(part),)
        try:
            return self.files.names(self.folder), ()
        except InvalidInput as error:
            return {}, self.shown_problems(error) if self.config else ()
        except OSError as error:
            raise _unreadable(self.folder, error) from error

    def _submodule(self, part: Path) -> Problem:
        from gitsync.stores.git import submodule

        name = self.shown(part)
        error = submodule(name)
        return Problem(name, rule=error.code, message=error.message, cure=error.cure or "")

    @cached_property
    def tree(self) -> WorkflowTree:
        """Which files of the folder are workflows."""
        return WorkflowTree(self._listed[0])

    def in_place(self, names: Collection[str] | None) -> list[str]:
        """Return those of `names`, paths from the folder, that lie directly in it; of all files for ``None``."""
        return sorted(name for name in (self.tree.names if names is None else names) if "/" not in name)

    @cached_property
    def misplaced(self) -> tuple[Problem, ...]:
        """A FILE_OUT_OF_PLACE for each workflow's file in a subfolder."""
        if self.config is None or self.obstacles:
            return ()
        return tuple(misplaced_files(self.files, self.folder, shown=self.prefix.removesuffix("/")))

    def misplaced_among(self, names: Collection[str] | None) -> list[Problem]:
        """Return those of `misplaced` that `names` has, paths from the folder; all of them for ``None``."""
        return [
            problem
            for problem in self.misplaced
            if names is None or problem.file.removeprefix(self.prefix) in names
        ]

    def shown(self, path: Path) -> str:
        """Return the name of a file in messages."""
        return os.path.relpath(path, self.where).replace(os.sep, "/")

    def owns(self, path: Path) -> bool:
        """Return whether a file is one of its workflows, in its place or not."""
        if path.parent == self.folder:
            return is_workflow_name(path.name)
        is_below = path.is_relative_to(self.folder)
        return is_below and any(problem.file == self.shown(path) for problem in self.misplaced)

    def read(self, key: Key) -> bytes:
        """Return the content of a workflow's file; raises InvalidInput where it can be none."""
        return self.content(self.path(key), most=self.config.limits.file if self.config else LARGEST)

    def path(self, key: Key) -> Path:
        """Return where a workflow's file stands."""
        return self.folder / f"{key}{SUFFIX}"

    def content(self, path: Path, *, most: int = LARGEST) -> bytes:
        """Return the content of a file of at most so many bytes; raises InvalidInput where it can be none."""
        try:
            return self.files.read(path, most=most)
        except InvalidInput as error:
            raise InvalidInput(
                error.message, code=error.code, problems=self.shown_problems(error), cure=error.cure
            ) from error
        except OSError as error:
            raise _unreadable(path, error) from error

    def parse(self, key: Key) -> WorkflowFile:
        """Return what is in a workflow's file, be it nothing that can be read."""
        name = self.name_of(key)
        try:
            data = self.read(key)
        except InvalidInput as error:
            unreadable = tuple(replace(problem, key=key) for problem in error.problems)
            return WorkflowFile(name=name, key=key, unreadable=unreadable)
        return parse_workflow(data, file=name, key=key)

    def shown_problems(self, error: InvalidInput) -> tuple[Problem, ...]:
        """Return an error's problems, each file by its name in messages."""
        return tuple(replace(problem, file=self.shown(Path(problem.file))) for problem in error.problems)

    def name_of(self, key: Key) -> str:
        """Return the name of a workflow's file in messages."""
        return f"{self.prefix}{key}{SUFFIX}"

    @cached_property
    def prefix(self) -> str:
        """What stands before a workflow file's own name in messages."""
        folder = self.shown(self.folder)
        return "" if folder == "." else f"{folder}/"


def _unreadable(path: Path, error: OSError) -> GitsyncError:
    return GitsyncError(
        f"cannot read {error.filename or path}: {error.strerror}",
        code="CANNOT_READ",
        cure=f"check the rights of {path}",
    )
