"""What the reconciler asks of a side, and the values that pass between them."""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Protocol

from gitsync.errors import GitsyncError
from gitsync.sync.usage import Protection
from gitsync.workflow.types import Digest, Document, Key


class Action(enum.StrEnum):
    """What a plan does with one key in the target."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One key's action, with the digests that the target holds before and after."""

    key: Key
    action: Action
    before: Digest | None
    after: Digest | None


class MarkKind(enum.StrEnum):
    """Whether a mark licenses by itself (push), not (pull), or has no commit (import)."""

    PUSH = "push"
    PULL = "pull"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class Mark:
    """What the ledger remembers of one key after one run.

    digest: what the database then held, ``None`` for nothing. commit: ``None`` for an import.
    number: of the deployment. replaced: digest of what the write replaced, if it wrote.
    is_write: made by a write or by force; false where a run only found the key in step.
    """

    kind: MarkKind
    digest: Digest | None
    commit: str | None
    number: int = 0
    replaced: Digest | None = None
    is_write: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a store can do and what it cannot, told before anything is written to it.

    name: what a person calls it. writes: it can be written to at all. has_ledger: it remembers deployments.
    deletes: over whatever way it is written. links_new: calls between workflows that one write creates.
    keeps_system: ``isSystem`` is told and kept. compares: refuses, in the transaction that writes, what is no longer
    as expected. takes_actor: the environment's actor becomes the author of what is created. overwrites_as_told: ids
    are kept or not as the run asks; else the store's own configuration says. guards_hidden: refuses to create a key
    that it has and does not show. checks_runtime: refuses what its runtime does not offer.
    notes: what to know before something is overwritten. complete_hint: how to be shown all of it.
    denied: why whoever asks may write nothing, ``None`` while nothing says so.
    """

    name: str
    writes: bool = True
    has_ledger: bool = False
    deletes: bool = True
    links_new: bool = True
    keeps_system: bool = True
    compares: bool = True
    takes_actor: bool = False
    overwrites_as_told: bool = True
    guards_hidden: bool = False
    checks_runtime: bool = False
    notes: tuple[str, ...] = ()
    complete_hint: str = ""
    denied: GitsyncError | None = None


@dataclass(frozen=True, slots=True)
class Unkeyed:
    """A workflow that cannot be in git, and why."""

    workflow_id: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A workflow that is there and cannot be shown: its content is neither known nor absent.

    code: of the error. ids: of its rows.
    """

    code: str
    reason: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one side holds at a revision: key → digest, and what it cannot name or show.

    warnings: things a person should know that stop nothing (an unresolved call, say). may_hide: why what is there may
    not all be shown, empty where it is known to be.
    """

    revision: str
    digests: Mapping[Key, Digest]
    unkeyed: Sequence[Unkeyed] = ()
    warnings: Sequence[str] = ()
    unreadable: Mapping[Key, Unreadable] = field(default_factory=dict)
    may_hide: str = ""

    @property
    def keys(self) -> AbstractSet[Key]:
        """Of all that is there, what cannot be shown included."""
        return self.digests.keys() | self.unreadable.keys()


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a write records of itself in the ledger.

    marks: for keys that the run did not write but found in step, or pulled.
    expected_number: newest deployment that the plan has seen; a later one for a planned key makes it stale.
    references: keys that the documents call, which have to be there afterwards. protection: what the run may do
    to what hangs on its workflows.
    """

    kind: MarkKind
    commit: str | None
    marks: Mapping[Key, Mark] = field(default_factory=dict)
    expected_number: int | None = None
    references: frozenset[Key] = frozenset()
    protection: Protection = field(default_factory=Protection)


@dataclass(frozen=True, slots=True)
class Applied:
    """What an apply did: key → id in the target, and the versions that it created.

    kept: what held something else by then than the plan had seen, and was left alone.
    """

    created: Mapping[Key, str] = field(default_factory=dict)
    deleted: Mapping[Key, str] = field(default_factory=dict)
    versions: Mapping[Key, Sequence[int]] = field(default_factory=dict)
    number: int | None = None
    kept: frozenset[Key] = frozenset()


class Side(Protocol):
    """A place that holds workflows: a repository, a database, a bundle."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""

    def snapshot(self) -> Snapshot:
        """Everything held, by one consistent read."""

    def load(self, keys: Collection[Key]) -> Iterator[tuple[Key, Document]]:
        """The documents of `keys` in normal form, ordered by key; streamed, never all at once."""

    def apply(
        self, changes: Sequence[Change], documents: Iterable[tuple[Key, Document]], deployment: Deployment
    ) -> Applied:
        """Make all changes or none; raises PlanStale where the side holds something else than ``before``.

        documents: of the creates and updates, in the order of `changes`, ordered by key; a side that tries again
        reads them again.
        """
