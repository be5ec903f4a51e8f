"""What a run would do, decided before anything is written. No I/O at all."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, assert_never

from gitsync.errors import Conflict, DatabaseError, DuplicateKey, GitsyncError, Refused, listed, plural
from gitsync.sync.flight import NO_FLIGHT, Flight
from gitsync.sync.limits import Limits
from gitsync.sync.model import Action, Change, Unreadable
from gitsync.sync.states import NO_BASE, Base, State
from gitsync.sync.usage import Call, Protection
from gitsync.workflow.types import Digest, Key


class Policy(enum.StrEnum):
    """How a push treats what the database already holds, from careful to blunt."""

    CREATE_ONLY = "create-only"
    UPDATE = "update"
    FORCE = "force"


class Verdict(enum.StrEnum):
    """What a run decides about one key."""

    LEAVE = "leave"
    WRITE = "write"
    DELETE = "delete"
    CONFLICT = "conflict"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Entry:
    """One key with what each side holds, their base, and the state that follows.

    note: what else is known, such as ``gone back to commit 1a2b3c4``. is_invalid: git's file has a fault that stops
    a push, which the note tells. unreadable: why the database's content is not known; its digest is ``None`` then.
    is_dangling: the database calls an id that leads nowhere in the place of a key that git calls.
    """

    key: Key
    state: State
    repository: Digest | None
    database: Digest | None
    base: Base = NO_BASE
    note: str = ""
    is_invalid: bool = False
    unreadable: Unreadable | None = None
    is_dangling: bool = False

    @property
    def base_digest(self) -> Digest | None:
        """The base's digest, ``None`` where there is none."""
        return None if self.base is NO_BASE else self.base

    def as_json(self) -> dict[str, Any]:
        """The entry in the commands' JSON."""
        facts: dict[str, Any] = {
            "key": self.key,
            "state": self.state.value,
            "repository": self.repository,
            "database": self.database,
            "base": self.base_digest,
        }
        if self.is_invalid:
            facts["invalid"] = True
        return facts | ({"note": self.note} if self.note else {})


@dataclass(frozen=True, slots=True)
class Plan:
    """The ordered changes that bring the target in step, what stays apart and why, and what speaks against it.

    existing: how many workflows the target held; ``overwritten`` and ``deleted`` are judged against it.
    objections: the errors that forbid to write it, the gravest first. protection: what the write may do to what
    hangs on its workflows. relinked: calls that will name a new id. flight: what becomes of runs in flight.
    """

    changes: tuple[Change, ...]
    conflicts: tuple[Entry, ...]
    refused: tuple[Entry, ...]
    left: tuple[Entry, ...]
    existing: int
    counts: Mapping[State, int]
    objections: tuple[GitsyncError, ...] = ()
    protection: Protection = field(default_factory=Protection)
    relinked: tuple[Call, ...] = ()
    flight: Flight = NO_FLIGHT

    @property
    def objection(self) -> GitsyncError | None:
        """The gravest objection, ``None`` where the plan may be written."""
        return self.objections[0] if self.objections else None

    def check(self) -> None:
        """Raise the gravest objection, if there is any."""
        if self.objections:
            raise self.objections[0]

    @property
    def is_empty(self) -> bool:
        """Whether the target stays as it is."""
        return not self.changes

    def count(self, action: Action) -> int:
        """How many changes do `action`."""
        return sum(change.action is action for change in self.changes)


def push_verdict(entry: Entry, *, policy: Policy, prune: bool) -> Verdict:
    """What a push does about one key: the columns ``push`` of the state table."""
    if entry.state is State.IN_SYNC:
        return Verdict.LEAVE
    if policy is Policy.FORCE and entry.state is not State.UNREADABLE:
        if entry.repository is not None:
            return Verdict.WRITE
        return Verdict.DELETE if prune else Verdict.LEAVE
    match entry.state:
        case State.NEW_IN_REPOSITORY:
            return Verdict.WRITE
        case State.REPOSITORY_AHEAD:
            return Verdict.WRITE if policy is Policy.UPDATE else Verdict.CONFLICT
        case State.DELETED_IN_REPOSITORY:
            return Verdict.DELETE if prune else Verdict.LEAVE
        case State.DELETED_IN_DATABASE | State.NEW_IN_DATABASE | State.DATABASE_AHEAD:
            return Verdict.LEAVE
        case State.DIVERGED:
            return Verdict.CONFLICT
        case State.UNKNOWN:
            return Verdict.REFUSE if entry.repository is not None or prune else Verdict.LEAVE
        case State.UNREADABLE:
            return Verdict.REFUSE
        case _:
            assert_never(entry.state)


def pull_verdict(entry: Entry, *, force: bool, prune: bool) -> Verdict:
    """What a pull does about one key: the columns ``pull`` of the state table."""
    if entry.state is State.IN_SYNC or (entry.repository and entry.repository == entry.database):
        return Verdict.LEAVE
    if force and entry.state is not State.UNREADABLE:
        if entry.database is not None:
            return Verdict.WRITE
        return Verdict.DELETE if prune else Verdict.LEAVE
    match entry.state:
        case State.DATABASE_AHEAD | State.NEW_IN_DATABASE:
            return Verdict.WRITE
        case State.DELETED_IN_DATABASE:
            return Verdict.DELETE if prune else Verdict.LEAVE
        case State.NEW_IN_REPOSITORY | State.REPOSITORY_AHEAD | State.DELETED_IN_REPOSITORY:
            return Verdict.LEAVE
        case State.DIVERGED:
            return Verdict.CONFLICT if entry.database is not None or prune else Verdict.LEAVE
        case State.UNKNOWN:
            return Verdict.REFUSE if entry.database is not None or prune else Verdict.LEAVE
        case State.UNREADABLE:
            return Verdict.REFUSE
        case _:
            assert_never(entry.state)


def make_plan(
    entries: Iterable[Entry],
    *,
    verdict: Callable[[Entry], Verdict],
    target: Callable[[Entry], Digest | None],
    source: Callable[[Entry], Digest | None],
    existing: int,
) -> Plan:
    """The plan for `entries`, everything in it sorted by key.

    target, source: which of an entry's digests is whose.
    existing: how many workflows the target holds.
    """
    changes: list[Change] = []
    listed: dict[Verdict, list[Entry]] = {verdict: [] for verdict in Verdict}
    counts: dict[State, int] = {}
    for entry in sorted(entries, key=lambda entry: entry.key):
        counts[entry.state] = counts.get(entry.state, 0) + 1
        decision = verdict(entry)
        before = target(entry)
        if decision is Verdict.WRITE:
            action = Action.CREATE if before is None else Action.UPDATE
            changes.append(Change(entry.key, action, before, source(entry)))
        elif decision is Verdict.DELETE:
            changes.append(Change(entry.key, Action.DELETE, before, None))
        elif entry.state is not State.IN_SYNC:
            listed[decision].append(entry)
    return Plan(
        changes=tuple(changes),
        conflicts=tuple(listed[Verdict.CONFLICT]),
        refused=tuple(listed[Verdict.REFUSE]),
        left=tuple(listed[Verdict.LEAVE]),
        existing=existing,
        counts=counts,
    )


SMALLEST_LIMITED = 10
"""Where fewer workflows exist, a share says nothing and no limit applies."""


def find_excess(plan: Plan, limits: Limits, *, overwrites_count: bool = True) -> Refused | None:
    """Return an UNSAFE_PLAN where the plan deletes or overwrites too much of what exists."""
    excesses = [
        _excess(plan, Action.DELETE, "delete", "--max-deletes", limits.delete, limits.max_deletes),
        _excess(plan, Action.UPDATE, "overwrite", "--max-overwrites", limits.overwrite, limits.max_overwrites)
        if overwrites_count
        else None,
    ]
    reasons = [excess for excess in excesses if excess is not None]
    if not reasons:
        return None
    return Refused(
        "; ".join(text for text, _ in reasons) + "; nothing was written",
        code="UNSAFE_PLAN",
        details={
            "deletions": plan.count(Action.DELETE),
            "overwrites": plan.count(Action.UPDATE),
            "existing": plan.existing,
        },
        cure="look at the plan first; if it is meant, add " + " ".join(option for _, option in reasons),
    )


def _excess(
    plan: Plan, action: Action, verb: str, option: str, share: float, exact: int | None
) -> tuple[str, str] | None:
    count = plan.count(action)
    if exact is not None:
        allowed, why = exact, f"{option} allows {exact}"
    elif plan.existing < SMALLEST_LIMITED:
        return None
    else:
        allowed, why = math.floor(plan.existing * share), f"the limit is {share:.0%}"
    if count <= allowed:
        return None
    return f"the plan would {verb} {count} of {plan.existing} workflows, {why}", f"{option} {count}"


def find_conflicts(
    plan: Plan,
    *,
    policy: Policy,
    ending: str = "nothing was written",
    words: Mapping[Key, str] = MappingProxyType({}),
) -> list[GitsyncError]:
    """Return what a push may not write: a HISTORY_UNKNOWN and a conflict, each with all that it is about.

    ending: what became of the rest, for the message. words: key → what changed, for the conflicts told in words.
    """
    errors: list[GitsyncError] = []
    if plan.refused:
        errors.append(refusal(plan.refused, ending=ending))
    if not plan.conflicts:
        return errors
    details = {
        "conflicts": [
            entry.as_json() | ({"summary": words[entry.key]} if entry.key in words else {})
            for entry in plan.conflicts
        ]
    }
    if policy is Policy.CREATE_ONLY:
        error = Conflict(
            f"{plural(len(plan.conflicts), 'workflow')} would have to be overwritten: {_keys(plan.conflicts)}; {ending}",
            code="WORKFLOW_KEY_CONFLICT",
            details=details,
            cure="look with `gitsync diff`; `gitsync push --update` writes those that only git has changed",
        )
    else:
        error = Conflict(
            f"{plural(len(plan.conflicts), 'workflow')} changed on both sides: {_keys(plan.conflicts)}; {ending}",
            details=details,
            cure=resolve_hint(plan.conflicts[0].key),
        )
    return [*errors, error]


def resolve_hint(key: Key) -> str:
    """How one conflict is settled, as text."""
    return (
        f"see both with `gitsync diff {key}`; merge them with `gitsync pull --branch from-database {key}` and "
        f"`git merge from-database`, or keep the database's with `gitsync pull --force {key}`, or git's with "
        f"`gitsync push --force {key}`"
    )


def refusal(entries: Sequence[Entry], *, ending: str) -> GitsyncError:
    """The error for what can neither be written nor left aside in silence: not readable, or of unknown history."""
    unreadable = {entry.key: entry.unreadable for entry in entries if entry.unreadable is not None}
    unknown = [entry for entry in entries if entry.unreadable is None]
    if not unreadable:
        return _history_unknown(unknown, ending=ending)
    also = f"nor can this clone's history say which side moved: {_keys(unknown)}; " if unknown else ""
    return unreadable_error(unreadable, ending=also + ending)


def find_unreadable(keys: Iterable[Key], unreadable: Mapping[Key, Unreadable]) -> DatabaseError | None:
    """Return the error where any of `keys`, which a run needs, is not readable."""
    needed = {key: unreadable[key] for key in sorted(set(keys) & unreadable.keys())}
    return unreadable_error(needed, ending="nothing was written") if needed else None


def check_readable(keys: Iterable[Key], unreadable: Mapping[Key, Unreadable]) -> None:
    """Raise where any of `keys`, which a run needs, is not readable."""
    if (error := find_unreadable(keys, unreadable)) is not None:
        raise error


NOT_SHOWN: Final = "not shown, perhaps only hidden from you"


def warn_of_hiding(may_hide: str) -> list[str]:
    """A warning where a source may not show all that is there; may_hide: why."""
    return [f"{may_hide}: what is not shown is never taken for deleted or new"] if may_hide else []


def find_incomplete(changes: Iterable[Change], action: Action, *, may_hide: str, cure: str) -> Refused | None:
    """Return an INCOMPLETE_SOURCE for changes that follow from an absence, where one side may hide what it has.

    action: that which follows. may_hide: why, empty where nothing is hidden.
    """
    absent = [change.key for change in changes if change.action is action]
    if not absent or not may_hide:
        return None
    return Refused(
        f"{may_hide}, so {listed(absent)} may be there and not shown: it cannot be told whether to {action} "
        f"{'it' if len(absent) == 1 else 'them'}; nothing was written",
        code="INCOMPLETE_SOURCE",
        details={"keys": absent},
        cure=f"{cure}; `--assume-complete` goes on as if nothing were hidden",
    )


def unreadable_error(unreadable: Mapping[Key, Unreadable], *, ending: str) -> DatabaseError:
    """The error for workflows that are there and whose content cannot be told; ending: what became of the rest."""
    found = list(unreadable.values())
    codes = sorted({one.code for one in found})
    facts = [{"key": key, "code": one.code, "workflowIds": list(one.ids)} for key, one in unreadable.items()]
    several = f"{len(found)} workflows cannot be read: {listed(list(unreadable))}"
    return (DuplicateKey if codes == [DuplicateKey.code] else DatabaseError)(
        f"{found[0].reason if len(found) == 1 else several}; {ending}",
        code=codes[-1],
        details={"unreadable": facts},
        lines=[f"{one.reason} [{one.code}]" for one in found] if len(found) > 1 else (),
        cure="; ".join(UNREADABLE_CURES[code] for code in codes),
    )


UNREADABLE_CURES: Final[Mapping[str, str]] = {
    "DUPLICATE_KEY": "delete one of each pair in the product, or give it another key: `gitsync adopt WORKFLOW_ID KEY`",
    "UNREADABLE_WORKFLOW": "open and save it in the product's editor, or correct the row",
}
"""What to do about each kind of workflow that cannot be read, by its code."""


def _history_unknown(entries: Sequence[Entry], *, ending: str) -> Refused:
    """The error for keys whose history this clone cannot tell."""
    notes = {entry.note for entry in entries if entry.note}
    return Refused(
        f"this clone's history cannot say which side moved: {_keys(entries)}"
        + "".join(f"; {note}" for note in sorted(notes))
        + f"; {ending}",
        code="HISTORY_UNKNOWN",
        details={"workflows": [entry.as_json() for entry in entries]},
        cure="fetch the full history (`git fetch --unshallow`, in CI `fetch-depth: 0`), "
        f"or decide for one key: `--force {entries[0].key}`",
    )


def _keys(entries: Sequence[Entry], most: int = 12) -> str:
    return listed([entry.key for entry in entries], most)
