"""Which side moved: the base of a key, from the ledger's marks and from git's history.

The base is what both sides held when they were last in step. No state file knows it; two witnesses
do. The ledger says what gitsync last wrote or found in step, and from which commit. History says what
a branch has seen. Every rule below closes a way to lose an edit; ``docs/sync.md`` tells them in words.

Sets of commits are bit sets in an ``int``: bit n stands for the commit at position n of the history.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias, TypeVar

from gitsync.sync.model import Mark, MarkKind
from gitsync.workflow.types import Digest, Key

CommitSet: TypeAlias = int


class State(enum.StrEnum):
    """How the two sides stand to each other about one key."""

    IN_SYNC = "in-sync"
    NEW_IN_REPOSITORY = "new-in-repository"
    NEW_IN_DATABASE = "new-in-database"
    DELETED_IN_REPOSITORY = "deleted-in-repository"
    DELETED_IN_DATABASE = "deleted-in-database"
    REPOSITORY_AHEAD = "repository-ahead"
    DATABASE_AHEAD = "database-ahead"
    DIVERGED = "diverged"
    UNKNOWN = "unknown"
    UNREADABLE = "unreadable"


class _NoBase(enum.Enum):
    NO_BASE = "no base"


NO_BASE: Final = _NoBase.NO_BASE
Base: TypeAlias = Digest | _NoBase | None
"""A digest; ``None`` where both held nothing; NO_BASE where no base can be told."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The state of a key and the base it follows from."""

    state: State
    base: Base


@dataclass(frozen=True, slots=True)
class PullTrailer:
    """A verified ``Gitsync-Pulled-From`` of one commit, for one key and this database."""

    commit: str
    digest: Digest | None
    number: int


class History(Protocol):
    """What a clone knows of the commits behind one commit; digests are of normal forms."""

    @property
    def commit(self) -> str:
        """The commit whose history this is."""

    @property
    def all(self) -> CommitSet:
        """The visible ancestors of the commit, itself included."""

    @property
    def boundary(self) -> CommitSet:
        """Commits of the clone whose parents a shallow clone cut off."""

    def has(self, commit: str) -> bool:
        """Whether the clone holds `commit`, on whatever branch."""

    def ancestors(self, commit: str) -> CommitSet:
        """The visible ancestors of a commit that the clone has, itself included."""

    def position(self, commit: str) -> CommitSet:
        """The set of this commit alone."""

    def merge_bases(self, commit: str) -> Iterable[str]:
        """The best common ancestors of `commit` and the history's own commit."""

    def digest_at(self, commit: str, key: Key) -> Digest | None:
        """What stood at the key's path in `commit`."""

    def changes(self, key: Key) -> CommitSet:
        """Commits that differ from each of their parents at the key's path."""

    def introducing(self, key: Key, digest: Digest | None) -> CommitSet:
        """Those of `changes` that put `digest` there (``None``: that deleted the file)."""

    def existed(self, key: Key) -> bool:
        """Whether any visible ancestor holds the key's path."""

    def stood(self, key: Key, digest: Digest) -> bool:
        """Whether any visible ancestor holds `digest` at the key's path."""

    def commits_with(self, key: Key, digest: Digest) -> Sequence[str]:
        """The commits of `introducing`, newest first."""

    def commits_since(self, commit: str) -> int:
        """How many visible ancestors `commit` has not."""

    def trailers(self, key: Key, since: int) -> Sequence[PullTrailer]:
        """Pulls of this database that visible ancestors recorded for the key, their number at least `since`."""


def name_state(*, database: Digest | None, repository: Digest | None, base: Base) -> State:
    """The state word for what the two sides hold and their base."""
    if database == repository:
        return State.IN_SYNC
    if base is NO_BASE or base not in (database, repository):
        return State.DIVERGED
    if base == database:
        if database is None:
            return State.NEW_IN_REPOSITORY
        return State.DELETED_IN_REPOSITORY if repository is None else State.REPOSITORY_AHEAD
    if repository is None:
        return State.NEW_IN_DATABASE
    return State.DELETED_IN_DATABASE if database is None else State.DATABASE_AHEAD


DIVERGED: Final = Judgement(State.DIVERGED, NO_BASE)
UNKNOWN: Final = Judgement(State.UNKNOWN, NO_BASE)


def judge(
    key: Key,
    *,
    database: Digest | None,
    repository: Digest | None,
    marks: Sequence[Mark],
    history: History,
) -> Judgement:
    """The state of `key`, and its base.

    marks: all that the ledger holds for the key, newest first.
    """
    if database == repository:
        return Judgement(State.IN_SYNC, database)
    if repository is None and not history.all & history.boundary and not history.existed(key):
        return Judgement(State.NEW_IN_DATABASE, None)
    case = _Case(key, database, repository, tuple(marks), history)
    return case.by_trailers() or case.by_marks() or case.by_history_alone()


class _Case:
    """One key under judgement: what is held where, and who has seen it."""

    def __init__(
        self,
        key: Key,
        database: Digest | None,
        repository: Digest | None,
        marks: tuple[Mark, ...],
        history: History,
    ) -> None:
        self.key, self.database, self.repository, self.history = key, database, repository, history
        self.marks = tuple(mark for mark in marks if mark.commit is not None)
        self.newest_of_all = marks[0] if marks else None  # an import's too
        self.cut = bool(history.all & history.boundary)
        self.held_before = (
            {mark.digest for mark in marks if mark.kind is MarkKind.PUSH}
            | {mark.digest for mark in marks[1:]}
            | {mark.replaced for mark in marks}
        )
        self.pushed = self._behind(mark for mark in self.marks if mark.kind is MarkKind.PUSH)

    def _behind(self, marks: Iterable[Mark]) -> CommitSet:
        """The visible ancestors of the marks' commits, as far as the clone has them."""
        found: CommitSet = 0
        for commit in {mark.commit for mark in marks}:
            if commit is not None and self.history.has(commit):
                found |= self.history.ancestors(commit)
        return found

    # ---------------------------------------------------------------- the witnesses, in their order

    def by_trailers(self) -> Judgement | None:
        """What pulls noted in git, where they are no older than the newest mark."""
        trailers = self.history.trailers(self.key, self.marks[0].number if self.marks else 0)
        if not trailers:
            return None
        newest = max(trailer.number for trailer in trailers)
        tips = _tips([t for t in trailers if t.number == newest], self.history)
        return _agree([self._judge_trailer(trailer) for trailer in tips])

    def by_marks(self) -> Judgement | None:
        """What the newest mark says that this branch can place."""
        for index, mark in enumerate(self.marks):
            if mark.kind is MarkKind.PUSH:
                return _agree([self._place(m) for m in _tips(_run(self.marks[index:]), self.history)])
            if (judgement := self._judge_pull(mark)) is not None:
                return judgement
        return None

    def by_history_alone(self) -> Judgement:
        """What the branch's own history says, where no mark can be placed."""
        database, newest = self.database, self.marks[0] if self.marks else None
        if newest and database not in (None, newest.digest) and database in self.held_before:
            return DIVERGED  # held before, moved away from, and back
        if database is None:
            if newest and newest.digest is not None:
                return DIVERGED  # the database had it, by a mark that this branch cannot place
            return self._with(None)
        if self.history.stood(self.key, database):
            return self._with(database)
        if self.cut:
            return UNKNOWN
        if self.repository is None and not self.history.existed(self.key):
            return self._with(None)
        return DIVERGED

    # ---------------------------------------------------------------- one witness alone

    def _judge_trailer(self, trailer: PullTrailer) -> Judgement:
        past = self.pushed | self.history.ancestors(trailer.commit)
        judgement = self._follow(trailer.digest, past=past, newest=NO_BASE)
        if judgement.state is State.DELETED_IN_DATABASE and not self.marks:
            # a name in a trailer cannot tell a deletion from a new, empty database
            return self._with(None)
        return judgement

    def _judge_pull(self, mark: Mark) -> Judgement | None:
        """A pull licenses only what this branch took in after it."""
        commit, history = mark.commit, self.history
        if commit is None or not history.has(commit):
            return None
        if mark.digest is None and self.database is not None and self.repository is None:
            return None
        past = self.pushed | history.ancestors(commit)
        if not history.introducing(self.key, mark.digest) & history.all & ~past:
            return None
        return self._follow(mark.digest, past=past, newest=self._newest())

    def _place(self, mark: Mark) -> Judgement:
        """A push mark, seen from this branch."""
        commit, history = mark.commit, self.history
        if commit is None or not history.has(commit):
            return UNKNOWN
        behind = history.ancestors(commit)
        if history.position(commit) & history.all:
            return self._follow(mark.digest, past=self.pushed | behind, newest=self._newest())
        if history.boundary:
            return UNKNOWN
        found = {history.digest_at(base, self.key) for base in history.merge_bases(commit)}
        base: Base = found.pop() if len(found) == 1 else NO_BASE
        if self.database != mark.digest and self.database == base:
            return DIVERGED  # the database went back past the mark: a decision of its own
        if self._was_taken_in_since(mark, behind):
            return self._with(mark.digest)
        past = behind if self.database == mark.digest else self.pushed | behind
        return self._follow(base, past=past, newest=self._newest())

    def _was_taken_in_since(self, mark: Mark, behind: CommitSet) -> bool:
        """Whether a mark on another branch is the last word of the ledger and of the database, and here as well.

        So it is where the branch that was deployed has been squashed or rebased into this one.
        """
        if mark.digest is None or self.database != mark.digest or mark is not self.newest_of_all:
            return False
        others = self._behind(
            other for other in self.marks if other.kind is MarkKind.PUSH and other is not mark
        )
        since = self.history.all & ~behind & ~others
        return bool(self.history.introducing(self.key, mark.digest) & since)

    def _follow(self, base: Base, *, past: CommitSet, newest: Base) -> Judgement:
        """The judgement from `base`, unless the branch has seen the database's content since.

        past: the commits that the database has been at.
        """
        database, history = self.database, self.history
        if database == base and newest not in (NO_BASE, database):
            return DIVERGED  # a newer mark saw something else: it moved, and came back
        if database != base and database is not None and database not in self.held_before:
            since = history.all & ~past
            if history.introducing(self.key, database) & since:
                return self._with(database)  # an unrecorded pull, a squash, a cherry-pick
            if self.cut and history.boundary & since:
                return UNKNOWN
        return self._with(base)

    def _newest(self) -> Base:
        return self.marks[0].digest if self.marks else NO_BASE

    def _with(self, base: Base) -> Judgement:
        if base is None and self.repository is None:
            return Judgement(State.NEW_IN_DATABASE, None)
        return Judgement(name_state(database=self.database, repository=self.repository, base=base), base)


def _run(marks: Sequence[Mark]) -> Iterator[Mark]:
    """The marks that found the key in step, down to the write below them."""
    for mark in marks:
        if mark.kind is MarkKind.PUSH:
            yield mark
            if mark.is_write:
                return


class _Placed(Protocol):
    @property
    def commit(self) -> str | None:
        """Where it stands in git."""


_T = TypeVar("_T", bound=_Placed)


def _tips(placed: Iterable[_T], history: History) -> list[_T]:
    """Those of `placed` that are no ancestor of another's commit."""
    items = list(placed)
    known = {item.commit for item in items if item.commit is not None and history.has(item.commit)}

    def is_behind(commit: str | None) -> bool:
        return commit in known and any(
            history.position(commit) & history.ancestors(other) for other in known - {commit}
        )

    return [item for item in items if not is_behind(item.commit)]


def _agree(judgements: Sequence[Judgement]) -> Judgement:
    """The one judgement they share; unknown if any is, else diverged."""
    states = {judgement.state for judgement in judgements}
    if len(states) == 1:
        return judgements[0]
    return UNKNOWN if State.UNKNOWN in states else DIVERGED


def in_step_mark(key: Key, digest: Digest | None, marks: Sequence[Mark], history: History) -> Mark | None:
    """The mark to leave for a key that a run found in step at the history's commit, if any.

    marks: of the key, newest first, at least down to the newest write. A mark is due where the path has
    changed since the newest mark's commit, or where that mark holds something else. It never moves backwards.
    """
    placed = [mark for mark in marks if mark.commit is not None]
    if digest is None and not placed:
        return None
    found = Mark(MarkKind.PUSH, digest, history.commit, is_write=True)
    for mark in placed:
        if mark.digest != digest:
            break  # it has moved since: to be noted
        if mark.kind is not MarkKind.PUSH or mark.commit is None:
            continue
        if history.has(mark.commit):
            behind = history.ancestors(mark.commit)
            if history.position(history.commit) & behind:
                return None
            if (
                history.position(mark.commit) & history.all
                and not history.changes(key) & history.all & ~behind
            ):
                return None
        if mark.is_write:
            return Mark(MarkKind.PUSH, digest, history.commit, is_write=False)
    return found
