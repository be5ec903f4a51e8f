"""Both sides of a sync in memory: what the reconciler asks of a repository and of a database, and no more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gitsync.errors import PlanStale, Problem
from gitsync.sync.compare import Comparison, FileFacts
from gitsync.sync.flight import UnfinishedRun
from gitsync.sync.model import Applied, Capabilities, Change, Deployment, Mark, Snapshot, Unreadable
from gitsync.sync.plan import Entry
from gitsync.sync.states import State
from gitsync.sync.usage import Call, Surroundings, Usage
from gitsync.workflow.canonical import document_digest
from gitsync.workflow.references import called_keys
from gitsync.workflow.types import Digest, Document, Key

COMMIT = "c" * 40


class MemorySide:
    """Documents by their keys."""

    capabilities = Capabilities(name="memory")

    def __init__(self, *documents: Document) -> None:
        self.documents = {Key(one["key"]): one for one in documents}

    @property
    def digests(self) -> dict[Key, Digest]:
        return {key: document_digest(one) for key, one in self.documents.items()}

    def snapshot(self) -> Snapshot:
        return Snapshot("1", self.digests)

    def load(self, keys: Collection[Key]) -> Iterator[tuple[Key, Document]]:
        return ((key, self.documents[key]) for key in sorted(set(keys) & self.documents.keys()))

    def apply(
        self, changes: Sequence[Change], documents: Iterable[tuple[Key, Document]], deployment: Deployment
    ) -> Applied:
        digests = self.digests
        if moved := [change.key for change in changes if digests.get(change.key) != change.before]:
            raise PlanStale(f"{', '.join(moved)} has moved")
        for key, one in documents:
            self.documents[key] = one
        for change in changes:
            if change.after is None:
                del self.documents[change.key]
        return Applied(number=1)


@dataclass(frozen=True, slots=True)
class MemoryFacts:
    """What was found in one file."""

    digest: Digest
    calls: frozenset[Key] = frozenset()
    problems: tuple[Problem, ...] = ()
    ids: frozenset[str] = frozenset()

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "error")

    def beside(self, held: Counter[tuple[str, str, str]]) -> FileFacts:
        return self


class MemoryFiles(MemorySide):
    """A repository; faults: key → the code of what is wrong with its file."""

    commit = COMMIT

    def __init__(
        self, *documents: Document, faults: Mapping[str, str] = {}, strays: Sequence[Problem] = ()
    ) -> None:
        super().__init__(*documents)
        self.faults, self.strays = faults, strays

    def path(self, key: Key) -> str:
        return f"workflows/{key}.json"

    def facts(self) -> dict[Key, MemoryFacts]:
        """What there is to know of each file."""
        return {
            key: MemoryFacts(document_digest(one), called_keys(one), self._problems(key))
            for key, one in self.documents.items()
        }

    def find_unresolved(
        self, keys: Collection[Key], *, known: Collection[Key], held: Mapping[Key, Collection[str]]
    ) -> list[Problem]:
        return [
            Problem(self.path(key), rule="UNRESOLVED_REFERENCE", key=key, message=f"no workflow {called}")
            for key in keys
            for called in sorted(called_keys(self.documents[key]) - set(known))
        ]

    def _problems(self, key: Key) -> tuple[Problem, ...]:
        return (Problem(self.path(key), rule=self.faults[key], key=key),) if key in self.faults else ()


class MemoryDatabase(MemorySide):
    """A database; usage and callers: key → what hangs on its workflow, and who else calls it."""

    capabilities = Capabilities(name="a database in memory", has_ledger=True)
    has_ledger = True

    def __init__(
        self,
        *documents: Document,
        unreadable: Mapping[Key, Unreadable] = {},
        usage: Mapping[str, Usage] = {},
        callers: Mapping[str, str] = {},
        marks: Mapping[Key, Sequence[Mark]] = {},
    ) -> None:
        super().__init__(*documents)
        self.unreadable, self.usage, self._callers, self._marks = unreadable, usage, callers, marks
        self.raw_calls: Mapping[Key, frozenset[str]] = {}

    @property
    def ids(self) -> dict[Key, str]:
        return {key: f"id-of-{key}" for key in self.documents}

    def snapshot(self) -> Snapshot:
        return Snapshot("1", self.digests, unreadable=self.unreadable)

    def marks(self, keys: Collection[Key]) -> Mapping[Key, Sequence[Mark]]:
        return {key: marks for key, marks in self._marks.items() if key in keys}

    def recent_marks(self) -> Mapping[Key, Sequence[Mark]]:
        return self._marks

    def newest_number(self) -> int:
        return max((mark.number for marks in self._marks.values() for mark in marks), default=0)

    def record(self, deployment: Deployment) -> int | None:
        return self.newest_number() + 1

    def look_around(self, changes: Sequence[Change]) -> Surroundings:
        ids = {change.key: self.ids[change.key] for change in changes if change.key in self.documents}
        calls = [
            Call(ids[Key(called)], f"row-of-{caller}", f"id-of-{caller}", caller, caller)
            for called, caller in self._callers.items()
            if called in ids
        ]
        usage = {f"id-of-{key}": what for key, what in self.usage.items()}
        return Surroundings(ids, usage, calls)

    def unfinished_runs(self, keys: Collection[Key]) -> Sequence[UnfinishedRun]:
        return []

    def callers(self, keys: Collection[Key]) -> frozenset[Key]:
        return frozenset(key for key, one in self.documents.items() if called_keys(one) & set(keys))


def compared(
    files: MemoryFiles,
    database: MemoryDatabase,
    states: Mapping[str, State],
    *,
    select: Collection[str] = (),
    misplaced: Sequence[Problem] = (),
) -> Comparison:
    """Both sides compared, where each key is in the state that is told, or in sync.

    select: the keys that were chosen, all of them where there are none.
    """
    here, there = files.digests, database.digests
    entries = [
        Entry(
            key,
            states.get(key, State.IN_SYNC),
            here.get(key),
            there.get(key),
            unreadable=database.unreadable.get(key),
        )
        for key in sorted(here.keys() | there.keys() | database.unreadable.keys())
        if not select or key in select
    ]
    return Comparison(
        tuple(entries),
        database.snapshot(),
        here,
        files.facts(),
        database.marks(here.keys() | there.keys()),
        database.newest_number(),
        bool(select),
        tuple(misplaced),
    )
