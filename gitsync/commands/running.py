"""What ``run``, ``test`` and the gate of a push share: where workflows and test files come from."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gitsync.commands.context import direct
from gitsync.commands.project import registry_of
from gitsync.errors import ConfigError, GitsyncError, InvalidInput
from gitsync.rules.names import SUFFIX, key_of_name
from gitsync.stores.disk import TESTS, YAML, Disk, read_named, test_names
from gitsync.workflow.canonical import canonical_bytes, digest_of
from gitsync.workflow.reading import read_stored_document, read_workflow
from gitsync.workflow.references import called_keys, may_call
from gitsync.workflow.registry import Registry
from gitsync.workflow.types import Document, Key

if TYPE_CHECKING:
    from gitsync.commands.project import Project
    from gitsync.stores.git.commit import CommitSide


@dataclass
class Source:
    """One place that workflows are run from: the files, a commit, or a database.

    label: for people. blobs: key → id of its file as it stands; of a database, of its normal form.
    load: the documents of keys that are there, ordered by key. texts: all files as they stand, for the calls in them.
    """

    label: str
    blobs: Mapping[Key, str]
    load: Callable[[Collection[Key]], Iterator[tuple[Key, Document]]]
    texts: Callable[[], Iterator[tuple[Key, bytes]]]
    registry: Registry | None
    _held: dict[Key, Document] = field(default_factory=dict)

    @property
    def keys(self) -> frozenset[Key]:
        """Of all workflows that are there."""
        return frozenset(self.blobs)

    def __call__(self, key: Key) -> Document | None:
        """The document, ``None`` where there is no such workflow; raises InvalidInput where it is invalid."""
        self.hold([key])
        return self._held.get(key)

    def hold(self, keys: Iterable[Key]) -> None:
        """Read those of `keys` that are there and not held yet, in one go."""
        missing = sorted({key for key in keys if key in self.blobs} - self._held.keys())
        if missing:
            self._held |= dict(self.load(missing))

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
        reached: dict[Key, Document] = {}
        ahead = set(keys)
        while ahead:
            self.hold(ahead)
            fresh = {key: self._held[key] for key in ahead if key in self._held}
            reached |= fresh
            ahead = {
                called for document in fresh.values() for called in called_keys(document)
            } - reached.keys()
            ahead &= self.keys
        return reached

    def callers_of(self, keys: Iterable[Key]) -> frozenset[Key]:
        """The keys, and all that call them, directly or not; a file that cannot be read calls nothing."""
        callers: dict[Key, set[Key]] = {}
        for key, data in self.texts():
            if may_call(data):
                for called in _calls_in(data, key):
                    callers.setdefault(called, set()).add(key)
        reached = set(keys)
        ahead = list(reached)
        for key in ahead:  # grows while it is walked
            fresh = callers.get(key, set()) - reached
            reached |= fresh
            ahead.extend(fresh)
        return frozenset(reached)


def _calls_in(data: bytes, key: Key) -> frozenset[Key]:
    try:
        return called_keys(read_stored_document(data, file=key))
    except InvalidInput:
        return frozenset()


def file_source(project: Project) -> Source:
    """The files as they stand."""
    if project.git.is_bare:
        raise ConfigError(
            f"{project.git.top} is a bare repository and has no files",
            code="BARE_REPOSITORY",
            cure="name a commit: `--ref HEAD`",
        )
    disk, folder = Disk(project.git.top), project.folder_at(project.config)
    names = disk.names(disk.top / folder)
    paths = {key: disk.top / folder / name for name in names if (key := key_of_name(name)) is not None}

    def load(keys: Collection[Key]) -> Iterator[tuple[Key, Document]]:
        for key in sorted(keys):
            file = f"{folder}/{key}{SUFFIX}".lstrip("/")
            data = disk.read(paths[key], most=project.config.limits.file)
            yield key, read_workflow(data, file=file, key=key)

    def texts() -> Iterator[tuple[Key, bytes]]:
        return ((key, disk.read(path)) for key, path in paths.items())

    blobs = _LazyDigests(disk, paths)
    return Source("the files", blobs, load, texts, file_registry(project))


class _LazyDigests(Mapping[Key, str]):
    """Key → blob id of its file, computed when it is asked for."""

    def __init__(self, disk: Disk, paths: Mapping[Key, Path]) -> None:
        self._disk, self._paths = disk, paths

    def __getitem__(self, key: Key) -> str:
        return digest_of(self._disk.read(self._paths[key]))

    def __contains__(self, key: object) -> bool:
        return key in self._paths

    def __iter__(self) -> Iterator[Key]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def file_registry(project: Project) -> Registry | None:
    """The registry as its file stands, of a bare repository that of HEAD; ``None`` where none is configured."""
    if project.config.registry is not None and project.git.is_bare:
        return project.registry_at(project.git.resolve("HEAD") or "")
    return registry_of(project.config, project.git.top / project.prefix)


def commit_source(project: Project, side: CommitSide) -> Source:
    """The workflows of one commit."""

    def texts() -> Iterator[tuple[Key, bytes]]:
        keys = sorted(side.blobs)
        contents = side.git.read_blobs(side.blobs[key] for key in keys)
        pairs = zip(keys, contents, strict=True)
        return ((key, data) for key, (_, data) in pairs if len(data) <= side.largest)

    return Source(
        f"commit {side.commit[:10]}", side.blobs, side.load, texts, project.registry_at(side.commit)
    )


def database_source(project: Project, *, command: str) -> Source:
    """The workflows of the environment; the registry is the file's."""
    database = project.database(command=command)
    digests = database.snapshot().digests

    def texts() -> Iterator[tuple[Key, bytes]]:
        return ((key, canonical_bytes(document)) for key, document in database.load(digests))

    return Source(project.environment.name, digests, database.load, texts, file_registry(project))


def file_tests(project: Project) -> Iterator[tuple[str, bytes]]:
    """Name and content of each test file beside the workflows, sorted."""
    folder = project.git.top / project.prefix
    yield from _iter_yaml(Disk(project.git.top), folder / TESTS, folder)


def path_tests(where: Path, paths: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    """Name and content of each test file among the paths, which are meant from `where`, and in the folders among them."""
    for path in paths:
        full = direct(where / path)
        if full.is_dir():
            files = _iter_yaml(Disk.around(full), full, full)
            yield from ((f"{path}/{name}", data) for name, data in files)
            continue
        try:
            yield str(path), read_named(full)
        except OSError as error:
            raise GitsyncError(
                f"cannot read {path}: {error.strerror}",
                code="CANNOT_READ",
                cure="check the name and its rights",
            ) from error


def commit_tests(project: Project, commit: str) -> Iterator[tuple[str, bytes]]:
    """Name and content of each test file in a commit, sorted."""
    folder = "/".join(part for part in (project.prefix, TESTS) if part)
    blobs = dict(_iter_blobs(project, commit, folder, TESTS))
    contents = project.git.read_blobs(blobs.values())
    for name, (_, data) in zip(blobs, contents, strict=True):
        yield name, data


def _iter_blobs(project: Project, commit: str, folder: str, shown: str) -> Iterator[tuple[str, str]]:
    for name, entry in sorted(project.git.tree(commit, folder).items()):
        if entry.kind == "tree":
            yield from _iter_blobs(project, commit, f"{folder}/{name}", f"{shown}/{name}")
        elif name.endswith(YAML) and entry.mode in ("100644", "100755"):
            yield f"{shown}/{name}", entry.oid


def _iter_yaml(disk: Disk, folder: Path, root: Path) -> Iterator[tuple[str, bytes]]:
    for name in test_names(disk, folder):
        path = folder / name
        yield path.relative_to(root).as_posix(), disk.read(path)


def changed_since(
    project: Project, source: Source, files: Iterable[tuple[str, bytes]], revision: str
) -> tuple[frozenset[Key], frozenset[str]]:
    """Keys whose file, or that of one they call, differs from `revision`; names of test files that differ.

    Where the registry differs, everything does.
    """
    side = project.commit_side(revision)
    if project.registry_at(side.commit) != source.registry:
        return source.keys, frozenset(name for name, _ in files)
    moved = {key for key in source.keys if source.blobs[key] != side.blobs.get(key)}
    old = dict(commit_tests(project, side.commit))
    changed_files = frozenset(name for name, data in files if old.get(name) != data)
    return source.callers_of(moved), changed_files
