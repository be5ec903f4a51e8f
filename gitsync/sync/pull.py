"""A pull: plan and check; from a database into the work tree."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from gitsync.errors import Conflict, GitsyncError, InvalidInput, Refused, plural
from gitsync.sync.compare import Comparison, LedgerSide
from gitsync.sync.limits import Limits
from gitsync.sync.model import Action, Change, Mark, MarkKind, Side
from gitsync.sync.plan import (
    Entry,
    Plan,
    Verdict,
    find_excess,
    make_plan,
    pull_verdict,
    refusal,
    resolve_hint,
)
from gitsync.sync.states import NO_BASE, State
from gitsync.workflow.references import is_reference, replaced_calls
from gitsync.workflow.types import Digest, Key


@dataclass(frozen=True, slots=True)
class PullOptions:
    """What a pull was asked to do."""

    force: bool = False
    prune: bool = False
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class PullPlan:
    """A plan for the work tree; ``uncommitted`` would be written, were their edits not in the way.

    saved: the same for edits that were made after the plan.
    """

    plan: Plan
    uncommitted: tuple[Entry, ...]
    saved: tuple[Entry, ...] = ()

    def without(self, kept: Collection[Key], comparison: Comparison) -> PullPlan:
        """What is left of it where the files of `kept` were saved while it was carried out."""
        changes = tuple(change for change in self.plan.changes if change.key not in kept)
        saved = tuple(entry for entry in comparison.entries if entry.key in kept)
        return replace(self, plan=replace(self.plan, changes=changes), saved=(*self.saved, *saved))


def find_dangling(comparison: Comparison, *, database: LedgerSide, files: Side) -> Comparison:
    """The comparison, with those entries noted whose file calls by key where the database's call leads nowhere.

    An id that no workflow has means nothing in any other database, so it never takes a reference's place.
    """
    unkeyed = {row.workflow_id.lower() for row in comparison.database.unkeyed}

    def noted(entry: Entry) -> Entry:
        called = database.raw_calls.get(entry.key, frozenset())
        dead = {one for one in called if not is_reference(one) and one.lower() not in unkeyed}
        if not dead or entry.repository in (None, entry.database):
            return entry
        lost = _replaced(entry.key, dead, database, files)
        if not lost:
            return entry
        ids, keys = ", ".join(sorted(dead)), ", ".join(sorted(lost))
        note = f"it calls {ids} in the database, which leads nowhere, and {keys} in git"
        return replace(entry, note="; ".join(filter(None, (entry.note, note))), is_dangling=True)

    return replace(comparison, entries=tuple(map(noted, comparison.entries)))


def _replaced(key: Key, dead: Collection[str], database: Side, files: Side) -> frozenset[str]:
    try:
        here = next((document for _, document in files.load([key])), None)
    except InvalidInput:
        return frozenset()  # its calls cannot be told
    there = dict(database.load([key])).get(key)
    return frozenset() if here is None or there is None else replaced_calls(here, there, dead)


def _or_dangling(verdict: Verdict, entry: Entry) -> Verdict:
    """What becomes of a file that would get a call that leads nowhere in the place of a reference: it is left."""
    return Verdict.CONFLICT if verdict is Verdict.WRITE and entry.is_dangling else verdict


def plan_pull(comparison: Comparison, options: PullOptions, *, uncommitted: Collection[Key]) -> PullPlan:
    """What a pull would do; files with uncommitted edits are set aside unless forced."""
    blocked: list[Entry] = []

    def verdict(entry: Entry) -> Verdict:
        found = _or_dangling(pull_verdict(entry, force=options.force, prune=options.prune), entry)
        if found is not Verdict.LEAVE and entry.key in uncommitted and not options.force:
            blocked.append(entry)
            return Verdict.LEAVE
        return found

    plan = make_plan(
        comparison.entries,
        verdict=verdict,
        target=lambda entry: entry.repository,
        source=lambda entry: entry.database,
        existing=len(comparison.files),
    )
    stuck = {entry.key for entry in blocked}
    plan = replace(plan, left=tuple(entry for entry in plan.left if entry.key not in stuck))
    plan = replace(plan, objections=_pull_objections(plan, comparison, options))
    return PullPlan(plan, tuple(blocked))


@dataclass(frozen=True, slots=True)
class Need:
    """What a commit must hold for a key so that git's merge from there on compares rightly.

    is_among: one of `digests`; else anything but these. ``None`` stands for no file.
    """

    digests: frozenset[Digest | None]
    is_among: bool = True

    def __call__(self, held: Digest | None) -> bool:
        """Whether `held` will do."""
        return (held in self.digests) is self.is_among


def base_need(entry: Entry) -> Need:
    """What the common commit has to hold for `entry`: its base.

    Where no base can be told, whatever makes git ask a person: no file at all between two that differ, and a
    file unlike the one that is left where one side has deleted it.
    """
    if entry.base is not NO_BASE:
        return Need(frozenset({entry.base}))
    if entry.database is None or entry.repository is None:
        return Need(frozenset({None, entry.database, entry.repository}), is_among=False)
    return Need(frozenset({None}))


def plan_branch_pull(comparison: Comparison, options: PullOptions) -> Plan:
    """What a pull onto a branch would do: what has diverged is written there, for git to merge."""

    def verdict(entry: Entry) -> Verdict:
        if entry.state is not State.DIVERGED:
            return _or_dangling(pull_verdict(entry, force=False, prune=options.prune), entry)
        if entry.database is not None:
            return _or_dangling(Verdict.WRITE, entry)
        return Verdict.DELETE if options.prune else Verdict.LEAVE

    plan = make_plan(
        comparison.entries,
        verdict=verdict,
        target=lambda entry: entry.repository,
        source=lambda entry: entry.database,
        existing=len(comparison.files),
    )
    return replace(plan, objections=_pull_objections(plan, comparison, options))


def changes_back(
    comparison: Comparison, plan: Plan, earlier: Mapping[Key, tuple[Digest | None, Digest | None]]
) -> list[Change]:
    """What an earlier pull wrote onto the branch and the database has taken back since.

    earlier: key → (what the branch started from, what it holds now).
    """
    planned = {change.key for change in plan.changes}
    chosen = {entry.key for entry in comparison.entries}
    held = comparison.database.digests
    return [
        Change(key, Action.DELETE if old is None else Action.UPDATE, new, old)
        for key, (old, new) in earlier.items()
        if key not in planned
        and key not in comparison.database.unreadable
        and (key in chosen or not comparison.is_selected)
        and held.get(key) == old
    ]


def _pull_objections(plan: Plan, comparison: Comparison, options: PullOptions) -> tuple[GitsyncError, ...]:
    """What speaks against a pull: the database is empty, or too much would be deleted."""
    objections: list[GitsyncError] = []
    if not comparison.database.keys and comparison.files and not comparison.is_selected:
        objections.append(
            Refused(
                "the database holds no workflows, the repository does; nothing was written",
                code="EMPTY_SOURCE",
                cure="`gitsync push` brings them into the database; or is this the wrong tenant?",
            )
        )
    others = (
        comparison.prune_error() if options.prune else None,
        find_excess(plan, options.limits, overwrites_count=False),
    )
    return (*objections, *(error for error in others if error is not None))


def pull_marks(plan: Plan, *, recent: Mapping[Key, Sequence[Mark]], head: str) -> dict[Key, Mark]:
    """The marks of a pull: for each file written whose content the newest mark doesn't hold.

    head: where HEAD stood when the pull wrote, ZERO before the first commit.
    """
    found = {}
    for change in plan.changes:
        newest = next((mark for mark in recent.get(change.key, ()) if mark.commit), None)
        if newest is None or newest.digest != change.after:
            found[change.key] = Mark(MarkKind.PULL, change.after, head)
    return found


def pull_subject(count: int, environment: str) -> str:
    """What the commit of a pull is called where nobody has said it."""
    return f"Pull {plural(count, 'workflow')} from {environment}"


def pull_outcome(pulled: PullPlan) -> GitsyncError | None:
    """The error to end a pull with after the clean keys were written, if any stayed apart."""
    plan = pulled.plan
    dangling = [entry for entry in plan.conflicts if entry.is_dangling]
    diverged = [entry for entry in plan.conflicts if not entry.is_dangling]
    blocked = (*pulled.uncommitted, *pulled.saved)
    parts, cures = [], []
    if diverged:
        parts.append(f"changed on both sides: {_keys(diverged)}")
        cures.append(resolve_hint(diverged[0].key))
    if dangling:
        parts.append(f"calling in the database what is gone there, and a key in git: {_keys(dangling)}")
        cures.append(f"`gitsync push --force {dangling[0].key}` links git's call again")
    if pulled.uncommitted:
        parts.append(f"edited and not committed: {_keys(pulled.uncommitted)}")
    if pulled.saved:
        parts.append(f"saved while the pull ran, and kept: {_keys(pulled.saved)}")
    if blocked:
        cures.append("commit or `git checkout` these files, then pull again")
    if plan.refused:
        return refusal(plan.refused, ending="; ".join((*parts, "the rest was pulled")))
    if not parts:
        return None
    return Conflict(
        f"{len(plan.conflicts) + len(blocked)} not pulled; " + "; ".join(parts),
        code="CONFLICT" if diverged else "UNCOMMITTED_CHANGES" if blocked else "DANGLING_CALL",
        details={
            "conflicts": [entry.as_json() for entry in plan.conflicts],
            "uncommitted": [entry.as_json() for entry in blocked],
        },
        cure="; ".join(cures),
    )


def _keys(entries: Sequence[Entry]) -> str:
    return ", ".join(entry.key for entry in entries)
