"""What a pull makes of calls that lead nowhere, of what may be hidden, and of a pull that was stopped."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitsync.errors import Problem
from gitsync.sync.compare import Comparison
from gitsync.sync.limits import Limits
from gitsync.sync.pull import (
    PullOptions,
    find_dangling,
    find_unfinished,
    plan_branch_pull,
    plan_pull,
    pull_outcome,
)
from gitsync.sync.states import State
from gitsync.workflow.types import Digest, Key
from tests.support.documents import saying
from tests.support.memory import MemoryDatabase, MemoryFiles, compared

A, B = Key("a"), Key("b")
DEAD = "0b5c3f6e-5d0a-4f0e-9a55-1c2d3e4f5a6b"


@pytest.mark.parametrize("calls", ["key:b", "key:a"])
@pytest.mark.parametrize("state", [State.DATABASE_AHEAD, State.DIVERGED, State.UNKNOWN])
def test_a_call_that_leads_nowhere_never_takes_a_references_place(state: State, calls: str) -> None:
    files = MemoryFiles(saying(A, "1", calls=calls), saying(B, "1"))
    database = MemoryDatabase(saying(A, "2", calls=DEAD), saying(B, "1"))
    database.raw_calls = {A: frozenset({DEAD})}
    comparison = find_dangling(compared(files, database, {A: state}), database=database, files=files)

    forced = plan_pull(comparison, PullOptions(force=True))
    onto_branch = plan_branch_pull(comparison, PullOptions(prune=True))

    assert not forced.plan.changes
    assert [entry.key for entry in forced.plan.conflicts] == [A]
    error = pull_outcome(forced)
    assert error is not None
    assert error.code == "DANGLING_CALL"
    assert not onto_branch.changes


def test_what_the_database_may_only_hide_is_the_last_thing_that_speaks_against_a_pull() -> None:
    files, database = MemoryFiles(saying(A, "1"), saying(B, "1")), MemoryDatabase(saying(B, "1"))
    misplaced = [Problem("workflows/old/moved.json", cure="move it")]
    comparison = compared(files, database, {A: State.DELETED_IN_DATABASE}, misplaced=misplaced)

    comparison = replace(comparison, database=replace(comparison.database, may_hide="a policy hides rows"))
    options = PullOptions(prune=True, limits=Limits(max_deletes=0))

    def codes(options: PullOptions) -> list[str]:
        plans = [plan_pull(comparison, options).plan, plan_branch_pull(comparison, options)]
        first, second = ([error.code for error in plan.objections] for plan in plans)
        assert first == second
        return first

    expected = ["FILE_OUT_OF_PLACE", "UNSAFE_PLAN", "INCOMPLETE_SOURCE"]
    assert codes(options) == expected
    assert codes(replace(options, assume_complete=True)) == expected[:2]
    assert not codes(PullOptions())


def test_a_file_that_was_saved_meanwhile_is_kept_and_named() -> None:
    files, database = (
        MemoryFiles(saying(A, "1"), saying(B, "1")),
        MemoryDatabase(saying(A, "2"), saying(B, "2")),
    )
    comparison = compared(files, database, dict.fromkeys((A, B), State.DATABASE_AHEAD))

    pulled = plan_pull(comparison, PullOptions()).without({A}, comparison)

    assert [change.key for change in pulled.plan.changes] == [B]
    error = pull_outcome(pulled)
    assert error is not None
    assert (error.code, error.exit_code) == ("UNCOMMITTED_CHANGES", 3)
    assert [entry["key"] for entry in error.details["uncommitted"]] == [A]


def stopped(*, select: tuple[Key, ...] = ()) -> tuple[Comparison, dict[Key, Digest | None]]:
    """`a` was written and `b` deleted by a pull that was stopped; `c` and `d` were edited and deleted by hand."""
    names = {name: Key(name) for name in "abcd"}
    database = MemoryDatabase(saying("a", "2"), saying("c", "2"), saying("d", "1"))
    files = MemoryFiles(*(saying(name, "1") for name in names))
    edited = MemoryFiles(saying("c", "3")).digests[names["c"]]
    uncommitted: dict[Key, Digest | None] = {
        names["a"]: database.digests[names["a"]],
        names["b"]: None,
        names["c"]: edited,
        names["d"]: None,
    }
    return compared(files, database, {}, select=select), uncommitted


@pytest.mark.parametrize(
    "options,may_hide,select,expected",
    [
        (PullOptions(), "", (), {A}),
        (PullOptions(prune=True), "", (), {A, B}),
        (PullOptions(prune=True), "a policy hides rows", (), {A}),
        (PullOptions(prune=True, assume_complete=True), "a policy hides rows", (), {A, B}),
        (PullOptions(prune=True), "", (B,), {B}),
        (PullOptions(), "", (B,), set()),
    ],
    ids=["as-it-is", "prune", "prune-what-may-be-hidden", "assume-complete", "prune-one", "not-chosen"],
)
def test_a_commit_takes_in_what_a_stopped_pull_has_written_and_nobodys_edits(
    options: PullOptions, may_hide: str, select: tuple[Key, ...], expected: set[Key]
) -> None:
    comparison, uncommitted = stopped(select=select)

    comparison = replace(comparison, database=replace(comparison.database, may_hide=may_hide))
    unfinished = find_unfinished(comparison, options, uncommitted=uncommitted)

    assert unfinished == {key: uncommitted[key] for key in expected}
