"""The histories in which simpler rules lose something, each on real git and both databases.

Every test is named after what must hold; its docstring names the simpler rule that breaks it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.loop import Loop, make_loop, second_clone
from tests.support.product import TENANT


@pytest.fixture(params=["sqlite", "postgresql"])
def loop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Loop]:
    """A loop on each database; PostgreSQL's tables have a tenant, as current instances do."""
    if request.param == "sqlite":
        yield make_loop(tmp_path)
    else:
        yield make_loop(tmp_path, url=request.getfixturevalue("postgres_database"), tenant=TENANT)


def test_a_revert_in_the_editor_is_kept_and_can_be_pulled(loop: Loop) -> None:
    """Breaks: history before the ledger."""
    loop.commit(a="X1")
    loop.push()
    loop.commit(a="X2")
    loop.push("--update")
    loop.editor.save("a", "X1")

    state = loop.states()
    pushed = loop.push("--update")
    left = loop.editor.text("a")
    loop.pull("--commit")

    assert state == {"a": "database-ahead"}
    assert pushed.changes == {}
    assert (left, loop.text("a")) == ("X1", "X1")


def test_a_revert_in_the_editor_is_told_with_the_commit_that_it_went_back_to(loop: Loop) -> None:
    first = loop.commit(a="X1")
    loop.push()
    loop.commit(a="X2")
    loop.push("--update")
    loop.editor.save("a", "X1")

    entry = loop.gitsync("status", "-o", "json").json["workflows"][0]

    assert first[:10] in entry["note"]
    assert "gone back" in entry["note"]


def test_an_old_job_does_not_roll_back_a_revert_in_git(loop: Loop) -> None:
    """Breaks: history alone."""
    loop.commit(a="A")
    second = loop.commit(a="B")
    loop.commit(a="A")
    loop.push()

    late = loop.gitsync("push", "--update", "--ref", second)

    assert late.code in {0, 3}
    assert loop.editor.text("a") == "A"
    assert loop.states() == {"a": "in-sync"}


def test_an_old_job_does_not_roll_back_a_revert_that_was_in_step_already(loop: Loop) -> None:
    """Breaks: no mark for a push that found the key in step."""
    first = loop.commit(a="A")
    second = loop.commit(a="B")
    loop.commit(a="A")
    loop.push("--ref", first)
    found = loop.push()

    late = loop.gitsync("push", "--update", "--ref", second)

    assert found.changes == {}
    assert late.code in {0, 3}
    assert loop.editor.text("a") == "A"


def test_a_push_of_an_older_commit_deletes_nothing_that_it_never_had(loop: Loop) -> None:
    """Breaks: a mark counts though its commit is no ancestor."""
    first = loop.commit(z="Z")
    loop.commit(a="X1")
    loop.push()

    old = loop.push("--prune", "--ref", first)

    assert old.changes == {}
    assert loop.editor.texts() == {"a": "X1", "z": "Z"}


def test_what_the_editor_makes_again_is_not_deleted_again(loop: Loop) -> None:
    """Breaks: "its digest is in history" means deleted in git."""
    loop.commit(a="X1", z="Z")
    loop.push()
    loop.commit(a=None)
    loop.push("--prune")
    gone = loop.editor.text("a")
    loop.editor.save("a", "X1")

    again = loop.gitsync("push", "--prune")

    assert gone is None
    assert again.code in {0, 3}
    assert loop.editor.text("a") == "X1"


def test_a_pull_does_not_bring_back_silently_what_git_deleted(loop: Loop) -> None:
    """Breaks: pull creates what is only in the database."""
    loop.commit(a="X1", z="Z")
    loop.push()
    loop.commit(a=None)
    loop.editor.save("a", "X2")

    pulled = loop.gitsync("pull")

    assert pulled.code == 3
    assert "a" in pulled.err
    assert loop.text("a") is None
    assert loop.editor.text("a") == "X2"
    assert loop.states()["a"] == "diverged"


def test_a_push_does_not_make_again_what_was_pulled_and_then_deleted_in_the_editor(loop: Loop) -> None:
    """Breaks: pull leaves no mark."""
    loop.commit(z="Z")
    loop.push()
    loop.editor.save("a", "X1")
    loop.pull("--commit")
    loop.editor.delete("a")

    pushed = loop.push()

    assert pushed.changes == {}
    assert loop.editor.text("a") is None
    assert loop.states()["a"] == "deleted-in-database"


def test_a_pull_that_was_thrown_away_licenses_no_push(loop: Loop) -> None:
    """Breaks: pull writes an ordinary mark."""
    loop.commit(a="X1")
    loop.push()
    loop.editor.save("a", "X2")
    loop.pull()
    loop.repository.git("checkout", "--", ".")

    pushed = loop.push("--update")

    assert pushed.changes == {}
    assert loop.editor.text("a") == "X2"
    assert loop.states() == {"a": "database-ahead"}


def test_what_moved_and_was_seen_and_came_back_is_a_decision_of_its_own(loop: Loop) -> None:
    """Breaks: a database that equals the base has not moved."""
    loop.commit(a="X1")
    loop.push()
    loop.editor.save("a", "X2")
    loop.pull()
    loop.repository.git("checkout", "--", ".")
    loop.editor.save("a", "X1")
    loop.commit(a="X3")

    pushed = loop.gitsync("push", "--update")

    assert pushed.code == 3
    assert loop.editor.text("a") == "X1"
    assert loop.states() == {"a": "diverged"}


def test_a_workflow_that_got_its_key_in_the_database_is_not_overwritten(loop: Loop) -> None:
    """Breaks: adopt writes a mark."""
    unkeyed = loop.editor.create(None, "D")
    loop.commit(a="R")
    loop.editor.rename(unkeyed, "a")

    pushed = loop.gitsync("push", "--update")

    assert pushed.code == 3
    assert loop.editor.text("a") == "D"
    assert loop.states() == {"a": "diverged"}


def test_a_push_of_an_older_commit_moves_no_mark_backwards(loop: Loop) -> None:
    """Breaks: a mark may move backwards."""
    first = loop.commit(a="A")
    loop.push()
    loop.commit(a="B")
    loop.push("--update")
    third = loop.commit(a="A")
    loop.push("--update")
    loop.push("--ref", first)  # finds A in step, which must not hide that the database is at the third commit
    late = loop.gitsync("push", "--update", "--ref", f"{third}~1")

    assert late.code in {0, 3}
    assert loop.editor.text("a") == "A"


def test_a_mark_of_a_commit_that_the_clone_has_not_stops_the_push(loop: Loop, tmp_path: Path) -> None:
    """Breaks: a mark whose commit isn't in the clone falls back to history."""
    loop.commit(a="X1")
    loop.push()
    other = second_clone(loop, tmp_path / "other")
    ours = loop.commit(a="X2")
    loop.push("--update")
    other.commit(a="X3")

    stopped = other.gitsync("push", "--update")

    assert stopped.code == 6
    assert f"git fetch origin {ours}" in stopped.err
    assert loop.editor.text("a") == "X2"


def test_a_trailer_that_a_squash_has_kept_with_other_edits_licenses_nothing(loop: Loop) -> None:
    """Breaks: a trailer counts unverified."""
    loop.commit(a="X1")
    loop.push()
    loop.editor.save("a", "X2")
    loop.repository.git("switch", "--quiet", "--create", "pulled")
    loop.pull("--commit")
    message = loop.repository.git("log", "-1", "--format=%B")
    loop.repository.git("switch", "--quiet", "main")
    loop.write_file("a", "X3")
    loop.repository.commit(message)  # what a squash leaves: the trailer, and content that was never pulled
    loop.editor.forget()

    pushed = loop.gitsync("push", "--update")

    assert pushed.code == 3
    assert loop.editor.text("a") == "X2"


def test_a_pull_without_a_ledger_is_remembered_by_its_commit(tmp_path: Path) -> None:
    loop = make_loop(tmp_path)
    loop.commit(a="X1")
    loop.push()
    loop.editor.save("a", "X2")
    loop.pull("--commit")
    loop.editor.forget()
    loop.commit(a="X3")

    pushed = loop.push("--update")

    assert pushed.changes == {"a": "update"}
    assert loop.editor.text("a") == "X3"


def deploy_branch(loop: Loop) -> str:
    """The commit of a branch that changes ``a`` to X2, deployed from there; ``main`` holds X1 and is checked out."""
    loop.commit(a="X1")
    loop.push()
    loop.repository.git("switch", "--quiet", "--create", "feature")
    deployed = loop.commit(a="X2")
    loop.push("--update")
    loop.repository.git("switch", "--quiet", "main")
    return deployed


def squash_branch(loop: Loop) -> None:
    """Bring the branch to ``main`` as one new commit."""
    loop.repository.git("merge", "--quiet", "--squash", "feature")
    loop.repository.commit("Squash the feature")


def test_main_goes_on_after_a_deployed_branch_was_squashed(loop: Loop) -> None:
    deploy_branch(loop)
    squash_branch(loop)
    squashed = loop.states()
    loop.commit(a="X3")

    state = loop.states()
    loop.push("--update")

    assert (squashed, state) == ({"a": "in-sync"}, {"a": "repository-ahead"})
    assert loop.editor.text("a") == "X3"


def test_main_goes_on_after_a_deployed_branch_was_rebased(loop: Loop) -> None:
    deploy_branch(loop)
    loop.commit(b="B1")
    loop.repository.git("switch", "--quiet", "feature")
    loop.repository.git("rebase", "--quiet", "main")
    loop.repository.git("switch", "--quiet", "main")
    loop.repository.git("merge", "--quiet", "--ff-only", "feature")
    loop.commit(a="X3")

    state = loop.states()
    loop.push("--update")

    assert state == {"a": "repository-ahead", "b": "new-in-repository"}
    assert loop.editor.texts() == {"a": "X3", "b": "B1"}


def test_a_clone_that_lacks_the_squashed_branch_is_cured_by_fetching_its_commit(
    loop: Loop, tmp_path: Path
) -> None:
    deployed = deploy_branch(loop)
    squash_branch(loop)
    loop.commit(a="X3")
    clone = second_clone(loop, tmp_path / "second", "--single-branch", "--branch", "main")

    before = clone.gitsync("push", "--update")
    clone.repository.git("fetch", "--quiet", "origin", deployed)
    clone.push("--update")

    assert before.code == 6
    assert f"git fetch origin {deployed}" in before.err
    assert loop.editor.text("a") == "X3"


def test_what_the_editor_put_back_after_a_squash_was_deployed_stays(loop: Loop) -> None:
    """Breaks: any mark on another branch counts that the database equals, the newest or not."""
    deploy_branch(loop)
    squash_branch(loop)
    loop.commit(a="X3")
    loop.push("--update")
    loop.editor.save("a", "X2")
    loop.commit(a="X4")

    loop.gitsync("push", "--update")

    assert loop.editor.text("a") == "X2"


def test_a_deployed_branch_that_nobody_took_over_is_not_overwritten(loop: Loop) -> None:
    """Breaks: a mark counts though its commit is no ancestor."""
    deploy_branch(loop)
    loop.commit(a="X3")

    pushed = loop.gitsync("push", "--update")

    assert (pushed.code, loop.editor.text("a")) == (3, "X2")
