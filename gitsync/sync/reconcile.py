"""Compare two sides, plan, check, apply: what every command does, once.

The sides come in as protocols. Nothing here knows git from a fake, or PostgreSQL from SQLite.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from gitsync.errors import AccessDenied, Conflict, GitsyncError, InvalidInput, Problem, Refused
from gitsync.sync.base import History, State, in_step_mark, judge
from gitsync.sync.plan import (
    Entry,
    Limits,
    Plan,
    Policy,
    Verdict,
    check_conflicts,
    check_limits,
    history_unknown,
    make_plan,
    pull_verdict,
    push_verdict,
)
from gitsync.sync.side import Action, Applied, Deployment, Mark, MarkKind, Side, Snapshot
from gitsync.workflow.types import Digest, Key


class FileFacts(Protocol):
    """What was found in one file: normal digest, faults, and what it refers to."""

    @property
    def digest(self) -> Digest:
        """Of the normal form."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Every fault, empty for a valid file."""

    @property
    def calls(self) -> frozenset[Key]:
        """Keys that it calls."""

    @property
    def ids(self) -> frozenset[str]:
        """Calls by database id."""


class FileSide(Side, Protocol):
    """The repository: a side whose content is files, which may be invalid."""

    commit: str

    @property
    def strays(self) -> Sequence[Problem]:
        """Files that can be no workflow."""

    def path(self, key: Key) -> str:
        """Where the key's file lies."""

    def find_unresolved(
        self, keys: Collection[Key], *, known: Collection[Key], held: Mapping[Key, Collection[str]]
    ) -> list[Problem]:
        """An UNRESOLVED_REFERENCE, with its place, for each call in `keys` that leads nowhere.

        known: the keys that there will be. held: key → database ids that it calls there already.
        """


class LedgerSide(Side, Protocol):
    """The database: a side that remembers deployments."""

    @property
    def has_ledger(self) -> bool:
        """Whether it can remember deployments."""

    @property
    def ids(self) -> Mapping[Key, str]:
        """Key → its id in this database, as the snapshot saw it."""

    @property
    def raw_calls(self) -> Mapping[Key, frozenset[str]]:
        """Key → database ids that it calls and that belong to no key."""

    def marks(self, keys: Collection[Key]) -> Mapping[Key, Sequence[Mark]]:
        """All marks of `keys`, newest first."""

    def recent_marks(self) -> Mapping[Key, Sequence[Mark]]:
        """The marks of every key, newest first, down to its newest write."""

    def newest_number(self) -> int:
        """The number of the newest deployment, 0 where there is none."""

    def record(self, deployment: Deployment) -> int | None:
        """Note marks alone."""


Examine = Callable[[Collection[Key]], Iterator[tuple[Key, FileFacts]]]
MakeHistory = Callable[[Collection[Key], Collection[str], Sequence[str]], History]
"""(keys in doubt, commits that marks name, commits that all of these contain) → the source commit's history."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides compared: every selected key's entry, and what else was seen."""

    entries: tuple[Entry, ...]
    database: Snapshot
    files: Mapping[Key, Digest]
    facts: Mapping[Key, FileFacts]
    marks: Mapping[Key, Sequence[Mark]]
    number: int
    is_selected: bool

    def entry(self, key: Key) -> Entry | None:
        """The entry of `key`, if it was selected."""
        return next((entry for entry in self.entries if entry.key == key), None)


def compare(
    *,
    database: LedgerSide,
    files: Mapping[Key, Digest],
    examine: Examine,
    history: MakeHistory,
    select: Sequence[str] = (),
) -> Comparison:
    """Every selected key with what both sides hold, its base and its state.

    files: key → blob id or digest; those that differ from the database are examined.
    select: keys or globs; none selects all. Raises GitsyncError where one matches nothing.
    """
    number = database.newest_number() if database.has_ledger else 0
    snapshot = database.snapshot()
    held = snapshot.digests
    chosen = select_keys(files.keys() | held.keys(), select)
    differing = [key for key in chosen if files.get(key) != held.get(key)]
    facts = dict(examine([key for key in differing if key in files]))
    now = dict(files) | {key: fact.digest for key, fact in facts.items()}
    doubtful = [key for key in differing if now.get(key) != held.get(key)]
    marks = database.marks(doubtful) if database.has_ledger and doubtful else {}
    commits = {mark.commit for key in doubtful for mark in marks.get(key, ()) if mark.commit}
    past = history(doubtful, commits, ())
    entries = []
    for key in chosen:
        repository, there = now.get(key), held.get(key)
        if repository == there:
            entries.append(Entry(key, State.IN_SYNC, repository, there, there))
        else:
            known = marks.get(key, ())
            judgement = judge(key, database=there, repository=repository, marks=known, history=past)
            entry = Entry(key, judgement.state, repository, there, judgement.base)
            entries.append(replace(entry, note=_note(entry, known, past)))
    return Comparison(tuple(entries), snapshot, now, facts, marks, number, bool(select))


def select_keys(keys: Collection[Key], patterns: Sequence[str]) -> list[Key]:
    """Those of `keys` that match, sorted; all of them without a pattern."""
    if not patterns:
        return sorted(keys)
    unmatched = [text for text in patterns if not any(fnmatch.fnmatchcase(key, text) for key in keys)]
    if unmatched:
        raise GitsyncError(
            f"no workflow matches {', '.join(unmatched)}",
            code="UNKNOWN_KEY",
            details={"patterns": unmatched},
            cure="`gitsync status` lists the keys of both sides",
        )
    return sorted(key for key in keys if any(fnmatch.fnmatchcase(key, text) for text in patterns))


def _note(entry: Entry, marks: Sequence[Mark], history: History) -> str:
    """What a person should know beside the state word."""
    if entry.state is State.UNKNOWN:
        missing = sorted({m.commit for m in marks if m.commit and not history.has(m.commit)})
        return (
            f"`git fetch origin {missing[0]}`: it was deployed from there"
            if missing
            else "the clone is shallow"
        )
    if entry.state not in (State.DATABASE_AHEAD, State.DIVERGED) or entry.database is None:
        return ""
    placed = [mark for mark in marks if mark.commit]
    if placed and placed[0].kind is MarkKind.PUSH and placed[0].digest == entry.database:
        commit = placed[0].commit or ""
        if not history.has(commit) or not history.position(commit) & history.all:
            return f"deployed from {commit[:10]}, not in this branch"
    commits = history.commits_with(entry.key, entry.database)
    if not commits:
        return ""
    back = history.commits_since(commits[0])
    ago = f"{back} commit{'' if back == 1 else 's'} ago"
    return f"the database has gone back to the content of {commits[0][:10]} ({ago}): reverted in the editor, or restored"


# ---------------------------------------------------------------- push


@dataclass(frozen=True, slots=True)
class PushOptions:
    """What a push was asked to do; ``in_place`` says how it overwrites."""

    policy: Policy = Policy.CREATE_ONLY
    prune: bool = False
    in_place: bool = False
    limits: Limits = Limits()
    skip_conflicts: bool = False
    fail_on_drift: bool = False


def plan_push(comparison: Comparison, options: PushOptions) -> Plan:
    """What a push would do; conflicts stand in it and are judged by check_push."""
    return make_plan(
        comparison.entries,
        verdict=lambda entry: push_verdict(entry, policy=options.policy, prune=options.prune),
        target=lambda entry: entry.database,
        source=lambda entry: entry.repository,
        existing=len(comparison.database.digests),
    )


def check_push(
    plan: Plan,
    comparison: Comparison,
    options: PushOptions,
    *,
    source: FileSide,
    raw_calls: Mapping[Key, frozenset[str]],
) -> None:
    """Raise for anything that must not be written; every fault of every file in one error."""
    if not comparison.files and comparison.database.digests and not comparison.is_selected:
        raise Refused(
            "the commit holds no workflows, the database does; nothing was written",
            code="EMPTY_SOURCE",
            cure="`gitsync pull` brings them into git",
        )
    problems = find_problems(plan, comparison, source=source, raw_calls=raw_calls)
    if problems:
        rules = {problem.rule for problem in problems}
        also = "" if not plan.conflicts else f"; besides, {len(plan.conflicts)} in conflict"
        raise InvalidInput(
            f"{len(problems)} problem{'' if len(problems) == 1 else 's'} in what would be written{also}; "
            "nothing was written",
            code=rules.pop() if len(rules) == 1 else "INVALID_WORKFLOW",
            problems=problems,
            details={"conflicts": [entry.as_json() for entry in plan.conflicts]},
            cure="mend the files, commit, and push again",
        )
    if not options.skip_conflicts:
        check_conflicts(plan, policy=options.policy)
    check_limits(plan, options.limits)


def find_problems(
    plan: Plan, comparison: Comparison, *, source: FileSide, raw_calls: Mapping[Key, frozenset[str]]
) -> list[Problem]:
    """All faults of the files that the plan would write, and of files that can be no workflow."""
    problems = [] if comparison.is_selected else list(source.strays)
    written = [change for change in plan.changes if change.action is not Action.DELETE]
    gone = {change.key for change in plan.changes if change.action is Action.DELETE}
    known = (comparison.database.digests.keys() | {change.key for change in written}) - gone
    unresolved = []
    for key in sorted({change.key for change in written} | {entry.key for entry in plan.conflicts}):
        facts = comparison.facts.get(key)
        if facts is None:
            continue
        problems += facts.problems
        if not facts.calls <= known or not facts.ids <= raw_calls.get(key, frozenset()):
            unresolved.append(key)
    problems += source.find_unresolved(unresolved, known=known, held=raw_calls)
    return sorted(set(problems))


def apply_push(
    plan: Plan,
    comparison: Comparison,
    options: PushOptions,
    *,
    source: FileSide,
    target: LedgerSide,
    history: MakeHistory,
) -> Applied:
    """Write the plan in one transaction, and note what was found in step."""
    marks = in_step_marks(comparison, target=target, history=history, commit=source.commit)
    if options.policy is Policy.FORCE:
        marks |= {
            entry.key: Mark(MarkKind.PUSH, entry.database, source.commit)
            for entry in comparison.entries
            if entry.state is State.IN_SYNC
        }
    deployment = Deployment(MarkKind.PUSH, source.commit, marks, comparison.number)
    if plan.is_empty:
        return Applied(number=record_quietly(target, deployment))
    written = [change.key for change in plan.changes if change.action is not Action.DELETE]
    return target.apply(plan.changes, source.load(written), deployment)


def push_outcome(plan: Plan, options: PushOptions) -> GitsyncError | None:
    """The error to end a push with after the rest was written, if it was asked to go on so far."""
    if options.skip_conflicts:
        try:
            check_conflicts(plan, policy=options.policy, ending="the rest was written")
        except GitsyncError as error:
            return error
    drifted = [e for e in plan.left if e.state in (State.DATABASE_AHEAD, State.DELETED_IN_DATABASE)]
    if not drifted or not options.fail_on_drift:
        return None
    return Conflict(
        f"the database has moved: {', '.join(entry.key for entry in drifted)}; the rest was written",
        code="DRIFT",
        details={"conflicts": [entry.as_json() for entry in drifted]},
        cure="`gitsync pull` brings its edits into git",
    )


def in_step_marks(
    comparison: Comparison,
    *,
    target: LedgerSide,
    history: MakeHistory,
    commit: str,
    but: Collection[Key] = (),
) -> dict[Key, Mark]:
    """The marks due for keys found in step at `commit`; none where the path hasn't changed since the last.

    but: keys whose files aren't committed, which stand in step with no commit.
    """
    if not target.has_ledger or set(commit) == {"0"}:
        return {}
    recent = target.recent_marks()
    in_step = {entry.key: entry.database for entry in comparison.entries if entry.state is State.IN_SYNC}
    if not comparison.is_selected:
        gone = recent.keys() - comparison.files.keys() - comparison.database.digests.keys()
        in_step |= dict.fromkeys(gone)
    due = {}
    for key, digest in in_step.items():
        newest = next((mark for mark in recent.get(key, ()) if mark.commit), None)
        is_noted = (
            newest and newest.kind is MarkKind.PUSH and (newest.digest, newest.commit) == (digest, commit)
        )
        if not is_noted and key not in but:
            due[key] = digest
    if not due:
        return {}
    commits = {mark.commit for key in due for mark in recent.get(key, ()) if mark.commit}
    past = history(list(due), commits, sorted(commits))
    found = {key: in_step_mark(key, digest, recent.get(key, ()), past) for key, digest in due.items()}
    return {key: mark for key, mark in found.items() if mark is not None}


def record_quietly(target: LedgerSide, deployment: Deployment) -> int | None:
    """Note marks where there is something to note and the right to; a reader leaves none."""
    if not target.has_ledger or not deployment.marks:
        return None
    try:
        return target.record(deployment)
    except AccessDenied:
        return None


# ---------------------------------------------------------------- pull


@dataclass(frozen=True, slots=True)
class PullOptions:
    """What a pull was asked to do."""

    force: bool = False
    prune: bool = False
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class PullPlan:
    """A plan for the work tree; ``uncommitted`` would be written, were their edits not in the way."""

    plan: Plan
    uncommitted: tuple[Entry, ...]


def plan_pull(comparison: Comparison, options: PullOptions, *, uncommitted: Collection[Key]) -> PullPlan:
    """What a pull would do; files with uncommitted edits are set aside unless forced."""
    blocked: list[Entry] = []

    def verdict(entry: Entry) -> Verdict:
        found = pull_verdict(entry, force=options.force, prune=options.prune)
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
    return PullPlan(plan, tuple(blocked))


def check_pull(plan: Plan, comparison: Comparison, options: PullOptions) -> None:
    """Raise Refused where the pull would delete too much, or the database is empty."""
    if not comparison.database.digests and comparison.files and not comparison.is_selected:
        raise Refused(
            "the database holds no workflows, the repository does; nothing was written",
            code="EMPTY_SOURCE",
            cure="`gitsync push` brings them into the database; or is this the wrong tenant?",
        )
    check_limits(plan, options.limits, overwrites_count=False)


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


def pull_outcome(pulled: PullPlan) -> GitsyncError | None:
    """The error to end a pull with after the clean keys were written, if any stayed apart."""
    plan = pulled.plan
    if plan.refused:
        return history_unknown(plan.refused, ending="the rest was pulled")
    if plan.conflicts or pulled.uncommitted:
        parts, cures = [], []
        if plan.conflicts:
            parts.append(f"changed on both sides: {', '.join(entry.key for entry in plan.conflicts)}")
            key = plan.conflicts[0].key
            cures.append(
                f"`gitsync diff {key}`, then `gitsync pull --force {key}` or `gitsync push --force {key}`"
            )
        if pulled.uncommitted:
            parts.append(f"edited and not committed: {', '.join(entry.key for entry in pulled.uncommitted)}")
            cures.append("commit or `git checkout` these files, then pull again")
        return Conflict(
            f"{len(plan.conflicts) + len(pulled.uncommitted)} not pulled; " + "; ".join(parts),
            code="CONFLICT" if plan.conflicts else "UNCOMMITTED_CHANGES",
            details={
                "conflicts": [entry.as_json() for entry in plan.conflicts],
                "uncommitted": [entry.as_json() for entry in pulled.uncommitted],
            },
            cure="; ".join(cures),
        )
    return None
