"""The differences between two sides, workflow by workflow, as words and lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gitsync.errors import Conflict, GitError, InvalidInput
from gitsync.render.difference import Difference, Leg
from gitsync.rules.inspection import read_stored_document
from gitsync.rules.masked import Masker
from gitsync.stores.git import GitRepository
from gitsync.stores.git.commit import CommitSide
from gitsync.sync.model import Side
from gitsync.sync.plan import Entry, Plan
from gitsync.sync.states import State
from gitsync.workflow.types import Digest, Document, Key

MOVED_IN_DATABASE = (State.DATABASE_AHEAD, State.NEW_IN_DATABASE, State.DELETED_IN_DATABASE)
BATCH = 200
"""How many workflows are held as documents at once."""
MOST_TOLD = 100
"""How many workflows one page of Markdown compares."""
MOST_EXPLAINED = 50
"""How many conflicts of one push are told in words."""


class Differ:
    """Reads both sides' documents in batches and compares them.

    as_push: every difference leads from the database to git, whichever side moved. secrets: how many of the
    differences told so far had some, which are masked.
    """

    def __init__(
        self, git: GitRepository, files: CommitSide, database: Side, *, as_push: bool = False
    ) -> None:
        self._git, self._files, self._database = git, files, database
        self._as_push = as_push
        self.secrets = 0

    def differences(self, entries: Sequence[Entry]) -> Iterator[Difference]:
        """One for each entry, in order."""
        for start in range(0, len(entries), BATCH):
            batch = entries[start : start + BATCH]
            held = dict(self._database.load([entry.key for entry in batch if entry.database]))
            for entry in batch:
                yield self._difference(entry, held.get(entry.key))

    def explain(self, error: Conflict, entries: Sequence[Entry]) -> None:
        """Add to each conflict in an error's details what changed, in words; the first ones of many."""
        words = {found.entry.key: found.words for found in self.differences(entries[:MOST_EXPLAINED])}
        for conflict in error.details["conflicts"]:
            if conflict["key"] in words:
                conflict["summary"] = words[conflict["key"]]

    def _difference(self, entry: Entry, there: Document | None) -> Difference:
        if entry.unreadable is not None:
            return Difference(entry, (), fault=entry.unreadable.reason)
        if entry.repository is not None and entry.repository == entry.database:
            return Difference(entry, (), fault="a call by a file's text becomes one by the workflow's id")
        here = self._read_file(entry.key) if entry.repository else None
        if entry.repository and here is None:
            return Difference(
                entry, (), fault="the file holds no valid workflow; `gitsync plan` names every problem"
            )
        base = (
            self._read_blob(entry.base_digest)
            if entry.state is State.DIVERGED and entry.base_digest
            else None
        )
        if base is not None and not self._as_push:
            moved = (("database", there), ("git", here))
            return self._masked(entry, *(Leg(side, base, held, ("base", side)) for side, held in moved))
        names = (f"database/{entry.key}", f"git/{entry.key}")
        if entry.state in MOVED_IN_DATABASE and not self._as_push:
            return self._masked(entry, Leg("", here, there, names[::-1]))
        return self._masked(entry, Leg("", there, here, names))

    def _masked(self, entry: Entry, *legs: Leg) -> Difference:
        """The difference along `legs`, without the secrets in their documents."""
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
    files: CommitSide, database: Side, plan: Plan, entries: Sequence[Entry]
) -> dict[Key, Difference]:
    """The differences of a push's plan that a page tells, the first ones of many.

    Changes lead from the database to git, whoever moved; what stays apart reads as in ``diff``.
    """
    changed = {change.key for change in plan.changes}
    kept = [*plan.conflicts, *plan.refused][:MOST_TOLD]
    written = [entry for entry in entries if entry.key in changed][: MOST_TOLD - len(kept)]
    kept += plan.left[: MOST_TOLD - len(kept) - len(written)]
    differ, pusher = Differ(files.git, files, database), Differ(files.git, files, database, as_push=True)
    found = [*differ.differences(kept), *pusher.differences(written)]
    return {difference.entry.key: difference for difference in found}


def tell_pull(
    files: CommitSide, database: Side, plan: Plan, entries: Sequence[Entry]
) -> dict[Key, Difference]:
    """The differences of a pull's plan that a page tells: what was in conflict, then what was written."""
    changed = {change.key for change in plan.changes}
    kept = [*plan.conflicts, *plan.refused, *(entry for entry in entries if entry.key in changed)]
    found = Differ(files.git, files, database).differences(kept[:MOST_TOLD])
    return {difference.entry.key: difference for difference in found}
