"""The word for a state, and a plan's order and limits; what is done about each state is in test_policies."""

from __future__ import annotations

import pytest

from gitsync.sync.limits import Limits
from gitsync.sync.model import Action
from gitsync.sync.plan import (
    Entry,
    Plan,
    Policy,
    Verdict,
    find_conflicts,
    find_excess,
    make_plan,
    push_verdict,
)
from gitsync.sync.states import NO_BASE, Base, State, name_state
from gitsync.workflow.types import Digest, Key

D, R, OTHER = Digest("d" * 40), Digest("e" * 40), Digest("f" * 40)


@pytest.mark.parametrize(
    "database,repository,base,state",
    [
        (D, D, OTHER, State.IN_SYNC),
        (None, R, None, State.NEW_IN_REPOSITORY),
        (None, R, R, State.DELETED_IN_DATABASE),
        (None, R, OTHER, State.DIVERGED),
        (None, R, NO_BASE, State.DIVERGED),
        (D, None, D, State.DELETED_IN_REPOSITORY),
        (D, None, None, State.NEW_IN_DATABASE),
        (D, None, OTHER, State.DIVERGED),
        (D, None, NO_BASE, State.DIVERGED),
        (D, R, D, State.REPOSITORY_AHEAD),
        (D, R, R, State.DATABASE_AHEAD),
        (D, R, OTHER, State.DIVERGED),
        (D, R, None, State.DIVERGED),
        (D, R, NO_BASE, State.DIVERGED),
    ],
)
def test_the_state_follows_from_both_sides_and_the_base(
    database: Digest | None, repository: Digest | None, base: Base, state: State
) -> None:
    assert name_state(database=database, repository=repository, base=base) is state


def plan_of(*actions: Action, existing: int) -> Plan:
    """A plan of one key per action."""
    held = {Action.CREATE: (None, R), Action.UPDATE: (D, R), Action.DELETE: (D, None)}
    entries = [
        Entry(Key(f"k{number:03}"), State.REPOSITORY_AHEAD, held[action][1], held[action][0])
        for number, action in enumerate(actions)
    ]
    return make_plan(
        reversed(entries),
        verdict=lambda entry: Verdict.DELETE if entry.repository is None else Verdict.WRITE,
        target=lambda entry: entry.database,
        source=lambda entry: entry.repository,
        existing=existing,
    )


def test_a_plan_is_sorted_by_key_whatever_the_order_of_its_entries() -> None:
    plan = plan_of(Action.CREATE, Action.UPDATE, Action.DELETE, existing=3)

    assert [change.key for change in plan.changes] == ["k000", "k001", "k002"]
    assert [change.action for change in plan.changes] == [Action.CREATE, Action.UPDATE, Action.DELETE]


@pytest.mark.parametrize(
    "actions,existing,limits,message",
    [
        ([Action.DELETE] * 4, 10, Limits(), "--max-deletes 4"),
        ([Action.UPDATE] * 4, 10, Limits(), "--max-overwrites 4"),
        (
            [Action.UPDATE] * 3 + [Action.DELETE] * 2,
            20,
            Limits(max_overwrites=2, max_deletes=1),
            "--max-deletes 2 --max-overwrites 3",
        ),
    ],
)
def test_a_plan_that_touches_too_much_names_the_exact_override(
    actions: list[Action], existing: int, limits: Limits, message: str
) -> None:
    excess = find_excess(plan_of(*actions, existing=existing), limits)

    assert excess is not None
    assert excess.code == "UNSAFE_PLAN"
    assert message in (excess.cure or "")


@pytest.mark.parametrize(
    "actions,existing,limits",
    [
        ([Action.DELETE] * 3, 10, Limits()),
        ([Action.DELETE] * 9, 9, Limits()),
        ([Action.CREATE] * 50, 10, Limits()),
        ([Action.DELETE] * 8, 10, Limits(max_deletes=8)),
    ],
)
def test_a_plan_within_its_limits_passes(actions: list[Action], existing: int, limits: Limits) -> None:
    assert find_excess(plan_of(*actions, existing=existing), limits) is None


def test_conflicts_are_listed_all_of_them() -> None:
    entries = [Entry(Key(name), State.DIVERGED, R, D) for name in "abc"]
    plan = make_plan(
        entries,
        verdict=lambda entry: push_verdict(entry, policy=Policy.UPDATE, prune=False),
        target=lambda entry: entry.database,
        source=lambda entry: entry.repository,
        existing=3,
    )

    [error] = find_conflicts(plan, policy=Policy.UPDATE)

    assert [entry["key"] for entry in error.details["conflicts"]] == ["a", "b", "c"]
