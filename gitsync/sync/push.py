"""A push: plan, check, apply; from a commit into a database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gitsync.errors import Conflict, GitsyncError, InvalidInput, Problem, Refused, plural
from gitsync.sync.compare import Comparison, MakeHistory
from gitsync.sync.flight import NO_FLIGHT, look_in_flight
from gitsync.sync.limits import Limits
from gitsync.sync.marks import in_step_marks, record_quietly
from gitsync.sync.model import Action, Applied, Change, Deployment, Mark, MarkKind
from gitsync.sync.plan import (
    Entry,
    Plan,
    Policy,
    find_conflicts,
    find_excess,
    find_unreadable,
    make_plan,
    push_verdict,
)
from gitsync.sync.protection import find_obstacles, find_rewritten, obstacle_error
from gitsync.sync.states import State
from gitsync.sync.stores import FileStore, Store, Target
from gitsync.sync.usage import Protection, Surroundings
from gitsync.workflow.references import is_reference
from gitsync.workflow.types import Document, Key


@dataclass(frozen=True, slots=True)
class PushOptions:
    """What a push was asked to do; ``in_place`` says how it overwrites."""

    policy: Policy = Policy.CREATE_ONLY
    prune: bool = False
    in_place: bool = False
    limits: Limits = Limits()
    skip_conflicts: bool = False
    fail_on_drift: bool = False
    discard_runs: bool = False

    @property
    def force(self) -> bool:
        """Whether the source wins."""
        return self.policy is Policy.FORCE


Describe = Callable[[Sequence[Entry]], Mapping[Key, str]]
"""Entries → what changed in each, in words."""


def plan_push(
    comparison: Comparison,
    options: PushOptions,
    *,
    source: FileStore,
    target: Target,
    changes: tuple[Change, ...] | None = None,
    describe: Describe = lambda _: {},
    unsupported: Callable[[Plan], GitsyncError | None] = lambda _: None,
) -> Plan:
    """Return what a push would do and everything that speaks against it; nothing is written.

    The apply looks again once it has locked the rows.
    changes: to make exactly these, of a saved plan. describe: says what changed, for the conflicts.
    unsupported: what the target cannot do with a plan.
    """
    plan = make_plan(
        comparison.entries,
        verdict=lambda entry: push_verdict(entry, policy=options.policy, prune=options.prune),
        target=lambda entry: entry.database,
        source=lambda entry: entry.repository,
        existing=len(comparison.database.digests),
    )
    plan = plan if changes is None else replace(plan, changes=changes)
    plan = _protected(plan, options, source=source, target=target)
    objections = [
        _empty_source(comparison),
        comparison.prune_error() if options.prune else None,
        _invalid_files(plan, find_problems(plan, comparison, source=source)),
        *([] if options.skip_conflicts else _conflicts(plan, options, describe)),
        find_unreadable(_called(plan, comparison), comparison.database.unreadable),
        find_excess(plan, options.limits),
        *plan.objections,
        unsupported(plan),
    ]
    about_runs = plan.objections
    plan = replace(plan, objections=tuple(error for error in objections if error is not None))
    is_told = plan.objection is None or plan.objection in about_runs
    return plan if is_told else replace(plan, flight=NO_FLIGHT)


def _protected(plan: Plan, options: PushOptions, *, source: Store, target: Target) -> Plan:
    """`plan` with what it does to what hangs on its workflows, and what refuses that."""
    updated = [change.key for change in plan.changes if change.action is Action.UPDATE]
    is_asked = options.in_place or not options.force  # else nothing depends on it
    rewritten = find_rewritten(target.load(updated), source.load(updated)) if updated and is_asked else {}
    protection = Protection(rewritten, discard_runs=options.discard_runs, force=options.force)
    usage = target.usage
    around = Surroundings() if usage is None else usage.look_around(plan.changes)
    obstacles = find_obstacles(plan.changes, around, protection, in_place=options.in_place)
    is_told = obstacles or options.discard_runs or options.force
    flight = (
        look_in_flight(plan.changes, source=source, target=target, usage=usage, in_place=options.in_place)
        if is_told and usage is not None
        else NO_FLIGHT
    )
    recreated = {around.ids[key] for key in updated if key in around.ids}
    relinked = tuple(call for call in around.calls if call.called in recreated)
    error = obstacle_error(obstacles, flight)
    return replace(
        plan,
        objections=() if error is None else (error,),
        protection=protection,
        relinked=relinked,
        flight=flight,
    )


def _empty_source(comparison: Comparison) -> Refused | None:
    if comparison.files or not comparison.database.keys or comparison.is_selected:
        return None
    return Refused(
        "the commit holds no workflows, the database does; nothing was written",
        code="EMPTY_SOURCE",
        cure="`gitsync pull` brings them into git",
    )


def _invalid_files(plan: Plan, problems: Sequence[Problem]) -> InvalidInput | None:
    """The error for all faults of all files."""
    if not problems:
        return None
    rules = {problem.rule for problem in problems}
    also = "" if not plan.conflicts else f"; besides, {len(plan.conflicts)} in conflict"
    return InvalidInput(
        f"{plural(len(problems), 'problem')} in what would be written{also}; nothing was written",
        code=rules.pop() if len(rules) == 1 else "INVALID_WORKFLOW",
        problems=problems,
        details={"conflicts": [entry.as_json() for entry in plan.conflicts]},
        cure="mend the files, commit, and push again",
    )


def _conflicts(plan: Plan, options: PushOptions, describe: Describe) -> list[GitsyncError]:
    words = describe(plan.conflicts) if plan.conflicts and not plan.refused else {}
    return find_conflicts(plan, policy=options.policy, words=words)


def find_problems(plan: Plan, comparison: Comparison, *, source: FileStore) -> list[Problem]:
    """Return all faults of the files that the plan would write, and of files that can be no workflow."""
    raw_calls = comparison.database.raw_calls
    problems = [] if comparison.is_selected else list(source.strays)
    written = [change for change in plan.changes if change.action is not Action.DELETE]
    gone = {change.key for change in plan.changes if change.action is Action.DELETE}
    known = (comparison.database.keys | {change.key for change in written}) - gone
    unresolved = []
    for key in sorted({change.key for change in written} | {entry.key for entry in plan.conflicts}):
        facts = comparison.facts.get(key)
        if facts is None:
            continue
        problems += facts.errors
        if not facts.calls <= known or not facts.ids <= raw_calls.get(key, frozenset()):
            unresolved.append(key)
    ids = {
        key: [called for called in raw_calls.get(key, ()) if not is_reference(called)] for key in unresolved
    }
    problems += source.find_unresolved(unresolved, known=known, held=ids)
    return sorted(set(problems))


def find_warnings(plan: Plan, comparison: Comparison) -> list[Problem]:
    """What the rules warn of in the files that the plan would write; it stops nothing."""
    written = {change.key for change in plan.changes if change.action is not Action.DELETE}
    facts = [comparison.facts[key] for key in sorted(written) if key in comparison.facts]
    return sorted({problem for fact in facts for problem in fact.problems if problem.severity == "warning"})


def apply_push(
    plan: Plan,
    comparison: Comparison,
    options: PushOptions,
    *,
    source: FileStore,
    target: Target,
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
    written = [change.key for change in plan.changes if change.action is not Action.DELETE]
    deployment = Deployment(
        MarkKind.PUSH,
        source.commit,
        marks,
        expected_number=comparison.number,
        references=_called(plan, comparison),
        protection=plan.protection,
    )
    if plan.is_empty:
        return Applied(number=record_quietly(target, deployment))
    return target.apply(plan.changes, Loading(source, written), deployment)


def _called(plan: Plan, comparison: Comparison) -> frozenset[Key]:
    """The keys that the files call which the plan writes."""
    written = (change.key for change in plan.changes if change.action is not Action.DELETE)
    facts = (comparison.facts[key] for key in written if key in comparison.facts)
    return frozenset[Key]().union(*(fact.calls for fact in facts))


@dataclass(frozen=True, slots=True)
class Loading:
    """Documents of a side that are read anew each time that somebody goes through them."""

    side: Store
    keys: Sequence[Key]

    def __iter__(self) -> Iterator[tuple[Key, Document]]:
        return self.side.load(self.keys)


def push_outcome(plan: Plan, options: PushOptions) -> GitsyncError | None:
    """The error to end a push with after the rest was written, if it was asked to go on so far."""
    if options.skip_conflicts and (
        errors := find_conflicts(plan, policy=options.policy, ending="the rest was written")
    ):
        return errors[0]
    drifted = [e for e in plan.left if e.state in (State.DATABASE_AHEAD, State.DELETED_IN_DATABASE)]
    if not drifted or not options.fail_on_drift:
        return None
    return Conflict(
        f"the database has moved: {', '.join(entry.key for entry in drifted)}; the rest was written",
        code="DRIFT",
        details={"conflicts": [entry.as_json() for entry in drifted]},
        cure="`gitsync pull` brings its edits into git",
    )
