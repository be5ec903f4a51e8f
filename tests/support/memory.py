"""Both sides of a sync in memory: what the reconciler asks of a repository and of a database, and no more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from gitsync.errors import PlanStale, Problem
from gitsync.sync.compare import Comparison, FileFacts
from gitsync.sync.index import Index
from gitsync.sync.model import (
    Applied,
    Capabilities,
    Change,
    CommittedFiles,
    Deployment,
    Mark,
    Progress,
    Snapshot,
    Unreadable,
)
from gitsync.sync.plan import Entry
from gitsync.sync.states import State
from gitsync.sync.stores import UsageReader
from gitsync.sync.usage import Call, Surroundings, UnfinishedRun, Usage
from gitsync.workflow.canonical import document_digest
from gitsync.workflow.references import called_keys
from gitsync.workflow.types import Digest, Document, Key

COMMIT = "c" * 40


class MemorySide:
    """Documents by their keys."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(noun="memory")

    def __init__(self, *documents: Document) -> None:
        self.documents = {Key(one["key"]): one for one in documents}

    @property
    def digests(self) -> dict[Key, Digest]:
        return {key: document_digest(one) for key, one in self.documents.items()}

    def snapshot(self) -> Snapshot:
        return Snapshot(self.digests)

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


class MemoryLedger:
    """What a database in memory remembers: key → its marks, newest first."""

    def __init__(self, marks: Mapping[Key, Sequence[Mark]] = {}) -> None:
        self._marks = {key: list(of_key) for key, of_key in marks.items()}
        self._number = max((mark.number for of_key in marks.values() for mark in of_key), default=0)

    def check_writable(self) -> None:
        """Memory can always be written to."""

    def newest_number(self) -> int:
        return self._number

    def marks(self, keys: Collection[Key]) -> Mapping[Key, Sequence[Mark]]:
        return {key: of_key for key, of_key in self._marks.items() if key in keys}

    def recent_marks(self) -> Mapping[Key, Sequence[Mark]]:
        return self._marks

    def record(self, deployment: Deployment) -> int | None:
        return self.note(deployment.marks) if deployment.marks else None

    def note(self, marks: Mapping[Key, Mark]) -> int:
        """Note marks under the next number."""
        self._number += 1
        for key, mark in marks.items():
            self._marks.setdefault(key, []).insert(0, replace(mark, number=self._number))
        return self._number


@dataclass(frozen=True, slots=True)
class MemorySession:
    """One look at a database."""

    index: Index
    load: Callable[[Collection[Key]], Iterator[tuple[Key, Document]]]


class MemoryDatabase(MemorySide):
    """A database; usage and callers: key → what hangs on its workflow, and who else calls it.

    remembers: it has a ledger, which begins with `marks`.
    """

    address = "memory"

    def __init__(
        self,
        *documents: Document,
        unreadable: Mapping[Key, Unreadable] = {},
        usage: Mapping[str, Usage] = {},
        callers: Mapping[str, str] = {},
        marks: Mapping[Key, Sequence[Mark]] = {},
        remembers: bool = True,
    ) -> None:
        super().__init__(*documents)
        self.unreadable, self._usage, self._callers = unreadable, usage, callers
        self.ledger = MemoryLedger(marks) if remembers else None
        self.raw_calls: Mapping[Key, frozenset[str]] = {}
        self._kept: dict[Key, Document] = {}

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(noun="database", has_ledger=self.ledger is not None)

    @property
    def usage(self) -> UsageReader:
        return self

    def identity(self) -> str:
        return f"memory {id(self)}"

    @property
    def ids(self) -> dict[Key, str]:
        return {key: f"id-of-{key}" for key in self.documents}

    def snapshot(
        self,
        *,
        keep: Mapping[Key, Digest] | None = None,
        files: CommittedFiles | None = None,
        progress: Progress | None = None,
    ) -> Snapshot:
        digests, ids = self.digests, self.ids
        kept = {} if keep is None else self.documents
        self._kept = {key: one for key, one in kept.items() if (keep or {}).get(key) != digests[key]}
        if progress is not None:
            progress(len(digests), len(digests))
        return Snapshot(
            digests,
            unreadable=self.unreadable,
            raw_calls=self.raw_calls,
            number=0 if self.ledger is None else self.ledger.newest_number(),
            make_ids=lambda: ids,
        )

    def load(self, keys: Collection[Key]) -> Iterator[tuple[Key, Document]]:
        if set(keys) <= self._kept.keys():
            return ((key, self._kept[key]) for key in sorted(keys))
        return super().load(keys)

    @contextmanager
    def open(self) -> Iterator[MemorySession]:
        ids = self.ids
        yield MemorySession(Index(ids, {workflow_id: key for key, workflow_id in ids.items()}), super().load)

    def may_hide(self) -> str:
        return ""

    def apply(
        self, changes: Sequence[Change], documents: Iterable[tuple[Key, Document]], deployment: Deployment
    ) -> Applied:
        super().apply(changes, documents, deployment)
        if self.ledger is None:
            return Applied()
        written = {
            change.key: Mark(deployment.kind, change.after, deployment.commit, replaced=change.before)
            for change in changes
        }
        return Applied(number=self.ledger.note(written | dict(deployment.marks)))

    def look_around(self, changes: Sequence[Change]) -> Surroundings:
        ids = {change.key: self.ids[change.key] for change in changes if change.key in self.documents}
        calls = [
            Call(ids[Key(called)], f"row-of-{caller}", f"id-of-{caller}", caller, caller)
            for called, caller in self._callers.items()
            if called in ids
        ]
        usage = {f"id-of-{key}": what for key, what in self._usage.items()}
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
        {} if database.ledger is None else database.ledger.marks(here.keys() | there.keys()),
        database.snapshot().number,
        bool(select),
        tuple(misplaced),
    )
