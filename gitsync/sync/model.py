"""The values that pass between the reconciler and the places that hold workflows."""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TypeAlias

from gitsync.errors import GitsyncError
from gitsync.sync.usage import Protection
from gitsync.workflow.types import Digest, Key

Progress: TypeAlias = Callable[[int, int], None]
"""Is told (done, total) while workflows are read."""


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

    noun: what messages call it. has_ledger: it remembers deployments.
    deletes: over whatever way it is written. links_new: calls between workflows that one write creates.
    keeps_system: ``isSystem`` is told and kept. compares: refuses, in the transaction that writes, what is no longer
    as expected. takes_actor: the environment's actor becomes the author of what is created. overwrites_as_told: ids
    are kept or not as the run asks; else the store's own configuration says. guards_hidden: refuses to create a key
    that it has and does not show. checks_runtime: refuses what its runtime does not offer.
    notes: what to know before something is overwritten. complete_hint: how to be shown all of it.
    denied: why whoever asks may write nothing, ``None`` while nothing says so.
    """

    noun: str
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
    """What a store held when it was read: key → digest, and what it cannot name or show.

    warnings: things a person should know that stop nothing (an unresolved call, say). may_hide: why what is there may
    not all be shown, empty where it is known to be. raw_calls: key → ids that it calls and that belong to no key.
    number: of the newest deployment that the store remembers, 0 where there is none. make_ids: gives key → id of what
    has a digest, which few ask for.
    """

    digests: Mapping[Key, Digest]
    unkeyed: Sequence[Unkeyed] = ()
    warnings: Sequence[str] = ()
    unreadable: Mapping[Key, Unreadable] = field(default_factory=dict)
    may_hide: str = ""
    raw_calls: Mapping[Key, frozenset[str]] = field(default_factory=dict)
    number: int = 0
    make_ids: Callable[[], Mapping[Key, str]] = field(default=dict, repr=False, compare=False)

    @property
    def ids(self) -> Mapping[Key, str]:
        """Key → id in the store, of what has a digest."""
        return self.make_ids()

    @property
    def keys(self) -> AbstractSet[Key]:
        """Of all that is there, what cannot be shown included."""
        return self.digests.keys() | self.unreadable.keys()


@dataclass(frozen=True, slots=True)
class CommittedFiles:
    """What git holds of workflows, for a store that does not tell all that a file says.

    digests: of the files. system_keys: those that say ``isSystem``. known: of digests, those of any content that git
    has.
    """

    digests: Mapping[Key, Digest] = field(default_factory=dict)
    system_keys: frozenset[Key] = frozenset()
    known: Callable[[Collection[Digest]], Collection[str]] = frozenset


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

    kept: what held something else by then than the plan had seen, and was left alone. warnings: what a person should
    know of what was written.
    """

    created: Mapping[Key, str] = field(default_factory=dict)
    deleted: Mapping[Key, str] = field(default_factory=dict)
    versions: Mapping[Key, Sequence[int]] = field(default_factory=dict)
    number: int | None = None
    kept: frozenset[Key] = frozenset()
    warnings: Sequence[str] = ()
