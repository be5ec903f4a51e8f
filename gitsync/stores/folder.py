"""A folder of workflow files as a side: what bundles are taken apart into, with or without git around it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from gitsync.errors import GitsyncError, InvalidInput, PlanStale, Problem
from gitsync.rules.names import SUFFIX, key_of_name
from gitsync.stores.disk import Disk, misplaced_files
from gitsync.stores.files import Held, compare_and_set, look
from gitsync.stores.git.commit import digest_held, normal_digest
from gitsync.sync.limits import LARGEST
from gitsync.sync.model import Action, Applied, Capabilities, Change, Deployment, Snapshot
from gitsync.workflow.canonical import canonical_bytes, digest_of
from gitsync.workflow.reading import read_workflow
from gitsync.workflow.types import Document, Key


class Folder:
    """The workflow files of one folder, as they are on disk."""

    capabilities: Final = Capabilities(noun="folder")

    def __init__(self, path: Path, *, largest: int = LARGEST) -> None:
        self.path, self._largest = path, largest
        self._disk = Disk.around(path)

    @property
    def _names(self) -> list[str]:
        try:
            names = self._disk.names(self.path)
            return sorted(name for name in names if name.endswith(SUFFIX) and not name.startswith("."))
        except OSError as error:
            raise self._failed("read", error) from error

    @property
    def keys(self) -> list[Key]:
        """The keys that file names say, sorted."""
        return [key for name in self._names if (key := key_of_name(name)) is not None]

    def snapshot(self) -> Snapshot:
        """Key → digest of the normal form, or of its bytes where a file holds no workflow."""
        digests = {}
        for key in self.keys:
            data = self._read(key)
            digests[key] = normal_digest(data, digest_of(data))
        return Snapshot(digests)

    def load(self, keys: Collection[Key]) -> Iterator[tuple[Key, Document]]:
        """Yield the documents of `keys` that are there, ordered by key; raise InvalidInput at one that isn't valid."""
        for key in sorted(set(self.keys).intersection(keys)):
            yield key, read_workflow(self._read(key), file=str(self._file(key)), key=key)

    def find_problems(self, keys: Collection[Key], *, with_strays: bool) -> list[Problem]:
        """Every fault of the files of `keys`; with_strays: and each file that can be no workflow."""
        problems: list[Problem] = []
        for key in sorted(keys):
            try:
                read_workflow(self._read(key), file=str(self._file(key)), key=key)
            except InvalidInput as error:
                problems += error.problems
        if with_strays:
            problems += [
                Problem(
                    str(self.path / name),
                    rule="INVALID_KEY",
                    message=f"the file name {name.removesuffix(SUFFIX)!r} is no key",
                    cure="rename the file and its key",
                )
                for name in self._names
                if key_of_name(name) is None
            ]
        return problems

    @property
    def misplaced(self) -> list[Problem]:
        """A FILE_OUT_OF_PLACE for each workflow's file in a subfolder."""
        return misplaced_files(self._disk, self.path, shown=str(self.path))

    def apply(
        self, changes: Sequence[Change], documents: Iterable[tuple[Key, Document]], deployment: Deployment
    ) -> Applied:
        """Write each file aside and put it in place; raises PlanStale where one holds something else than `before`."""
        held = {change.key: look(self._file(change.key)) for change in changes}
        stale = [change.key for change in changes if digest_held(held[change.key]) != change.before]
        if stale:
            raise PlanStale(
                f"{', '.join(stale)} changed meanwhile; nothing was written", cure="run the command again"
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for key, document in documents:
                self._put(key, held[key], canonical_bytes(document))
            for change in changes:
                if change.action is Action.DELETE:
                    self._put(change.key, held[change.key], None)
        except OSError as error:
            raise self._failed("write", error) from error
        return Applied()

    def _put(self, key: Key, before: Held | None, after: bytes | None) -> None:
        if not compare_and_set(self._file(key), before, after):
            raise PlanStale(
                f"{self._file(key)} was saved meanwhile, and is kept; files written so far are whole",
                cure="run the command again",
            )

    def _file(self, key: Key) -> Path:
        return self.path / f"{key}{SUFFIX}"

    def _read(self, key: Key) -> bytes:
        try:
            return self._disk.read(self._file(key), most=self._largest)
        except OSError as error:
            raise self._failed("read", error) from error

    def _failed(self, what: str, error: OSError) -> GitsyncError:
        return GitsyncError(
            f"cannot {what} {error.filename or self.path}: {error.strerror}",
            code="CANNOT_WRITE" if what == "write" else None,
            cure="check the rights, and that the folder is one",
        )
