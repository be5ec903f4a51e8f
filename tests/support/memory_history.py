"""A history in memory: what the reconciler asks of git, drawn from a list of commits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gitsync.sync.states import CommitSet, PullTrailer
from gitsync.workflow.types import Digest, Key


@dataclass(frozen=True, slots=True)
class MemoryCommit:
    """One commit: its parents, what stands at the one key's path, and the pulls that it notes."""

    parents: tuple[str, ...] = ()
    digest: Digest | None = None
    pulls: tuple[tuple[Digest | None, int], ...] = ()


class MemoryHistory:
    """The history behind `commit`, of one key; `boundary` are commits whose parents were cut off."""

    def __init__(
        self, commits: Mapping[str, MemoryCommit], commit: str, *, boundary: Iterable[str] = ()
    ) -> None:
        self.commits, self._commit, self._boundary = commits, commit, frozenset(boundary)
        self._places = {name: place for place, name in enumerate(commits)}

    @property
    def commit(self) -> str:
        return self._commit

    @property
    def all(self) -> CommitSet:
        return self.ancestors(self._commit)

    @property
    def boundary(self) -> CommitSet:
        return sum(1 << self._places[name] for name in self._boundary)

    def has(self, commit: str) -> bool:
        return commit in self.commits

    def position(self, commit: str) -> CommitSet:
        return 1 << self._places[commit] if commit in self._places else 0

    def ancestors(self, commit: str) -> CommitSet:
        found, todo = 0, [commit]
        while todo:
            name = todo.pop()
            if found & self.position(name):
                continue
            found |= self.position(name)
            if name not in self._boundary:
                todo += [parent for parent in self.commits[name].parents if parent in self.commits]
        return found

    def merge_bases(self, commit: str) -> Iterable[str]:
        common = self.ancestors(commit) & self.all
        names = [name for name in self.commits if self.position(name) & common]
        return [
            name
            for name in names
            if not any(other != name and self.position(name) & self.ancestors(other) for other in names)
        ]

    def digest_at(self, commit: str, key: Key) -> Digest | None:
        return self.commits[commit].digest

    def changes(self, key: Key) -> CommitSet:
        return sum(self.position(name) for name in self._changed())

    def introducing(self, key: Key, digest: Digest | None) -> CommitSet:
        return sum(self.position(name) for name in self._changed() if self.commits[name].digest == digest)

    def existed(self, key: Key) -> bool:
        return any(self.commits[name].digest for name in self.commits if self.position(name) & self.all)

    def stood(self, key: Key, digest: Digest) -> bool:
        return any(
            self.commits[name].digest == digest for name in self.commits if self.position(name) & self.all
        )

    def commits_with(self, key: Key, digest: Digest) -> Sequence[str]:
        return [name for name in reversed(list(self._changed())) if self.commits[name].digest == digest]

    def commits_since(self, commit: str) -> int:
        return (self.all & ~self.ancestors(commit)).bit_count()

    def trailers(self, key: Key, since: int) -> Sequence[PullTrailer]:
        return [
            PullTrailer(name, digest, number)
            for name, commit in self.commits.items()
            if self.position(name) & self.all
            for digest, number in commit.pulls
            if number >= since
        ]

    def _changed(self) -> list[str]:
        found = []
        for name, commit in self.commits.items():
            if not self.position(name) & self.all or name in self._boundary:
                continue
            behind = [self.commits[parent].digest for parent in commit.parents]
            if commit.digest not in behind if behind else commit.digest is not None:
                found.append(name)
        return found
