"""A pull: plan, note, outcome; from a database into files, of the work tree or of a branch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from gitsync.errors import Conflict, GitsyncError, InvalidInput, Refused, plural
from gitsync.sync.compare import Comparison, MakeHistory
from gitsync.sync.limits import Limits
from gitsync.sync.marks import in_step_marks, record_quietly
from gitsync.sync.model import Action, Change, Deployment, Mark, MarkKind
from gitsync.sync.plan import (
    Entry,
    Plan,
    Verdict,
    find_excess,
    find_incomplete,
    make_plan,
    pull_verdict,
    refusal,
    resolve_hint,
)
from gitsync.sync.states import NO_BASE, State
from gitsync.sync.stores import Store, Target
from gitsync.workflow.references import is_reference, replaced_calls
from gitsync.workflow.types import Digest, Key


@dataclass(frozen=True, slots=True)
class PullOptions:
    """What a pull was asked to do; ``assume_complete``: what the database doesn't show is not there."""

    force: bool = False
    prune: bool = False
    limits: Limits = Limits()
    assume_complete: bool = False


@dataclass(frozen=True, slots=True)
class PullPlan:
    """A plan for files; ``uncommitted`` would be written, were their edits not in the way.

    saved: the same for edits that were made after the plan.
    """

    plan: Plan
    uncommitted: tuple[Entry, ...] = ()
    saved: tuple[Entry, ...] = ()

    @property
    def edited(self) -> tuple[Entry, ...]:
        """The entries whose files somebody has edited, before the plan or after it."""
        return (*self.uncommitted, *self.saved)

    def without(self, kept: Collection[Key], comparison: Comparison) -> PullPlan:
        """Return what is left of it where the files of `kept` were saved while it was carried out."""
        changes = tuple(change for change in self.plan.changes if change.key not in kept)
        saved = tuple(entry for entry in comparison.entries if entry.key in kept)
        return replace(self, plan=replace(self.plan, changes=changes), saved=(*self.saved, *saved))


def plan_pull(
    comparison: Comparison,
    options: PullOptions,
    *,
    uncommitted: Collection[Key] = (),
    complete_hint: str = "",
) -> PullPlan:
    """Return what a pull into the work tree would do and everything that speaks against it; nothing is written.

    comparison: with its dangling calls noted (`find_dangling`); such an entry is a conflict, forced or not.
    uncommitted: keys whose files have edits, which are set aside unless forced. complete_hint: how to be shown all
    that the database holds.
    """
    edited_entries: list[Entry] = []

    def verdict(entry: Entry) -> Verdict:
        decision = _or_dangling(pull_verdict(entry, force=options.force, prune=options.prune), entry)
        if decision is not Verdict.LEAVE and entry.key in uncommitted and not options.force:
            edited_entries.append(entry)
            return Verdict.LEAVE
        return decision

    plan = _plan(comparison, options, verdict, complete_hint=complete_hint)
    edited_keys = {entry.key for entry in edited_entries}
    left = tuple(entry for entry in plan.left if entry.key not in edited_keys)
    return PullPlan(replace(plan, left=left), tuple(edited_entries))


def plan_branch_pull(comparison: Comparison, options: PullOptions, *, complete_hint: str = "") -> Plan:
    """Return what a pull onto a branch would do: what has diverged is written there, for git to merge."""

    def verdict(entry: Entry) -> Verdict:
        if entry.state is not State.DIVERGED:
            return _or_dangling(pull_verdict(entry, force=False, prune=options.prune), entry)
        if entry.database is not None:
            return _or_dangling(Verdict.WRITE, entry)
        return Verdict.DELETE if options.prune else Verdict.LEAVE

    return _plan(comparison, options, verdict, complete_hint=complete_hint)


def _plan(
    comparison: Comparison,
    options: PullOptions,
    verdict: Callable[[Entry], Verdict],
    *,
    complete_hint: str,
) -> Plan:
    """Return the plan that follows from `verdict`, with what speaks against it."""
    plan = make_plan(
        comparison.entries,
        verdict=verdict,
        target=lambda entry: entry.repository,
        source=lambda entry: entry.database,
        existing=len(comparison.files),
    )
    may_hide = "" if options.assume_complete else comparison.database.may_hide
    objections = (
        _empty_source(comparison),
        comparison.prune_error() if options.prune else None,
        find_excess(plan, options.limits, overwrites_count=False),
        find_incomplete(plan.changes, Action.DELETE, may_hide=may_hide, cure=complete_hint),
    )
    return replace(plan, objections=tuple(error for error in objections if error is not None))


def _empty_source(comparison: Comparison) -> Refused | None:
    if comparison.database.keys or not comparison.files or comparison.is_selected:
        return None
    return Refused(
        "the database holds no workflows, the repository does; nothing was written",
        code="EMPTY_SOURCE",
        cure="`gitsync push` brings them into the database; or is this the wrong tenant?",
    )


def find_dangling(comparison: Comparison, *, database: Store, files: Store) -> Comparison:
    """Return the comparison with those entries noted whose file calls by key where the database's call leads nowhere.

    An id that no workflow has means nothing in any other database, so it never takes a reference's place.
    """
    unkeyed_ids = {row.workflow_id.lower() for row in comparison.database.unkeyed}

    def noted(entry: Entry) -> Entry:
        called_ids = comparison.database.raw_calls.get(entry.key, frozenset())
        dead_ids = {
            called for called in called_ids if not is_reference(called) and called.lower() not in unkeyed_ids
        }
        if not dead_ids or entry.repository in (None, entry.database):
            return entry
        lost_keys = _replaced(entry.key, dead_ids, database, files)
        if not lost_keys:
            return entry
        ids, keys = ", ".join(sorted(dead_ids)), ", ".join(sorted(lost_keys))
        note = f"it calls {ids} in the database, which leads nowhere, and {keys} in git"
        return replace(entry, note="; ".join(filter(None, (entry.note, note))), is_dangling=True)

    return replace(comparison, entries=tuple(map(noted, comparison.entries)))


def _replaced(key: Key, dead_ids: Collection[str], database: Store, files: Store) -> frozenset[str]:
    try:
        committed = next((document for _, document in files.load([key])), None)
    except InvalidInput:
        return frozenset()  # its calls cannot be told
    stored = dict(database.load([key])).get(key)
    if committed is None or stored is None:
        return frozenset()
    return replaced_calls(committed, stored, dead_ids)


def _or_dangling(verdict: Verdict, entry: Entry) -> Verdict:
    """Return CONFLICT where a file would get a call that leads nowhere in the place of a reference."""
    return Verdict.CONFLICT if verdict is Verdict.WRITE and entry.is_dangling else verdict


def find_unfinished(
    comparison: Comparison, options: PullOptions, *, uncommitted: Mapping[Key, Digest | None]
) -> dict[Key, Digest | None]:
    """Return what a pull that was stopped before its commit may have left: files that are as the database is.

    uncommitted: key → what its file holds, ``None`` where it is gone; with prune, and where the workflow cannot merely
    be hidden, that is a deletion of the pull, too.
    """
    stored = comparison.database
    unfinished: dict[Key, Digest | None] = {
        key: digest for key, digest in uncommitted.items() if digest and digest == stored.digests.get(key)
    }
    if options.prune and (options.assume_complete or not stored.may_hide):
        unfinished |= {
            key: None for key, digest in uncommitted.items() if not digest and key not in stored.keys
        }
    if not comparison.is_selected:
        return unfinished
    chosen_keys = {entry.key for entry in comparison.entries}
    return {key: digest for key, digest in unfinished.items() if key in chosen_keys}


@dataclass(frozen=True, slots=True)
class Need:
    """What a commit must hold for a key so that git's merge from there on compares rightly.

    is_among: one of `digests`; else anything but these. ``None`` stands for no file.
    """

    digests: frozenset[Digest | None]
    is_among: bool = True

    def __call__(self, digest: Digest | None) -> bool:
        """Return whether a commit that holds `digest` will do."""
        return (digest in self.digests) is self.is_among


def base_need(entry: Entry) -> Need:
    """Return what the common commit has to hold for `entry`: its base.

    Where no base can be told, whatever makes git ask a person: no file at all between two that differ, and a
    file unlike the one that is left where one side has deleted it.
    """
    if entry.base is not NO_BASE:
        return Need(frozenset({entry.base}))
    if entry.database is None or entry.repository is None:
        return Need(frozenset({None, entry.database, entry.repository}), is_among=False)
    return Need(frozenset({None}))


def changes_back(
    comparison: Comparison, plan: Plan, earlier: Mapping[Key, tuple[Digest | None, Digest | None]]
) -> list[Change]:
    """Return what an earlier pull wrote onto the branch and the database has taken back since.

    earlier: key → (what the branch started from, what it holds now).
    """
    planned = {change.key for change in plan.changes}
    chosen = {entry.key for entry in comparison.entries}
    stored = comparison.database.digests
    return [
        Change(key, Action.DELETE if old is None else Action.UPDATE, new, old)
        for key, (old, new) in earlier.items()
        if key not in planned
        and key not in comparison.database.unreadable
        and (key in chosen or not comparison.is_selected)
        and stored.get(key) == old
    ]


def record_pull(
    changes: Sequence[Change],
    comparison: Comparison,
    *,
    source: Target,
    history: MakeHistory,
    head: str,
    uncommitted: Collection[Key] = (),
) -> Deployment:
    """Note in the ledger what is pulled and what was found in step; return what was to be noted.

    head: where HEAD stands, ZERO before the first commit. uncommitted: keys whose files are in step with no commit.
    Whoever may only read the database leaves no marks.
    """
    marks = in_step_marks(comparison, target=source, history=history, commit=head, but=uncommitted)
    if changes:
        recent = {} if source.ledger is None else source.ledger.recent_marks()
        marks |= _pull_marks(changes, recent=recent, head=head)
    deployment = Deployment(MarkKind.PULL, head, marks, comparison.number)
    record_quietly(source, deployment)
    return deployment


def _pull_marks(
    changes: Sequence[Change], *, recent: Mapping[Key, Sequence[Mark]], head: str
) -> dict[Key, Mark]:
    """Return a mark for each file written whose content the newest mark doesn't hold."""
    marks = {}
    for change in changes:
        newest = next((mark for mark in recent.get(change.key, ()) if mark.commit), None)
        if newest is None or newest.digest != change.after:
            marks[change.key] = Mark(MarkKind.PULL, change.after, head)
    return marks


def pull_subject(count: int, environment: str) -> str:
    """Return the subject of a pull's commit where nobody has given one."""
    return f"Pull {plural(count, 'workflow')} from {environment}"


def pull_outcome(pulled: PullPlan) -> GitsyncError | None:
    """Return the error to end a pull with after the clean keys were written, if any stayed apart."""
    plan = pulled.plan
    dangling = [entry for entry in plan.conflicts if entry.is_dangling]
    diverged = [entry for entry in plan.conflicts if not entry.is_dangling]
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
    if pulled.edited:
        cures.append("commit or `git checkout` these files, then pull again")
    if plan.refused:
        return refusal(plan.refused, ending="; ".join((*parts, "the rest was pulled")))
    if not parts:
        return None
    return Conflict(
        f"{len(plan.conflicts) + len(pulled.edited)} not pulled; " + "; ".join(parts),
        code="CONFLICT" if diverged else "UNCOMMITTED_CHANGES" if pulled.edited else "DANGLING_CALL",
        details={
            "conflicts": [entry.as_json() for entry in plan.conflicts],
            "uncommitted": [entry.as_json() for entry in pulled.edited],
        },
        cure="; ".join(cures),
    )


def _keys(entries: Sequence[Entry]) -> str:
    return ", ".join(entry.key for entry in entries)
