"""Judging files as they stand on disk: which they are, under which configuration, and what is wrong with them.

Nothing here imports git or a database: the hook of pre-commit goes through it on every commit.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from gitsync.config import FILE_NAME, Config, parse_config
from gitsync.errors import ConfigError, GitsyncError, Problem
from gitsync.sides.files import misplaced_files
from gitsync.workflow.check import Inspected, inspect, more_problems
from gitsync.workflow.registry import Registry, read_registry
from gitsync.workflow.rules.history import history_faults
from gitsync.workflow.rules.judge import Judge
from gitsync.workflow.rules.names import SUFFIX, collisions, is_workflow_name, name_fault
from gitsync.workflow.rules.rule import Fault
from gitsync.workflow.rules.together import UNKNOWN, Circles, Links, call_faults, is_clean, links_of
from gitsync.workflow.scan import Scan
from gitsync.workflow.steps import CALL
from gitsync.workflow.types import Document, Key

_CALL: Final = CALL.encode()


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at, and what is wrong with it; both sorted."""

    files: tuple[str, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Project:
    """One ``gitsync.yaml`` with its registry and its folder of workflows.

    where: the folder that names in messages are relative to. gone: files about to be deleted.
    """

    file: Path
    where: Path
    gone: frozenset[Path] = frozenset()

    @cached_property
    def _parsed(self) -> tuple[Config | None, Registry | None, tuple[Problem, ...]]:
        name = self.shown(self.file)
        try:
            data = _read(self.file)
            config = parse_config(data, file=name)
        except ConfigError as error:
            return None, None, error.problems
        if config.registry is None:
            return config, None, ()
        registry = self.file.parent / config.registry
        if not registry.is_file():
            message = f"the registry {config.registry} is not there"
            line = next(
                (n for n, text in enumerate(data.splitlines(), start=1) if text.startswith(b"registry")), 1
            )
            cure = f"add it, or take `registry:` out of {FILE_NAME}"
            return config, None, (Problem(name, line, 1, "registry", "MISSING_REGISTRY", message, cure),)
        try:
            return config, read_registry(_read(registry), file=self.shown(registry), check_schemas=True), ()
        except ConfigError as error:
            return config, None, error.problems

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the configuration and the registry."""
        return self._parsed[2]

    @property
    def config(self) -> Config | None:
        """The configuration, ``None`` where it cannot be read."""
        return self._parsed[0]

    @property
    def has_registry(self) -> bool:
        """Whether anything says what the runtime offers."""
        return self.config is None or self.config.registry is not None

    @cached_property
    def judge(self) -> Judge:
        """The judge of its files."""
        config, registry, _ = self._parsed
        return Judge(registry, config.rules if config else Config(FILE_NAME).rules, reads_text=True)

    @cached_property
    def folder(self) -> Path:
        """Where its workflows are."""
        return self.file.parent / (self.config.workflows if self.config else "")

    @cached_property
    def names(self) -> Mapping[str, bool]:
        """The names in the folder that stand for workflows, and whether each is a regular file."""
        if not self.folder.is_dir():
            return {}
        return {
            entry.name: entry.is_file(follow_symlinks=False)
            for entry in os.scandir(self.folder)
            if is_workflow_name(entry.name) and self.folder / entry.name not in self.gone
        }

    @cached_property
    def misplaced(self) -> tuple[Problem, ...]:
        """A FILE_OUT_OF_PLACE for each workflow's file in a subfolder."""
        if self.config is None:
            return ()
        return tuple(misplaced_files(self.folder, shown=self.prefix.removesuffix("/")))

    def misplaced_among(self, names: Collection[str] | None) -> list[Problem]:
        """Those of `misplaced` that `names` has, paths from the folder; all of them where it is ``None``."""
        return [
            problem
            for problem in self.misplaced
            if names is None or problem.file.removeprefix(self.prefix) in names
        ]

    def shown(self, path: Path) -> str:
        """The name of a file in messages."""
        return os.path.relpath(path, self.where).replace(os.sep, "/")

    def owns(self, path: Path) -> bool:
        """Whether a file is one of its workflows, in its place or not."""
        if path.parent == self.folder:
            return is_workflow_name(path.name)
        is_below = path.is_relative_to(self.folder)
        return is_below and any(problem.file == self.shown(path) for problem in self.misplaced)

    def read(self, key: Key) -> bytes:
        """The content of a workflow's file."""
        return _read(f"{self.folder}{os.sep}{key}{SUFFIX}")

    def name_of(self, key: Key) -> str:
        """The name of a workflow's file in messages."""
        return f"{self.prefix}{key}{SUFFIX}"

    @cached_property
    def prefix(self) -> str:
        """What stands before a workflow file's own name in messages."""
        folder = self.shown(self.folder)
        return "" if folder == "." else f"{folder}/"


@dataclass
class _Links(Mapping[Key, Links]):
    """What each workflow of a project offers and asks; those not yet read are read when asked for."""

    project: Project
    known: dict[Key, Links] = field(default_factory=dict)

    @cached_property
    def _keys(self) -> frozenset[Key]:
        return frozenset(
            Key(name.removesuffix(SUFFIX))
            for name, is_regular in self.project.names.items()
            if is_regular and name.endswith(SUFFIX)
        )

    def __getitem__(self, key: Key) -> Links:
        if key not in self._keys:
            raise KeyError(key)
        if key not in self.known:
            data = self.project.read(key)
            self.known[key] = _links_of(inspect(data, file="", key=key, judge=None), data)
        return self.known[key]

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def _links_of(found: Inspected, data: bytes) -> Links:
    if found.document is None:
        return UNKNOWN
    if found.normal is not None and _CALL not in data:  # in any other form it may be written with escapes
        return Links(frozenset(entry["version"] for entry in found.order))
    return links_of(found.document)


@dataclass(frozen=True, slots=True)
class Base:
    """An earlier revision: key → the document that it held, for those that differ from the files now."""

    revision: str
    documents: Mapping[Key, Document]


def check_project(
    project: Project,
    names: Collection[str] | None = None,
    *,
    base: Base | None = None,
    gone: Collection[Key] = (),
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Checked:
    """Judge the files of these names, or all of them where `names` is ``None``.

    on_progress: told how many of how many are done. gone: keys whose files are being deleted; every file that still calls one of them is judged for that.
    """
    misplaced = project.misplaced_among(names)
    chosen = in_place(project.names if names is None else names)
    problems = [*project.problems, *misplaced]
    if project.config is None:
        return Checked((project.shown(project.file),), tuple(problems))
    links = _Links(project)
    keys: list[Key] = []
    for name in chosen:
        fault = name_fault(name, is_regular=project.names.get(name, True))
        if fault is None or fault.rule == "UNPORTABLE_NAME":
            keys.append(_stem(name))
        if fault is not None:
            problems += _of_name(project, name, fault)
    for name, fault in collisions(project.names):
        if names is None or name in names:
            problems += _of_name(project, name, fault)
    from gitsync.cli.workers import map_chunks

    for found, known in map_chunks(lambda part: _check_part(project, part, base), keys):
        problems += found
        links.known |= known
        on_progress(len(links.known), len(keys))
    problems += _check_calls(project, keys, links, only=None)
    if gone:
        callers = [key for key in sorted(links) if key not in set(keys) and _mentions(project, key, gone)]
        problems += _check_calls(project, callers, links, only=frozenset(gone))
    files = {project.prefix + name for name in chosen} | {problem.file for problem in misplaced}
    return Checked(tuple(sorted(files)), tuple(sorted(set(problems))))


def in_place(names: Iterable[str]) -> list[str]:
    """Those of `names`, paths from a project's folder, that lie directly in it; sorted."""
    return sorted(name for name in names if "/" not in name)


def _stem(name: str) -> Key:
    return Key(name.removesuffix(SUFFIX))


def _of_name(project: Project, name: str, fault: Fault) -> Iterator[Problem]:
    """A fault of a file's name, which has no place in the file."""
    file = project.prefix + name
    for problem in project.judge.problems([fault], Scan(""), file=file, key=_stem(name)):
        yield replace(problem, line=0, column=0, path="")


def _check_part(
    project: Project, keys: Sequence[Key], base: Base | None
) -> tuple[list[Problem], dict[Key, Links]]:
    """The problems of some files, and what each offers and asks."""
    problems: list[Problem] = []
    links: dict[Key, Links] = {}
    for key in keys:
        data, name = project.read(key), project.name_of(key)
        found = inspect(data, file=name, key=key, judge=project.judge)
        links[key] = _links_of(found, data)
        problems += found.problems
        if base is not None and found.document is not None and key in base.documents:
            faults = list(history_faults(base.documents[key], found.document, revision=base.revision))
            problems += more_problems(found, faults, data, file=name, judge=project.judge)
    return problems, links


def _check_calls(
    project: Project, keys: Iterable[Key], links: _Links, *, only: frozenset[Key] | None
) -> Iterator[Problem]:
    """What is wrong with the calls of `keys`; of calls of `only`, where given."""
    callers = [key for key in keys if links[key].calls]
    circles = Circles(links, callers if only is None else ())
    for key in callers:
        if is_clean(key, links, circles):
            continue
        data, name = project.read(key), project.name_of(key)
        found: Inspected = inspect(data, file=name, key=key, judge=None)
        if found.document is None:
            continue
        faults = list(call_faults(found.document, links, circles))
        if only is not None:
            faults = [fault for fault in faults if fault.rule == "UNRESOLVED_REFERENCE"]
        yield from more_problems(found, faults, data, file=name, judge=project.judge)


def _mentions(project: Project, key: Key, gone: Collection[Key]) -> bool:
    data = project.read(key)
    return b"callWorkflow" in data and any(f'"key:{name}"'.encode() in data for name in gone)


def _read(path: Path | str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (pathlib takes three times the time, ten thousand times)
            return file.read()
    except OSError as error:
        raise GitsyncError(
            f"cannot read {path}: {error.strerror}", code="CANNOT_READ", cure=f"check the rights of {path}"
        ) from error


def as_errors(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems, warnings counted as errors."""
    return tuple(replace(problem, severity="error") for problem in problems)


def check_tests(folder: Path, *, where: Path) -> Checked:
    """The test files beside the ``gitsync.yaml`` in `folder`, each by its form alone; named from `where`."""
    paths = sorted((folder / "tests").rglob("*"))
    found = [path for path in paths if path.suffix in (".yaml", ".yml") and path.is_file()]
    if not found:
        return Checked((), ())
    from gitsync.runtime.testfile import read_test_file

    files = [(os.path.relpath(path, where), path.read_bytes()) for path in found]
    problems = [problem for name, data in files for problem in read_test_file(data, file=name).problems]
    return Checked(tuple(name for name, _ in files), tuple(problems))
