"""Which commits hold what a set of keys needs: one pass over the graph, however many keys there are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

from gitsync.stores.git import ZERO
from gitsync.stores.git.commit import CommitSide
from gitsync.stores.git.history import MOST_PATHS
from gitsync.sync.pull import Need
from gitsync.workflow.types import Digest, Key


class Past:
    """Which commits behind the source's hold, for each key, what is needed there; bit n is the n-th key's."""

    def __init__(self, source: CommitSide, needs: Mapping[Key, Need]) -> None:
        self._source, self._needs, self._keys = source, needs, sorted(needs)
        self._all = (1 << len(self._keys)) - 1
        self._normal: dict[str, Digest] = {}
        self._is_normalised = False

    def newest(self) -> str | None:
        """The newest commit that holds all of it."""
        self._look_closely_if_needed()
        if found := self._first():
            return found
        self._normalise()
        return self._first()

    def fits(self, commit: str | None) -> bool:
        """Whether one commit, or the empty beginning, holds all of it."""
        if commit is None:
            return self.fits_beginning(self._keys)
        self._look_closely_if_needed()
        if commit in self._fitting and self._fitting[commit] != self._all:
            self._normalise()
        return self._fitting.get(commit) == self._all

    def fits_beginning(self, keys: Collection[Key]) -> bool:
        """Whether a commit without parents is where to start for `keys`."""
        return all(self._needs[key](None) for key in keys)

    def groups(self) -> list[tuple[str | None, list[Key]]]:
        """The keys by the newest commit that holds what each needs; ``None`` where there is no such commit."""
        left = self._all
        found: list[tuple[str | None, list[Key]]] = []
        for commit, _ in self._graph:
            if bits := self._fitting[commit] & left:
                found.append((commit, self._named(bits)))
                left &= ~bits
        for is_free in (True, False):
            keys = [key for key in self._named(left) if self._needs[key](None) is is_free]
            found += [(None, keys)] if keys else []
        return found

    def _first(self) -> str | None:
        return next((commit for commit, _ in self._graph if self._fitting[commit] == self._all), None)

    def _look_closely_if_needed(self) -> None:
        if not all(need.is_among for need in self._needs.values()):
            self._normalise()  # what must not stand there might stand there in another form

    def _normalise(self) -> None:
        """Look at what stands in blobs that are no canonical files, once nothing else has answered."""
        if not self._is_normalised:
            oids = {oid for _, changes in self._changes for _, oid in changes if oid}
            self._normal.update(self._source.normalise(oids))
            self._is_normalised = True
            self.__dict__.pop("_fitting", None)

    def _named(self, bits: int) -> list[Key]:
        return [key for place, key in enumerate(self._keys) if bits >> place & 1]

    @cached_property
    def _graph(self) -> list[tuple[str, list[str]]]:
        commit = self._source.commit
        return [] if commit == ZERO else self._source.git.graph([commit])

    @cached_property
    def _changes(self) -> Sequence[tuple[str, list[tuple[int, str | None]]]]:
        """(commit, its changes as (place of the key, blob)); what isn't in it is as in each parent."""
        if not self._graph:
            return []
        places = {self._source.path(key): place for place, key in enumerate(self._keys)}
        paths = list(places) if len(places) <= MOST_PATHS else [self._source.folder or "."]
        found: dict[str, list[tuple[int, str | None]]] = {}
        for change in self._source.git.log(self._source.commit, paths):
            if change.path in places:
                found.setdefault(change.commit, []).append((places[change.path], change.new))
        return list(found.items())

    @cached_property
    def _fitting(self) -> dict[str, int]:
        changes = dict(self._changes)
        needs = [self._needs[key] for key in self._keys]
        beginning = sum(1 << place for place, need in enumerate(needs) if need(None))
        found: dict[str, int] = {}
        for commit, parents in reversed(self._graph):
            bits = found[parents[0]] if parents else beginning
            for place, oid in changes.get(commit, ()):
                is_fit = needs[place](None if oid is None else self._normal.get(oid, Digest(oid)))
                bits = bits | 1 << place if is_fit else bits & ~(1 << place)
            found[commit] = bits
        return found
