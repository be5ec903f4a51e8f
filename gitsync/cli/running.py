"""What ``run``, ``test`` and the gate of a push share: where workflows and test files come from."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gitsync.errors import ConfigError, InvalidInput
from gitsync.sides.repository import SUFFIX
from gitsync.workflow.check import read_workflow
from gitsync.workflow.document import is_key
from gitsync.workflow.references import called_keys
from gitsync.workflow.registry import Registry, read_registry
from gitsync.workflow.types import Document, Key

if TYPE_CHECKING:
    from gitsync.cli.workspace import Workspace
    from gitsync.sides.repository import CommitSide

TESTS = "tests"
"""The folder of the test files, beside gitsync.yaml."""


@dataclass
class Source:
    """One place that workflows are run from: the files, a commit, or a database.

    label: for people. keys: of all that is there. read: the document of a key that is there; memoised here.
    """

    label: str
    keys: frozenset[Key]
    read: Callable[[Key], Document]
    registry: Registry | None
    _held: dict[Key, Document] = field(default_factory=dict)

    def __call__(self, key: Key) -> Document | None:
        """The document, ``None`` where there is no such workflow; raises InvalidInput where it is invalid."""
        if key not in self.keys:
            return None
        if key not in self._held:
            self._held[key] = self.read(key)
        return self._held[key]

    def require(self, key: Key) -> Document:
        """The document; raises InvalidInput (UNKNOWN_WORKFLOW) where there is none."""
        document = self(key)
        if document is not None:
            return document
        near = difflib.get_close_matches(key, self.keys, n=1)
        suggestion = f"; did you mean {near[0]}?" if near else ""
        raise InvalidInput(
            f"there is no workflow {key} in {self.label}{suggestion}",
            code="UNKNOWN_WORKFLOW",
            cure="`gitsync status` lists what there is",
        )

    def closure(self, keys: Iterable[Key]) -> dict[Key, Document]:
        """The documents of `keys` that are there, and of all that they call, directly or not."""
        found: dict[Key, Document] = {}
        queue = list(keys)
        for key in queue:  # grows while it is walked
            document = None if key in found else self(key)
            if document is not None:
                found[key] = document
                queue.extend(called_keys(document))
        return found


def file_source(workspace: Workspace) -> Source:
    """The files as they stand."""
    if workspace.git.is_bare:
        raise ConfigError(
            f"{workspace.git.top} is a bare repository and has no files",
            code="BARE_REPOSITORY",
            cure="run a commit's workflow: `--ref HEAD`",
        )
    top, folder = workspace.git.top, workspace.folder_at(workspace.config)
    paths = {Key(path.stem): path for path in sorted((top / folder).glob(f"*{SUFFIX}")) if is_key(path.stem)}

    def read(key: Key) -> Document:
        return read_workflow(paths[key].read_bytes(), file=f"{folder}/{key}{SUFFIX}".lstrip("/"), key=key)

    return Source("the files", frozenset(paths), read, file_registry(workspace))


def file_registry(workspace: Workspace) -> Registry | None:
    """The registry as its file stands, ``None`` where none is configured."""
    name = workspace.config.registry
    if name is None or workspace.git.is_bare:
        return workspace.registry_at(workspace.git.resolve("HEAD") or "") if name else None
    path = workspace.git.top / workspace.prefix / name
    try:
        return read_registry(path.read_bytes(), file=name)
    except FileNotFoundError:
        raise ConfigError(
            f"{workspace.config.file} names the registry {name}, which is not there",
            code="MISSING_REGISTRY",
            cure=f"write {path}, or take `registry:` out",
        ) from None


def commit_source(workspace: Workspace, side: CommitSide) -> Source:
    """The workflows of one commit."""
    return Source(
        f"commit {side.commit[:10]}",
        frozenset(side.blobs),
        lambda key: dict(side.load([key]))[key],
        workspace.registry_at(side.commit),
    )


def database_source(workspace: Workspace, *, command: str) -> Source:
    """The workflows of the environment; the registry is the file's."""
    database = workspace.database(command=command)
    keys = frozenset(database.snapshot().digests)
    return Source(
        workspace.environment.name,
        keys,
        lambda key: dict(database.load([key]))[key],
        file_registry(workspace),
    )


def file_tests(workspace: Workspace) -> Iterator[tuple[str, bytes]]:
    """Name and content of each test file beside the workflows, sorted."""
    folder = workspace.git.top / workspace.prefix
    yield from _iter_yaml(folder / TESTS, folder)


def path_tests(where: Path, paths: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    """Name and content of each test file among the paths, which are meant from `where`, and in the folders among them."""
    for path in paths:
        full = where / path
        if full.is_dir():
            yield from ((f"{path}/{name}", data) for name, data in _iter_yaml(full, full))
            continue
        try:
            yield str(path), full.read_bytes()
        except OSError as error:
            raise InvalidInput(
                f"cannot read {path}: {error.strerror}",
                code="UNREADABLE_FILE",
                cure="check the name and its rights",
            ) from error


def commit_tests(workspace: Workspace, commit: str) -> Iterator[tuple[str, bytes]]:
    """Name and content of each test file in a commit, sorted."""
    folder = "/".join(part for part in (workspace.prefix, TESTS) if part)
    found = dict(_iter_blobs(workspace, commit, folder, TESTS))
    contents = workspace.git.read_blobs(found.values())
    for name, (_, data) in zip(found, contents, strict=True):
        yield name, data


def _iter_blobs(workspace: Workspace, commit: str, folder: str, shown: str) -> Iterator[tuple[str, str]]:
    for name, entry in sorted(workspace.git.tree(commit, folder).items()):
        if entry.kind == "tree":
            yield from _iter_blobs(workspace, commit, f"{folder}/{name}", f"{shown}/{name}")
        elif name.endswith((".yaml", ".yml")) and entry.mode in ("100644", "100755"):
            yield f"{shown}/{name}", entry.oid


def _iter_yaml(folder: Path, root: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".yaml", ".yml") and path.is_file():
            yield path.relative_to(root).as_posix(), path.read_bytes()


def callers_of(source: Source, keys: Iterable[Key]) -> frozenset[Key]:
    """The keys, and all that call them, directly or not."""
    callers: dict[Key, set[Key]] = {}
    for key in source.keys:
        document = _readable(source, key)
        for called in called_keys(document) if document is not None else ():
            callers.setdefault(called, set()).add(key)
    found = set(keys)
    queue = list(found)
    for key in queue:  # grows while it is walked
        fresh = callers.get(key, set()) - found
        found |= fresh
        queue.extend(fresh)
    return frozenset(found)


def _readable(source: Source, key: Key) -> Document | None:
    try:
        return source(key)
    except InvalidInput:
        return None


def changed_since(
    workspace: Workspace, source: Source, files: Iterable[tuple[str, bytes]], revision: str
) -> tuple[frozenset[Key], frozenset[str]]:
    """Keys whose file, or that of one they call, differs from `revision`; names of test files that differ.

    Where the registry differs, everything does.
    """
    side = workspace.commit_side(revision)
    before = commit_source(workspace, side)
    if before.registry != source.registry:
        return source.keys, frozenset(name for name, _ in files)
    moved = {key for key in source.keys if key not in before.keys or _differs(source, before, key)}
    old = dict(commit_tests(workspace, side.commit))
    changed_files = frozenset(name for name, data in files if old.get(name) != data)
    return callers_of(source, moved), changed_files


def _differs(source: Source, before: Source, key: Key) -> bool:
    now, then = _readable(source, key), _readable(before, key)
    return now is None or now != then
