"""Judging files on disk or in the index: which they are, under which configuration, and what is wrong with them.

Nothing here imports a database: the hook of pre-commit goes through it on every commit.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from gitsync.commands.context import Counter
from gitsync.config import FILE_NAME, Config, parse_config
from gitsync.errors import ConfigError, GitsyncError, InvalidInput, Problem
from gitsync.rules.history import history_faults
from gitsync.rules.names import (
    SUFFIX,
    collisions,
    is_workflow_name,
    name_fault,
)
from gitsync.rules.rule import Fault
from gitsync.rules.together import UNKNOWN, Circles, Links, call_faults, is_clean, links_of
from gitsync.rules.validator import Judge
from gitsync.stores.disk import TESTS, Disk, Files, misplaced_files, test_names
from gitsync.sync.limits import LARGEST
from gitsync.workflow.reading import Inspected, inspect, more_problems
from gitsync.workflow.references import may_call
from gitsync.workflow.registry import Registry, read_registry
from gitsync.workflow.scan import Scan
from gitsync.workflow.types import Document, Key


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at, and what is wrong with it; both sorted."""

    files: tuple[str, ...]
    problems: tuple[Problem, ...]


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
    def judge(self) -> Judge:
        """The judge of its files."""
        return Judge(
            self.registry, self.config.rules if self.config else Config(FILE_NAME).rules, reads_text=True
        )

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
    def names(self) -> Mapping[str, bool]:
        """The names in the folder that stand for workflows, and whether each is a regular file."""
        return {name: is_regular for name, is_regular in self._listed[0].items() if is_workflow_name(name)}

    @cached_property
    def misplaced(self) -> tuple[Problem, ...]:
        """A FILE_OUT_OF_PLACE for each workflow's file in a subfolder."""
        if self.config is None or self.obstacles:
            return ()
        return tuple(misplaced_files(self.files, self.folder, shown=self.prefix.removesuffix("/")))

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
        """The content of a workflow's file; raises InvalidInput where it can be none."""
        return self.content(self.path(key), most=self.config.limits.file if self.config else LARGEST)

    def path(self, key: Key) -> Path:
        """Where a workflow's file stands."""
        return self.folder / f"{key}{SUFFIX}"

    def content(self, path: Path, *, most: int = LARGEST) -> bytes:
        """The content of one of its files, of at most so many bytes; raises InvalidInput where it can be none."""
        try:
            return self.files.read(path, most=most)
        except InvalidInput as error:
            raise InvalidInput(
                error.message, code=error.code, problems=self.shown_problems(error), cure=error.cure
            ) from error
        except OSError as error:
            raise _unreadable(path, error) from error

    def inspect(self, key: Key, *, judge: Judge | None = None) -> tuple[Inspected, bytes]:
        """Everything about a workflow's file, with its content; without a `judge` see `inspect`."""
        try:
            data = self.read(key)
        except InvalidInput as error:
            return Inspected(None, tuple(replace(problem, key=key) for problem in error.problems)), b""
        return inspect(data, file=self.name_of(key), key=key, judge=judge), data

    def shown_problems(self, error: InvalidInput) -> tuple[Problem, ...]:
        """An error's problems, each file by its name in messages."""
        return tuple(replace(problem, file=self.shown(Path(problem.file))) for problem in error.problems)

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

    project: FileProject
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
            self.known[key] = _links_of(*self.project.inspect(key))
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
    if found.normal is not None and not may_call(data):
        return Links(frozenset(entry["version"] for entry in found.order))
    return links_of(found.document)


@dataclass(frozen=True, slots=True)
class Base:
    """An earlier revision: key → the document that it held, for those that differ from the files now."""

    revision: str
    documents: Mapping[Key, Document]


def check_project(
    project: FileProject,
    names: Collection[str] | None = None,
    *,
    base: Base | None = None,
    gone: Collection[Key] = (),
    on_progress: Counter | None = None,
) -> Checked:
    """Judge the files of these names, or all of them where `names` is ``None``.

    on_progress: told how many of how many are done. gone: keys whose files are being deleted; every file that still
    calls one of them is judged for that.
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
    project.files.prepare(project.path(key) for key in (links if gone else keys))
    from gitsync.commands.workers import map_chunks

    for found, known in map_chunks(lambda part: _check_part(project, part, base), keys):
        problems += found
        links.known |= known
        if on_progress is not None:
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


def _of_name(project: FileProject, name: str, fault: Fault) -> Iterator[Problem]:
    """A fault of a file's name, which has no place in the file."""
    file = project.prefix + name
    for problem in project.judge.problems([fault], Scan(""), file=file, key=_stem(name)):
        yield replace(problem, line=0, column=0, path="")


def _check_part(
    project: FileProject, keys: Sequence[Key], base: Base | None
) -> tuple[list[Problem], dict[Key, Links]]:
    """The problems of some files, and what each offers and asks."""
    problems: list[Problem] = []
    links: dict[Key, Links] = {}
    for key in keys:
        name = project.name_of(key)
        found, data = project.inspect(key, judge=project.judge)
        links[key] = _links_of(found, data)
        problems += found.problems
        if base is not None and found.document is not None and key in base.documents:
            faults = list(history_faults(base.documents[key], found.document, revision=base.revision))
            problems += more_problems(found, faults, data, file=name, judge=project.judge)
    return problems, links


def _check_calls(
    project: FileProject, keys: Iterable[Key], links: _Links, *, only: frozenset[Key] | None
) -> Iterator[Problem]:
    """What is wrong with the calls of `keys`; of calls of `only`, where given."""
    callers = [key for key in keys if links[key].calls]
    circles = Circles(links, callers if only is None else ())
    for key in callers:
        if is_clean(key, links, circles):
            continue
        found, data = project.inspect(key)
        if found.document is None:
            continue
        faults = list(call_faults(found.document, links, circles))
        if only is not None:
            faults = [fault for fault in faults if fault.rule == "UNRESOLVED_REFERENCE"]
        yield from more_problems(found, faults, data, file=project.name_of(key), judge=project.judge)


def _mentions(project: FileProject, key: Key, gone: Collection[Key]) -> bool:
    try:
        data = project.read(key)
    except InvalidInput:
        return False
    return may_call(data) and any(f'"key:{name}"'.encode() in data for name in gone)


def _unreadable(path: Path, error: OSError) -> GitsyncError:
    return GitsyncError(
        f"cannot read {error.filename or path}: {error.strerror}",
        code="CANNOT_READ",
        cure=f"check the rights of {path}",
    )


def check_tests(project: FileProject) -> Checked:
    """The test files beside a project's ``gitsync.yaml``, each by its form alone."""
    folder = project.file.parent / TESTS
    try:
        found = [folder / name for name in test_names(project.files, folder)]
    except InvalidInput as error:
        return Checked((), project.shown_problems(error))
    if not found:
        return Checked((), ())
    from gitsync.testing.testfile import read_test_file

    problems: list[Problem] = []
    for path in found:
        try:
            problems += read_test_file(project.content(path), file=project.shown(path)).problems
        except InvalidInput as error:
            problems += error.problems
    return Checked(tuple(map(project.shown, found)), tuple(problems))
