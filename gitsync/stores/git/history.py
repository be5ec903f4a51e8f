"""What one clone knows of the past of a commit, as the reconciler asks for it.

Each question to git is asked once, for all keys in doubt together, and only when somebody needs the
answer: a run that finds everything in step asks nothing here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property

from gitsync.stores.git import ZERO, GitRepository, PathChange
from gitsync.sync.states import CommitSet, PullTrailer
from gitsync.workflow.types import Digest, Key

PULL_TRAILER = "Gitsync-Pulled-From"
MOST_PATHS = 200
"""More paths than this are asked for as their folder."""

Normaliser = Callable[[Collection[str]], Mapping[str, Digest]]
"""Blob ids → the digests of their normal forms; what cannot be normalised keeps its own id."""


class GitHistory:
    """The history behind one commit, for the keys in doubt.

    commit: the id of the source commit, or ZERO before the first one.
    marked: the commits that marks name; they need not be in the clone.
    database_id: trailers count only where they name this database.
    contained: changes that all of these commits contain are nobody's question, and are left out.
    """

    def __init__(  # noqa: PLR0913 (each is a fact of its own)
        self,
        repository: GitRepository,
        commit: str,
        *,
        folder: str,
        keys: Collection[Key],
        marked: Collection[str],
        normalise: Normaliser,
        database_id: str = "",
        contained: Sequence[str] = (),
    ) -> None:
        self._repository, self._commit, self._folder = repository, commit, folder
        self._keys, self._marked, self._normalise = frozenset(keys), frozenset(marked), normalise
        self._database_id, self._contained = database_id, tuple(contained)
        self._ancestors: dict[str, CommitSet] = {}
        self._trees: dict[str, Mapping[str, str]] = {}
        self._normal: dict[str, Digest] = {}

    # ---------------------------------------------------------------- commits

    @property
    def commit(self) -> str:
        return self._commit

    @cached_property
    def _present(self) -> frozenset[str]:
        asked = self._marked - {ZERO, self._commit}
        return self._repository.have(asked) | {ZERO, self._commit}

    @cached_property
    def _graph(self) -> tuple[dict[str, int], list[list[int]]]:
        """Position of each commit, and the positions of its parents."""
        rows = self._repository.graph(sorted((self._present | {self._commit}) - {ZERO}))
        positions = {commit: place for place, (commit, _) in enumerate(rows)}
        return positions, [[positions[parent] for parent in parents] for _, parents in rows]

    @cached_property
    def all(self) -> CommitSet:
        return self.ancestors(self._commit)

    @cached_property
    def boundary(self) -> CommitSet:
        found = 0
        for commit in self._repository.shallow_boundary():
            found |= self.position(commit)
        return found

    def has(self, commit: str) -> bool:
        return commit in self._present

    def position(self, commit: str) -> CommitSet:
        place = self._graph[0].get(commit)
        return 0 if place is None else 1 << place

    def ancestors(self, commit: str) -> CommitSet:
        if commit not in self._ancestors:
            positions, parents = self._graph
            bits = bytearray(len(parents) // 8 + 1)
            todo = [positions[commit]] if commit in positions else []
            while todo:
                place = todo.pop()
                if not bits[place >> 3] & 1 << (place & 7):
                    bits[place >> 3] |= 1 << (place & 7)
                    todo += parents[place]
            self._ancestors[commit] = int.from_bytes(bits, "little")
        return self._ancestors[commit]

    def merge_bases(self, commit: str) -> Iterable[str]:
        if ZERO in (commit, self._commit):
            return []
        return self._repository.merge_bases(commit, self._commit)

    # ---------------------------------------------------------------- contents

    def path(self, key: Key) -> str:
        """The path of the key's file."""
        return f"{self._folder}/{key}.json" if self._folder else f"{key}.json"

    def digest_at(self, commit: str, key: Key) -> Digest | None:
        if commit == ZERO:
            return None
        if commit not in self._trees:
            tree = self._repository.tree(commit, self._folder)
            self._trees[commit] = {name: entry.oid for name, entry in tree.items() if entry.kind == "blob"}
        oid = self._trees[commit].get(f"{key}.json")
        return None if oid is None else self._normal_of([oid])[oid]

    def changes(self, key: Key) -> CommitSet:
        return self._positions(change for change in self._log.get(self.path(key), ()) if change.is_introduced)

    def introducing(self, key: Key, digest: Digest | None) -> CommitSet:
        changes = [change for change in self._log.get(self.path(key), ()) if change.is_introduced]
        if digest is None:
            return self._positions(change for change in changes if change.new is None)
        normal = self._normal_of(oid for change in changes for oid in (change.new, *change.old) if oid)
        return self._positions(
            change
            for change in changes
            if change.new
            and normal[change.new] == digest
            and not any(old and normal[old] == digest for old in change.old)
        )

    def existed(self, key: Key) -> bool:
        return any(change.new for change in self._log.get(self.path(key), ()))

    def stood(self, key: Key, digest: Digest) -> bool:
        oids = {change.new for change in self._log.get(self.path(key), ()) if change.new}
        if digest in oids:
            return True
        normal = self._normal_of(oids)  # also knows the blobs of other questions
        return any(normal[oid] == digest for oid in oids)

    def commits_with(self, key: Key, digest: Digest) -> Sequence[str]:
        """Commits that put `digest` at the key's path, newest first."""
        found = self.introducing(key, digest)
        return [c.commit for c in self._log.get(self.path(key), ()) if self.position(c.commit) & found]

    def commits_since(self, commit: str) -> int:
        """How many commits of this history `commit` has not."""
        return (self.all & ~self.ancestors(commit)).bit_count()

    @cached_property
    def _log(self) -> dict[str, list[PathChange]]:
        """Path → its changes, newest first."""
        found: dict[str, list[PathChange]] = {}
        if self._commit == ZERO:
            return found
        paths = [self.path(key) for key in sorted(self._keys)]
        if len(paths) > MOST_PATHS:
            paths = [self._folder or "."]
        contained = [commit for commit in self._contained if commit != ZERO]
        exclude: list[str] = []
        if contained and all(map(self.has, contained)):
            exclude = self._repository.merge_bases(*contained)
        for change in self._repository.log(self._commit, paths, exclude=exclude):
            found.setdefault(change.path, []).append(change)
        return found

    def _positions(self, changes: Iterable[PathChange]) -> CommitSet:
        found = 0
        for change in changes:
            found |= self.position(change.commit)
        return found & ~self.boundary  # a boundary commit seems to introduce all that it holds

    def _normal_of(self, oids: Iterable[str]) -> Mapping[str, Digest]:
        wanted = set(oids) - self._normal.keys()
        if wanted:
            self._normal.update(self._normalise(wanted))
        return self._normal

    # ---------------------------------------------------------------- trailers

    def trailers(self, key: Key, since: int) -> Sequence[PullTrailer]:
        return [
            PullTrailer(commit, written[path], number)
            for commit, number, written in self._pulls(since)
            if (path := self.path(key)) in written
        ]

    def _pulls(self, since: int) -> list[tuple[str, int, Mapping[str, Digest | None]]]:
        """(commit, number, path → digest) of the pulls of this database that still are as they were made."""
        found: list[tuple[str, int, Mapping[str, Digest | None]]] = []
        for commit, number, seal in self._noted_pulls:
            if number >= since:
                if commit not in self._written:
                    self._written[commit] = self._repository.changed_by(commit, self._folder)
                written = self._written[commit]
                if seal == seal_of(written):
                    found.append((commit, number, {path: _digest(oid) for path, oid in written.items()}))
        return found

    @cached_property
    def _written(self) -> dict[str, Mapping[str, str | None]]:
        return {}

    @cached_property
    def _noted_pulls(self) -> list[tuple[str, int, str]]:
        if self._commit == ZERO:
            return []
        found = []
        for commit, value in self._repository.trailers(self._commit, PULL_TRAILER):
            match value.split():
                case [_, database_id, number, seal] if database_id == self._database_id and number.isdigit():
                    found.append((commit, int(number), seal))
        return found


def seal_of(written: Mapping[str, str | None]) -> str:
    """SHA-256 over what a pull wrote, path by path, as its trailer notes it."""
    lines = "".join(f"{path} {oid or '-'}\n" for path, oid in sorted(written.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _digest(oid: str | None) -> Digest | None:
    return None if oid is None else Digest(oid)
