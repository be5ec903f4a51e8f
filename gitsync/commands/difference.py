"""The differences between two sides, workflow by workflow, read when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gitsync.errors import GitError, InvalidInput
from gitsync.rules.masked import Masker
from gitsync.stores.git import GitRepository
from gitsync.stores.git.commit import CommitSide
from gitsync.sync.plan import Entry, Plan
from gitsync.sync.states import State
from gitsync.sync.stores import Store
from gitsync.workflow.diff import WorkflowDelta, compare_documents
from gitsync.workflow.reading import read_stored_document
from gitsync.workflow.summary import describe
from gitsync.workflow.types import Digest, Document, Key

MOVED_IN_DATABASE = (State.DATABASE_AHEAD, State.NEW_IN_DATABASE, State.DELETED_IN_DATABASE)
BATCH = 200
"""How many workflows are held as documents at once."""
MOST_TOLD = 100
"""How many workflows one page of Markdown compares."""
MOST_EXPLAINED = 50
"""How many conflicts of one push are told in words."""
MASKED: Final = "`<secret N>` stands for a secret in plain text; `gitsync validate --explain SECRETS` says how to keep one"
"""What is said where a difference has stand-ins."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One way from a document to another; ``name`` is the side that went it, where there are two.

    sides: what a diff calls the two.
    """

    name: str
    before: Document | None
    after: Document | None
    sides: tuple[str, str]

    @property
    def delta(self) -> WorkflowDelta:
        """What changed on the way."""
        return compare_documents(self.before, self.after)


@dataclass(frozen=True, slots=True)
class Difference:
    """One workflow's difference: one leg, or two from the base. fault: why there is none to show.

    secrets: how many secrets have a stand-in in the legs' documents.
    """

    entry: Entry
    legs: tuple[Leg, ...]
    fault: str = ""
    secrets: int = 0

    @property
    def words(self) -> str:
        """What changed, in one line."""
        if self.fault:
            return self.fault
        return "; ".join(f"{leg.name}{': ' * bool(leg.name)}{describe(leg.delta)}" for leg in self.legs)

    @property
    def is_whole(self) -> bool:
        """Whether one side has nothing, so that line by line there is only the other."""
        return any(None in (leg.before, leg.after) for leg in self.legs)


class Differ:
    """Reads both sides' documents in batches and compares them.

    as_push: every difference leads from the database to git, whichever side moved. secrets: how many of the
    differences told so far had some, which are masked.
    """

    def __init__(
        self, git: GitRepository, files: CommitSide, database: Store, *, as_push: bool = False
    ) -> None:
        self._git, self._files, self._database = git, files, database
        self._as_push = as_push
        self.secrets = 0

    def differences(self, entries: Sequence[Entry]) -> Iterator[Difference]:
        """Yield one for each entry, in order."""
        for start in range(0, len(entries), BATCH):
            batch = entries[start : start + BATCH]
            stored = dict(self._database.load([entry.key for entry in batch if entry.database]))
            for entry in batch:
                yield self._difference(entry, stored.get(entry.key))

    def _difference(self, entry: Entry, stored: Document | None) -> Difference:
        if entry.unreadable is not None:
            return Difference(entry, (), fault=entry.unreadable.reason)
        if entry.repository is not None and entry.repository == entry.database:
            return Difference(entry, (), fault="a call by a file's text becomes one by the workflow's id")
        committed = self._read_file(entry.key) if entry.repository else None
        if entry.repository and committed is None:
            return Difference(
                entry, (), fault="the file holds no valid workflow; `gitsync plan` names every problem"
            )
        base = (
            self._read_blob(entry.base_digest)
            if entry.state is State.DIVERGED and entry.base_digest
            else None
        )
        if base is not None and not self._as_push:
            moved = (("database", stored), ("git", committed))
            return self._masked(entry, *(Leg(side, base, after, ("base", side)) for side, after in moved))
        names = (f"database/{entry.key}", f"git/{entry.key}")
        if entry.state in MOVED_IN_DATABASE and not self._as_push:
            return self._masked(entry, Leg("", committed, stored, names[::-1]))
        return self._masked(entry, Leg("", stored, committed, names))

    def _masked(self, entry: Entry, *legs: Leg) -> Difference:
        """Return the difference along `legs`, without the secrets in their documents."""
        masker = Masker()
        shown = tuple(
            replace(
                leg,
                before=leg.before and masker.document(leg.before),
                after=leg.after and masker.document(leg.after),
            )
            for leg in legs
        )
        self.secrets += masker.count > 0
        return Difference(entry, shown, secrets=masker.count)

    def _read_file(self, key: Key) -> Document | None:
        try:
            return next((document for _, document in self._files.load([key])), None)
        except InvalidInput:
            return None

    def _read_blob(self, digest: Digest) -> Document | None:
        try:
            return next(
                (read_stored_document(data, file=digest) for _, data in self._git.read_blobs([digest])), None
            )
        except (GitError, InvalidInput):
            return None


def tell_plan(
    files: CommitSide, database: Store, plan: Plan, entries: Sequence[Entry]
) -> dict[Key, Difference]:
    """Return the differences of a push's plan that a page tells, the first ones of many.

    Changes lead from the database to git, whoever moved; what stays apart reads as in ``diff``.
    """
    changed = {change.key for change in plan.changes}
    kept = [*plan.conflicts, *plan.refused][:MOST_TOLD]
    written = [entry for entry in entries if entry.key in changed][: MOST_TOLD - len(kept)]
    kept += plan.left[: MOST_TOLD - len(kept) - len(written)]
    differ, pusher = Differ(files.git, files, database), Differ(files.git, files, database, as_push=True)
    return {one.entry.key: one for one in (*differ.differences(kept), *pusher.differences(written))}


def tell_pull(
    files: CommitSide, database: Store, plan: Plan, entries: Sequence[Entry]
) -> dict[Key, Difference]:
    """Return the differences of a pull's plan that a page tells: what was in conflict, then what was written."""
    changed = {change.key for change in plan.changes}
    kept = [*plan.conflicts, *plan.refused, *(entry for entry in entries if entry.key in changed)]
    differ = Differ(files.git, files, database)
    return {one.entry.key: one for one in differ.differences(kept[:MOST_TOLD])}
