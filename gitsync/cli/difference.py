"""The differences between two sides, workflow by workflow, as words and lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gitsync.errors import Conflict, GitError, InvalidInput
from gitsync.git import GitRepository
from gitsync.render.text import unified
from gitsync.render.words import describe
from gitsync.sides.repository import CommitSide
from gitsync.sync.base import State
from gitsync.sync.plan import Entry
from gitsync.sync.side import Side
from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.check import read_stored_document
from gitsync.workflow.types import Digest, Document, Key

MOVED_IN_DATABASE = (State.DATABASE_AHEAD, State.NEW_IN_DATABASE, State.DELETED_IN_DATABASE)
BATCH = 200
"""How many workflows are held as documents at once."""
MOST_EXPLAINED = 50
"""How many conflicts of one push are told in words."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One workflow's difference; ``lines`` is a unified diff, or two against the base."""

    entry: Entry
    words: str
    lines: tuple[str, ...]


class Differ:
    """Reads both sides' documents in batches and compares them."""

    def __init__(self, git: GitRepository, files: CommitSide, database: Side) -> None:
        self._git, self._files, self._database = git, files, database

    def differences(self, entries: Sequence[Entry]) -> Iterator[Difference]:
        """One for each entry, in order."""
        for start in range(0, len(entries), BATCH):
            batch = entries[start : start + BATCH]
            held = dict(self._database.load([entry.key for entry in batch if entry.database]))
            for entry in batch:
                yield self._difference(entry, held.get(entry.key))

    def explain(self, error: Conflict, entries: Sequence[Entry]) -> None:
        """Add to each conflict in an error's details what changed, in words; the first ones of many."""
        words = {found.entry.key: found.words for found in self.differences(entries[:MOST_EXPLAINED])}
        for conflict in error.details["conflicts"]:
            if conflict["key"] in words:
                conflict["summary"] = words[conflict["key"]]

    def _difference(self, entry: Entry, there: Document | None) -> Difference:
        here = self._read_file(entry.key) if entry.repository else None
        if entry.repository and here is None:
            return Difference(
                entry, "the file holds no valid workflow; `gitsync plan` names every problem", ()
            )
        old, new = _lines(there), _lines(here)
        base = (
            self._read_blob(entry.base_digest)
            if entry.state is State.DIVERGED and entry.base_digest
            else None
        )
        if base is not None:
            words = f"database: {describe(base, there)}; git: {describe(base, here)}"
            lines = (
                *unified(_lines(base), old, names=("base", "database")),
                *unified(_lines(base), new, names=("base", "git")),
            )
            return Difference(entry, words, lines)
        names = (f"database/{entry.key}", f"git/{entry.key}")
        if entry.state in MOVED_IN_DATABASE:
            return Difference(entry, describe(here, there), tuple(unified(new, old, names=names[::-1])))
        return Difference(entry, describe(there, here), tuple(unified(old, new, names=names)))

    def _read_file(self, key: Key) -> Document | None:
        try:
            return next((document for _, document in self._files.load([key])), None)
        except InvalidInput:
            return None

    def _read_blob(self, digest: Digest) -> Document | None:
        try:
            return next(
                (read_stored_document(data, file=digest) for _, data in self._git.read_blobs([digest])), None
            )
        except (GitError, InvalidInput):
            return None


def _lines(document: Document | None) -> bytes:
    return b"" if document is None else canonical_bytes(document)
