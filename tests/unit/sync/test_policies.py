"""What a push and a pull do about each state under each policy, and what speaks against them, in its order."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import pytest

from gitsync.errors import Conflict, GitsyncError, Problem, Refused
from gitsync.sync.limits import Limits
from gitsync.sync.model import Unreadable
from gitsync.sync.plan import Plan, Policy
from gitsync.sync.pull import PullOptions, plan_branch_pull, plan_pull, pull_outcome
from gitsync.sync.push import PushOptions, apply_push, plan_push, push_outcome
from gitsync.sync.states import History, State
from gitsync.sync.usage import Usage
from gitsync.workflow.types import Document, Key
from tests.support.documents import saying
from tests.support.memory import MemoryDatabase, MemoryFiles, compared

A = Key("a")
TWINS = Unreadable("DUPLICATE_KEY", "two workflows share the key a", ("id-1", "id-2"))
Told: TypeAlias = str
"""What becomes of one key: the change's action, or why there is none; then the code that ends the run, if any."""


def no_history(*_: object) -> History:
    """For those that leave no mark."""
    raise AssertionError("nobody has asked for a mark")


def told(plan: Plan, error: GitsyncError | None) -> Told:
    """What a plan does about its one key, and the code of what it stops or ends with."""
    listed = {"conflict": plan.conflicts, "refused": plan.refused, "left": plan.left}
    words = [change.action.value for change in plan.changes]
    words += [word for word, entries in listed.items() if entries]
    return " ".join([*(words or ["-"]), *([error.code] if error else [])])


def sides(state: State, *, git: str | None, database: str | None) -> tuple[MemoryFiles, MemoryDatabase]:
    """One workflow as each side holds it, and another that both hold, so that none is empty."""
    other = saying("other", "same")
    files = [saying(A, git)] if git else []
    stored = [saying(A, database)] if database else []
    unreadable = {A: TWINS} if state is State.UNREADABLE else {}
    return MemoryFiles(*files, other), MemoryDatabase(*stored, other, unreadable=unreadable)


CREATE_ONLY, OVERWRITE, HISTORY = (
    "conflict WORKFLOW_KEY_CONFLICT",
    "conflict CONFLICT",
    "refused HISTORY_UNKNOWN",
)
TWICE = "refused DUPLICATE_KEY"
# state, in git, in the database; push as it is, --update, --force; then each with --prune
PUSHES: list[tuple[State, str | None, str | None, list[Told], list[Told]]] = [
    (State.IN_SYNC, "1", "1", ["-", "-", "-"], ["-", "-", "-"]),
    (State.NEW_IN_REPOSITORY, "1", None, ["create"] * 3, ["create"] * 3),
    (State.NEW_IN_DATABASE, None, "1", ["left"] * 3, ["left", "left", "delete"]),
    (State.REPOSITORY_AHEAD, "2", "1", [CREATE_ONLY, "update", "update"], [CREATE_ONLY, "update", "update"]),
    (State.DATABASE_AHEAD, "1", "2", ["left", "left", "update"], ["left", "left", "update"]),
    (State.DELETED_IN_REPOSITORY, None, "1", ["left"] * 3, ["delete"] * 3),
    (State.DELETED_IN_DATABASE, "1", None, ["left", "left", "create"], ["left", "left", "create"]),
    (State.DIVERGED, "2", "3", [CREATE_ONLY, OVERWRITE, "update"], [CREATE_ONLY, OVERWRITE, "update"]),
    (State.DIVERGED, "2", None, [CREATE_ONLY, OVERWRITE, "create"], [CREATE_ONLY, OVERWRITE, "create"]),
    (State.DIVERGED, None, "3", [CREATE_ONLY, OVERWRITE, "left"], [CREATE_ONLY, OVERWRITE, "delete"]),
    (State.UNKNOWN, "2", "3", [HISTORY, HISTORY, "update"], [HISTORY, HISTORY, "update"]),
    (State.UNKNOWN, None, "3", ["left", "left", "left"], [HISTORY, HISTORY, "delete"]),
    (State.UNREADABLE, "2", None, [TWICE] * 3, [TWICE] * 3),
    (State.UNREADABLE, None, None, [TWICE] * 3, [TWICE] * 3),
]


def name_of(value: object) -> str | None:
    return "" if isinstance(value, list) else str(value)


@pytest.mark.parametrize("state,git,database,as_it_is,pruning", PUSHES, ids=name_of)
def test_a_push_does_about_each_state_what_its_policy_says(
    state: State, git: str | None, database: str | None, as_it_is: list[Told], pruning: list[Told]
) -> None:
    source, target = sides(state, git=git, database=database)
    comparison = compared(source, target, {A: state})

    def push(policy: Policy, *, prune: bool) -> Told:
        plan = plan_push(comparison, PushOptions(policy, prune=prune), source=source, target=target)
        return told(plan, plan.objection)

    assert [push(policy, prune=False) for policy in Policy] == as_it_is
    assert [push(policy, prune=True) for policy in Policy] == pruning


# state, in git, in the database; pull as it is, --force; then each with --prune; then where the file is edited
PULLS: list[tuple[State, str | None, str | None, list[Told], list[Told], Told]] = [
    (State.IN_SYNC, "1", "1", ["-", "-"], ["-", "-"], "-"),
    (State.NEW_IN_REPOSITORY, "1", None, ["left", "left"], ["left", "delete"], "left"),
    (State.NEW_IN_DATABASE, None, "1", ["create", "create"], ["create", "create"], "- UNCOMMITTED_CHANGES"),
    (State.REPOSITORY_AHEAD, "2", "1", ["left", "update"], ["left", "update"], "left"),
    (State.DATABASE_AHEAD, "1", "2", ["update", "update"], ["update", "update"], "- UNCOMMITTED_CHANGES"),
    (State.DELETED_IN_REPOSITORY, None, "1", ["left", "create"], ["left", "create"], "left"),
    (State.DELETED_IN_DATABASE, "1", None, ["left", "left"], ["delete", "delete"], "left"),
    (State.DIVERGED, "2", "3", [OVERWRITE, "update"], [OVERWRITE, "update"], "- UNCOMMITTED_CHANGES"),
    (State.DIVERGED, "2", None, ["left", "left"], [OVERWRITE, "delete"], "left"),
    (State.DIVERGED, None, "3", [OVERWRITE, "create"], [OVERWRITE, "create"], "- UNCOMMITTED_CHANGES"),
    (State.UNKNOWN, "2", "3", [HISTORY, "update"], [HISTORY, "update"], "- UNCOMMITTED_CHANGES"),
    (State.UNKNOWN, "2", None, ["left", "left"], [HISTORY, "delete"], "left"),
    (State.UNREADABLE, "2", None, [TWICE, TWICE], [TWICE, TWICE], "- UNCOMMITTED_CHANGES"),
    (State.UNREADABLE, None, None, [TWICE, TWICE], [TWICE, TWICE], "- UNCOMMITTED_CHANGES"),
]


@pytest.mark.parametrize("state,git,database,as_it_is,pruning,edited", PULLS, ids=name_of)
def test_a_pull_does_about_each_state_what_it_was_asked_for(
    state: State,
    git: str | None,
    database: str | None,
    as_it_is: list[Told],
    pruning: list[Told],
    edited: Told,
) -> None:
    comparison = compared(*sides(state, git=git, database=database), {A: state})

    def pull(*, force: bool = False, prune: bool = False, uncommitted: Sequence[Key] = ()) -> Told:
        pulled = plan_pull(comparison, PullOptions(force=force, prune=prune), uncommitted=uncommitted)
        assert not pulled.plan.objections
        return told(pulled.plan, pull_outcome(pulled))

    assert [pull(force=force) for force in (False, True)] == as_it_is
    assert [pull(force=force, prune=True) for force in (False, True)] == pruning
    assert pull(uncommitted=[A]) == edited
    assert pull(uncommitted=[A], force=True) == as_it_is[1]


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("state,git,database", [row[:3] for row in PUSHES], ids=name_of)
def test_a_push_makes_the_database_hold_what_its_plan_says_and_leaves_the_rest(
    state: State, git: str | None, database: str | None, policy: Policy
) -> None:
    source, target = sides(state, git=git, database=database)
    target.ledger = None
    before, options = target.digests, PushOptions(policy, prune=True, skip_conflicts=True)
    comparison = compared(source, target, {A: state})
    plan = plan_push(comparison, options, source=source, target=target)

    apply_push(plan, comparison, options, source=source, target=target, history=no_history)

    written = {change.key for change in plan.changes}
    expected = {key: digest for key, digest in before.items() if key not in written}
    assert target.digests == expected | {
        key: digest for key, digest in source.digests.items() if key in written
    }


@dataclass
class World:
    """Two sides with what speaks against a push from one into the other."""

    git: list[Document] = field(default_factory=list)
    database: list[Document] = field(default_factory=list)
    states: dict[str, State] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    unreadable: dict[Key, Unreadable] = field(default_factory=dict)
    usage: dict[str, Usage] = field(default_factory=dict)
    callers: dict[str, str] = field(default_factory=dict)
    misplaced: list[Problem] = field(default_factory=list)
    limits: Limits = Limits()
    unsupported: GitsyncError | None = None

    def add(self, key: str, state: State, *, git: Document | None, database: Document | None) -> None:
        self.git += [git] if git else []
        self.database += [database] if database else []
        self.states[key] = state

    def plan(self, options: PushOptions) -> Plan:
        source = MemoryFiles(*self.git, faults=self.faults)
        target = MemoryDatabase(
            *self.database, unreadable=self.unreadable, usage=self.usage, callers=self.callers
        )
        comparison = compared(source, target, self.states, select=self.states, misplaced=self.misplaced)
        return plan_push(
            comparison,
            replace(options, limits=self.limits),
            source=source,
            target=target,
            unsupported=lambda _: self.unsupported,
        )


def a_file_is_out_of_place(world: World) -> None:
    world.misplaced.append(Problem("workflows/old/moved.json", cure="move it"))


def a_file_is_faulty(world: World) -> None:
    world.add("faulty", State.NEW_IN_REPOSITORY, git=saying("faulty", "1"), database=None)
    world.faults["faulty"] = "NUMBER_NOT_PORTABLE"


def the_history_is_cut(world: World) -> None:
    world.add("cut", State.UNKNOWN, git=saying("cut", "2"), database=saying("cut", "3"))


def both_have_moved(world: World) -> None:
    world.add("both", State.DIVERGED, git=saying("both", "2"), database=saying("both", "3"))


def a_call_leads_to_twins(world: World) -> None:
    world.add("caller", State.NEW_IN_REPOSITORY, git=saying("caller", "1", calls="key:twin"), database=None)
    world.unreadable[Key("twin")] = TWINS


def too_much_is_overwritten(world: World) -> None:
    world.add("many", State.REPOSITORY_AHEAD, git=saying("many", "2"), database=saying("many", "1"))
    world.limits = Limits(max_overwrites=0)


def runs_hang_on_it(world: World) -> None:
    world.add("busy", State.REPOSITORY_AHEAD, git=saying("busy", "2"), database=saying("busy", "1"))
    world.usage["busy"] = Usage(runs={"RUNNING": 1})


def the_target_cannot(world: World) -> None:
    world.unsupported = Refused("the server cannot do it", code="SERVER_CANNOT")


Reason: TypeAlias = Callable[[World], None]
REASONS: dict[Reason, str] = {
    a_file_is_out_of_place: "FILE_OUT_OF_PLACE",
    a_file_is_faulty: "NUMBER_NOT_PORTABLE",
    the_history_is_cut: "HISTORY_UNKNOWN",
    both_have_moved: "CONFLICT",
    a_call_leads_to_twins: "DUPLICATE_KEY",
    too_much_is_overwritten: "UNSAFE_PLAN",
    runs_hang_on_it: "RUNS_WOULD_BE_LOST",
    the_target_cannot: "SERVER_CANNOT",
}
"""What speaks against a push, the gravest first."""
SEVERAL = [tuple(REASONS), *itertools.combinations(REASONS, 2), *((reason,) for reason in REASONS), ()]


def name_all(reasons: object) -> str:
    assert isinstance(reasons, tuple)
    return "-and-".join(reason.__name__ for reason in reasons) if len(reasons) < len(REASONS) else "all"


@pytest.mark.parametrize("reasons", SEVERAL, ids=name_all)
def test_a_plan_carries_all_that_speaks_against_it_the_gravest_first(
    reasons: tuple[Reason, ...],
) -> None:
    world = World()
    for reason in reversed(reasons):
        reason(world)

    plan = world.plan(PushOptions(Policy.UPDATE, prune=True))

    assert [error.code for error in plan.objections] == [REASONS[reason] for reason in reasons]
    assert plan.objection is (plan.objections[0] if reasons else None)


def test_check_raises_the_gravest_objection() -> None:
    world = World()
    the_target_cannot(world)
    both_have_moved(world)

    with pytest.raises(Conflict) as raised:
        world.plan(PushOptions(Policy.UPDATE)).check()

    assert raised.value.code == "CONFLICT"


@pytest.mark.parametrize(
    "options,reasons",
    [
        (PushOptions(Policy.UPDATE), [a_file_is_out_of_place]),  # nothing is taken for deleted
        (PushOptions(Policy.UPDATE, skip_conflicts=True), [the_history_is_cut, both_have_moved]),
        (PushOptions(Policy.FORCE), [the_history_is_cut, both_have_moved]),
        (PushOptions(Policy.UPDATE, in_place=True), [runs_hang_on_it]),
        (PushOptions(Policy.UPDATE, discard_runs=True), [runs_hang_on_it]),
    ],
    ids=["no-prune", "skip-conflicts", "force", "in-place", "discard-runs"],
)
def test_an_option_takes_away_what_it_is_there_for(options: PushOptions, reasons: list[Reason]) -> None:
    world = World()
    for reason in reasons:
        reason(world)

    assert not world.plan(options).objections


@pytest.mark.parametrize(
    "policy,in_place,code",
    [
        (Policy.UPDATE, False, "VERSION_REWRITTEN"),
        (Policy.UPDATE, True, "VERSION_REWRITTEN"),
        (Policy.FORCE, False, None),
        (Policy.FORCE, True, None),
    ],
)
def test_a_published_version_changes_by_force_alone(policy: Policy, in_place: bool, code: str | None) -> None:
    world = World()
    old, new = (saying("a", text, versions={1: text}) for text in ("1", "2"))
    world.add("a", State.REPOSITORY_AHEAD, git=new, database=old)

    plan = world.plan(PushOptions(policy, in_place=in_place))

    assert [error.code for error in plan.objections] == ([code] if code else [])
    assert plan.protection.rewritten == ({A: frozenset({1})} if code or in_place else {})


def test_a_deletion_leaves_no_call_that_leads_nowhere() -> None:
    world = World(callers={"a": "unkeyed"})
    world.add("a", State.DELETED_IN_REPOSITORY, git=None, database=saying("a", "1"))

    plan = world.plan(PushOptions(Policy.UPDATE, prune=True, discard_runs=True))

    assert [error.code for error in plan.objections] == ["STILL_CALLED"]


@pytest.mark.parametrize("prune", [False, True])
def test_a_commit_without_workflows_empties_no_database(prune: bool) -> None:
    source, target = MemoryFiles(), MemoryDatabase(saying("a", "1"))
    comparison = compared(source, target, {A: State.DELETED_IN_REPOSITORY})

    options = PushOptions(Policy.UPDATE, prune=prune, limits=Limits(max_deletes=0))
    plan = plan_push(comparison, options, source=source, target=target)

    assert [error.code for error in plan.objections] == ["EMPTY_SOURCE", *["UNSAFE_PLAN"] * prune]


def test_a_pull_carries_what_speaks_against_it_the_gravest_first() -> None:
    moved = Problem("workflows/old/moved.json", cure="move it")
    states: dict[str, State] = {A: State.DELETED_IN_DATABASE}
    comparison = compared(MemoryFiles(saying("a", "1")), MemoryDatabase(), states, misplaced=[moved])

    options = PullOptions(prune=True, limits=Limits(max_deletes=0))
    plans = [plan_pull(comparison, options, uncommitted=()).plan, plan_branch_pull(comparison, options)]

    for plan in plans:
        assert [error.code for error in plan.objections] == [
            "EMPTY_SOURCE",
            "FILE_OUT_OF_PLACE",
            "UNSAFE_PLAN",
        ]


def test_a_push_that_skips_conflicts_ends_with_them_and_one_that_looks_for_drift_with_that() -> None:
    world = World()
    the_history_is_cut(world)
    both_have_moved(world)
    world.add("moved", State.DATABASE_AHEAD, git=saying("moved", "1"), database=saying("moved", "2"))

    def outcome(options: PushOptions) -> str | None:
        error = push_outcome(world.plan(options), options)
        return None if error is None else error.code

    assert outcome(PushOptions(Policy.UPDATE, skip_conflicts=True, fail_on_drift=True)) == "HISTORY_UNKNOWN"
    assert outcome(PushOptions(Policy.UPDATE, fail_on_drift=True)) == "DRIFT"
    assert outcome(PushOptions(Policy.UPDATE)) is None
    assert outcome(PushOptions(Policy.FORCE, skip_conflicts=True, fail_on_drift=True)) is None
