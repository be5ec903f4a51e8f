"""What the reconciler asks of the places that hold workflows: to read, to write, to remember, to tell of usage."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from gitsync.errors import Problem
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
)
from gitsync.sync.usage import Surroundings, UnfinishedRun
from gitsync.workflow.types import Digest, Document, Key


class Store(Protocol):
    """A place that holds workflows: a commit, a database, a server, a bundle."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""

    def snapshot(self) -> Snapshot:
        """Read everything held, by one consistent read."""

    def load(self, keys: Collection[Key]) -> Iterator[tuple[Key, Document]]:
        """Yield the documents of `keys` that are there, in normal form, ordered by key; streamed, never all at once."""


class WritableStore(Store, Protocol):
    """A place that workflows are brought into."""

    def apply(
        self, changes: Sequence[Change], documents: Iterable[tuple[Key, Document]], deployment: Deployment
    ) -> Applied:
        """Make all changes or none; raise PlanStale where something else is held than ``before``.

        documents: of the creates and updates, in the order of `changes`, ordered by key; a store that tries again
        reads them again.
        """


class FileStore(Store, Protocol):
    """A commit: its content is files, which may be invalid."""

    commit: str

    @property
    def strays(self) -> Sequence[Problem]:
        """Files that can be no workflow."""

    def path(self, key: Key) -> str:
        """Return where the key's file lies."""

    def find_unresolved(
        self, keys: Collection[Key], *, known: Collection[Key], held: Mapping[Key, Collection[str]]
    ) -> list[Problem]:
        """Return an UNRESOLVED_REFERENCE, with its place, for each call in `keys` that leads nowhere.

        known: the keys that there will be. held: key → database ids that it calls there already.
        """


class Ledger(Protocol):
    """What a store remembers of deployments; nothing where the tables for it are missing."""

    def check_writable(self) -> None:
        """Raise, before any work is done for it, for a write that could not be made or noted."""

    def newest_number(self) -> int:
        """Return the number of the newest deployment, 0 where there is none."""

    def marks(self, keys: Collection[Key]) -> Mapping[Key, Sequence[Mark]]:
        """Return all marks of `keys`, newest first."""

    def recent_marks(self) -> Mapping[Key, Sequence[Mark]]:
        """Return the marks of every key, newest first, down to its newest write."""

    def record(self, deployment: Deployment) -> int | None:
        """Note marks alone; return the deployment's number, ``None`` where there was nothing to note."""


class UsageReader(Protocol):
    """What a store tells of runs, schedules and callers of its workflows."""

    def look_around(self, changes: Sequence[Change]) -> Surroundings:
        """Return what hangs on the workflows that `changes` touch, and who calls those that go or get another id."""

    def unfinished_runs(self, keys: Collection[Key]) -> Sequence[UnfinishedRun]:
        """Return the runs of `keys` that have not ended."""

    def callers(self, keys: Collection[Key]) -> frozenset[Key]:
        """Return the keys of workflows that call one of `keys`, in whatever version."""


class Session(Protocol):
    """One look at a target: its ids and its documents, as they are at one moment where the target can show that."""

    @property
    def index(self) -> Index:
        """Which workflow has which id."""

    def load(self, keys: Collection[Key]) -> Iterator[tuple[Key, Document]]:
        """Yield the documents of `keys` that are there, ordered by key; nothing else is asked of it meanwhile."""


class Target(WritableStore, Protocol):
    """What an environment names, a database or a server: its workflows have ids, and others write to it, too."""

    @property
    def address(self) -> str:
        """Where it is, without what is secret."""

    @property
    def ledger(self) -> Ledger | None:
        """What it remembers of deployments, ``None`` where it tells nobody."""

    @property
    def usage(self) -> UsageReader | None:
        """What it tells of usage, ``None`` where it tells nothing and protects its runs in its own way."""

    def identity(self) -> str:
        """Return what tells this store and tenant from every other."""

    def snapshot(
        self,
        *,
        keep: Mapping[Key, Digest] | None = None,
        files: CommittedFiles | None = None,
        progress: Progress | None = None,
    ) -> Snapshot:
        """Read everything held, by one consistent read where the store can.

        keep: digests beside which the documents will be looked at; those that differ are kept, and `load` gives them
        as they were read here. files: what git holds, for a store that keeps no ``isSystem``.
        """

    def open(self) -> AbstractContextManager[Session]:
        """Begin one look at what is held now."""

    def may_hide(self) -> str:
        """Return why not everything may be shown, empty where it is, as far as reading has told."""
