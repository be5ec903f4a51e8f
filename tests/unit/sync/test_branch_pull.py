"""What the commit that a branch starts from has to hold, and what is written onto the branch."""

from __future__ import annotations

import pytest

from gitsync.sync.compare import Comparison
from gitsync.sync.model import Action, Change, Snapshot
from gitsync.sync.plan import Entry
from gitsync.sync.pull import PullOptions, base_need, changes_back, plan_branch_pull
from gitsync.sync.states import NO_BASE, Base, State
from gitsync.workflow.types import Digest, Key

A, B, C = (Digest(letter * 40) for letter in "abc")
K = Key("k")


def entry(state: State, *, repository: Digest | None, database: Digest | None, base: Base) -> Entry:
    return Entry(K, state, repository, database, base)


def compared(*entries: Entry, is_selected: bool = False, held: dict[Key, Digest] | None = None) -> Comparison:
    digests = {e.key: e.database for e in entries if e.database} if held is None else held
    files = {e.key: e.repository for e in entries if e.repository}
    return Comparison(entries, Snapshot(digests), files, {}, {}, 1, is_selected)


@pytest.mark.parametrize(
    "repository, database, base, fitting",
    [
        pytest.param(A, B, C, {C}, id="the-base"),
        pytest.param(A, B, None, {None}, id="made-on-both-sides"),
        pytest.param(A, B, NO_BASE, {None}, id="unknown-so-git-shows-both"),
        pytest.param(None, B, NO_BASE, {A, C}, id="unknown-and-gone-here-so-git-asks"),
        pytest.param(A, None, NO_BASE, {B, C}, id="unknown-and-gone-there-so-git-asks"),
        pytest.param(A, None, C, {C}, id="deleted-there"),
    ],
)
def test_the_start_holds_what_makes_git_compare_rightly(
    repository: Digest | None, database: Digest | None, base: Base, fitting: set[Digest | None]
) -> None:
    need = base_need(entry(State.DIVERGED, repository=repository, database=database, base=base))

    assert {held for held in (None, A, B, C) if need(held)} == fitting


@pytest.mark.parametrize("prune", [False, True])
@pytest.mark.parametrize(
    "state, database, action",
    [
        pytest.param(State.DIVERGED, B, Action.UPDATE, id="diverged"),
        pytest.param(State.DATABASE_AHEAD, B, Action.UPDATE, id="database-ahead"),
        pytest.param(State.REPOSITORY_AHEAD, B, None, id="repository-ahead"),
        pytest.param(State.IN_SYNC, A, None, id="in-sync"),
        pytest.param(State.DIVERGED, None, Action.DELETE, id="deleted-there-edited-here"),
        pytest.param(State.DELETED_IN_DATABASE, None, Action.DELETE, id="deleted-there"),
    ],
)
def test_what_has_diverged_is_written_and_deletions_are_asked_for(
    state: State, database: Digest | None, action: Action | None, prune: bool
) -> None:
    found = compared(entry(state, repository=A, database=database, base=C))

    plan = plan_branch_pull(found, PullOptions(prune=prune))

    expected = None if action is Action.DELETE and not prune else action
    assert [change.action for change in plan.changes] == ([] if expected is None else [expected])
    assert not plan.conflicts


def test_what_this_history_cannot_tell_is_refused() -> None:
    unknown = entry(State.UNKNOWN, repository=A, database=B, base=NO_BASE)

    assert plan_branch_pull(compared(unknown), PullOptions()).refused == (unknown,)


@pytest.mark.parametrize(
    "held, earlier, expected",
    [
        pytest.param(A, (A, B), [Change(K, Action.UPDATE, B, A)], id="reverted"),
        pytest.param(None, (None, B), [Change(K, Action.DELETE, B, None)], id="deleted-again"),
        pytest.param(C, (A, B), [], id="something-third"),
        pytest.param(B, (A, B), [], id="still-so"),
    ],
)
def test_what_the_database_took_back_is_taken_back(
    held: Digest | None, earlier: tuple[Digest | None, Digest | None], expected: list[Change]
) -> None:
    found = compared(held={K: held} if held else {})

    assert changes_back(found, plan_branch_pull(found, PullOptions()), {K: earlier}) == expected
    chosen = compared(held={K: held} if held else {}, is_selected=True)
    assert changes_back(chosen, plan_branch_pull(chosen, PullOptions()), {K: earlier}) == []
