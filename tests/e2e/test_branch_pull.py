"""``gitsync pull --branch``: what both sides have changed is settled by git's own merge."""

from __future__ import annotations

import json
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.support.documents import make_file, text_of
from tests.support.git import TestRepository, git_environment
from tests.support.loop import Loop, Ran, gitsync, make_loop, second_clone


def branch_pull(loop: Loop, *arguments: str, name: str = "from-prod") -> dict[str, Any]:
    """The result of a pull onto a branch, which must succeed and fit its schema."""
    ran = loop.gitsync("pull", "--branch", name, "-o", "json", *arguments)
    assert ran.code == 0, ran.out + ran.err
    schema = json.loads((files("gitsync.schemas") / "pull.schema.json").read_text())
    jsonschema.Draft7Validator(schema).validate(ran.json)
    return ran.json


def error_of(loop: Loop, *arguments: str, name: str = "from-prod") -> tuple[int, dict[str, Any]]:
    """The exit code and the error of a pull onto a branch that fails."""
    ran = loop.gitsync("pull", "--branch", name, "-o", "json", *arguments)
    assert ran.code, ran.out
    return ran.code, ran.json


def merge(loop: Loop, name: str = "from-prod", *options: str) -> subprocess.CompletedProcess[str]:
    """``git merge``, which may end in a conflict."""
    return subprocess.run(
        ["git", "merge", "--quiet", "--no-edit", *options, name],
        cwd=loop.folder,
        env=git_environment(loop.repository.home),
        capture_output=True,
        text=True,
        check=False,
    )


def resolve(loop: Loop, **texts: str | None) -> None:
    """End a merge by deciding what each key says."""
    for key, text in texts.items():
        if text is None:
            loop.repository.git("rm", "-q", "-f", "--ignore-unmatch", f"workflows/{key}.json")
        else:
            loop.write_file(key, text)
            loop.repository.git("add", f"workflows/{key}.json")
    loop.repository.git("commit", "-q", "--no-edit")


def diverge(loop: Loop) -> None:
    """``a`` deployed, then a version published in the product and the draft edited in git: no line in common."""
    loop.commit(a="A1", b="B1")
    loop.push()
    loop.editor.publish("a", 1)
    loop.commit(a="A2")
    assert loop.states()["a"] == "diverged"


def everything_in(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Path → content and time of each file, what lies in ``.git/objects`` and the reflogs apart."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "objects" not in path.parts and "logs" not in path.parts
    }


def test_git_merges_a_diverged_workflow_and_a_push_brings_it_in_step(either: Loop) -> None:
    diverge(either)
    deployed = either.repository.git("rev-parse", "HEAD~1")

    pulled = branch_pull(either, "a")
    merged = merge(either)

    assert pulled["branch"] == {"name": "from-prod", "commit": pulled["commit"], "base": deployed}
    assert merged.returncode == 0, merged.stdout
    document = json.loads(either.path("a").read_bytes())
    assert text_of(either.path("a").read_bytes()) == "A2"
    assert [version["version"] for version in document["publishedVersions"]] == [1]
    assert either.states()["a"] == "repository-ahead"
    assert either.push("--update").changes == {"a": "update"}
    assert set(either.states().values()) == {"in-sync"}


def test_what_git_cannot_merge_it_asks_about(loop: Loop) -> None:
    loop.commit(a="A1")
    loop.push()
    loop.editor.save("a", "A2")
    loop.commit(a="A3")

    branch_pull(loop)
    merged = merge(loop)
    marked = loop.path("a").read_text()
    resolve(loop, a="A2 and A3")

    assert merged.returncode == 1
    assert "<<<<<<<" in marked
    assert loop.states() == {"a": "repository-ahead"}
    assert loop.push("--update").changes == {"a": "update"}
    assert loop.editor.texts() == {"a": "A2 and A3"}


def test_nothing_but_the_branch_changes(loop: Loop) -> None:
    diverge(loop)
    loop.write_file("b", "B2, not committed")
    loop.write_file("c", "C1, staged")
    loop.repository.git("add", "workflows/c.json")
    (loop.repository.path / "untracked").write_text("untracked")
    status = loop.repository.git("status", "--porcelain")
    before, head = everything_in(loop.repository.path), loop.repository.head

    branch_pull(loop)

    after = everything_in(loop.repository.path)
    made = after.pop(".git/refs/heads/from-prod")
    assert after == before
    assert made[0].decode().strip() == loop.repository.git("rev-parse", "from-prod")
    assert (loop.repository.head, loop.repository.git("status", "--porcelain")) == (head, status)
    assert loop.repository.git("diff", "--name-only", "from-prod~1", "from-prod") == "workflows/a.json"


def test_several_workflows_go_together_with_those_made_and_deleted_there(loop: Loop) -> None:
    loop.commit(a="A1", b="B1", c="C1", d="D1", e="E1")
    loop.push()
    deployed = loop.repository.head
    loop.editor.publish("a", 1)
    loop.editor.save("b", "B2")
    loop.editor.delete("c")
    loop.editor.delete("d")
    loop.editor.save("new", "N1")
    loop.commit(a="A2", d="D2")

    pulled = branch_pull(loop, "--prune")
    advice = loop.gitsync("pull", "--branch", "from-prod", "--prune").out
    merged = merge(loop, "from-prod", "-X", "find-renames=100%")

    assert "git merge -X find-renames=100% from-prod" in advice
    assert {change["key"]: change["action"] for change in pulled["changes"]} == {
        "a": "update", "b": "update", "c": "delete", "d": "delete", "new": "create"
    }  # fmt: skip
    assert pulled["branch"]["base"] == deployed
    assert merged.returncode == 1
    assert "modify/delete" in merged.stdout
    assert (loop.text("b"), loop.text("c"), loop.text("new")) == ("B2", None, "N1")
    resolve(loop, d=None)
    assert loop.push("--update").changes == {"a": "update"}
    assert set(loop.states().values()) == {"in-sync"}
    assert loop.editor.texts() == {"a": "A2", "b": "B2", "e": "E1", "new": "N1"}


def test_a_deleted_workflow_that_git_decides_to_keep_is_created_again(loop: Loop) -> None:
    loop.commit(a="A1", b="B1")
    loop.push()
    loop.editor.delete("a")
    loop.commit(a="A2")

    without = loop.gitsync("pull", "--branch", "from-prod")
    branch_pull(loop, "--prune", "a")
    merge(loop)
    resolve(loop, a="A2")

    assert "--prune deletes them on the branch" in without.out
    assert loop.push("--update").changes == {"a": "create"}
    assert loop.editor.texts() == {"a": "A2", "b": "B1"}


def test_a_workflow_deleted_in_git_and_edited_there_is_asked_about(loop: Loop) -> None:
    loop.commit(a="A1", b="B1")
    loop.push()
    loop.editor.save("a", "A2")
    loop.commit(a=None)

    branch_pull(loop, "a")
    merged = merge(loop)

    assert merged.returncode == 1
    assert "deleted in HEAD" in merged.stdout
    resolve(loop, a="A2")
    assert loop.states() == {"a": "in-sync", "b": "in-sync"}


def test_a_branch_that_is_not_merged_licenses_nothing(loop: Loop, tmp_path: Path) -> None:
    diverge(loop)
    branch_pull(loop)
    before = loop.editor.dump()

    here = loop.gitsync("push", "--update")
    there = second_clone(loop, tmp_path / "other").gitsync("push", "--update")
    loop.repository.git("branch", "-D", "from-prod")
    after = loop.gitsync("push", "--update")

    assert [ran.code for ran in (here, there, after)] == [3, 3, 3]
    assert loop.editor.dump() == before


def test_the_right_to_read_is_enough(loop: Loop) -> None:
    diverge(loop)
    with loop.editor.connection() as connection:
        for name in ("gitsync_deployment_items", "gitsync_deployments"):
            connection.exec_driver_sql(f"DROP TABLE {name}")
    assert loop.states()["a"] == "diverged"

    branch_pull(loop, "a")
    merged = merge(loop)

    # without the ledger nobody knows what both held: git shows both
    assert merged.returncode == 1
    resolve(loop, a="A2")
    assert loop.states()["a"] == "repository-ahead"


def test_a_second_pull_goes_on_with_the_branch_and_a_third_finds_nothing(loop: Loop) -> None:
    diverge(loop)
    first = branch_pull(loop)
    loop.editor.save("a", "A3")
    loop.editor.save("b", "B2")

    second = branch_pull(loop)
    third = branch_pull(loop)

    branch = loop.repository.git("log", "--format=%H", "main..from-prod").split()
    assert branch == [second["commit"], first["commit"]]
    assert second["branch"]["base"] == first["branch"]["base"]
    assert (third["committed"], third["branch"]["commit"]) == (False, second["commit"])
    assert text_of(loop.repository.git_bytes("show", "from-prod:workflows/b.json")) == "B2"


def test_what_the_database_takes_back_is_taken_back_on_the_branch(loop: Loop) -> None:
    loop.commit(a="A1", b="B1")
    loop.push()
    loop.editor.save("a", "A2")
    loop.editor.save("b", "B2")
    loop.editor.save("n", "N1")
    branch_pull(loop)
    loop.editor.save("b", "B1")
    loop.editor.delete("n")

    pulled = branch_pull(loop)

    assert {change["key"]: change["action"] for change in pulled["changes"]} == {
        "a": "update", "b": "update", "n": "delete"
    }  # fmt: skip
    assert loop.repository.git("diff", "--name-only", "main...from-prod") == "workflows/a.json"
    merge(loop)
    assert set(loop.states().values()) == {"in-sync"}


def test_a_merged_branch_is_moved_on(loop: Loop) -> None:
    diverge(loop)
    branch_pull(loop)
    merge(loop)
    loop.push("--update")
    loop.editor.save("a", "A4")
    loop.commit(a="A5")

    pulled = branch_pull(loop)

    assert pulled["branch"]["base"] == loop.repository.git("rev-parse", "main~1")
    assert loop.repository.git("rev-list", "--count", "main..from-prod") == "1"


def test_a_merged_branch_is_gone_on_with_where_nothing_was_pushed_since(loop: Loop) -> None:
    diverge(loop)
    first = branch_pull(loop)
    merge(loop)
    loop.editor.save("a", "A4")

    pulled = branch_pull(loop)

    assert loop.states()["a"] == "diverged"
    assert pulled["branch"]["base"] == first["commit"]


def test_workflows_in_step_at_different_commits_get_a_branch_each(loop: Loop) -> None:
    loop.commit(a="A1", b="B1")
    loop.push()
    first = loop.repository.head
    loop.commit(a="A2", b="B2")
    loop.push("--update", "b")
    second = loop.repository.head
    loop.editor.save("a", "A3")
    loop.editor.save("b", "B3")
    loop.commit(a="A4", b="B4")

    code, error = error_of(loop)
    single = branch_pull(loop, "a", name="from-prod-1")
    other = branch_pull(loop, "b", name="from-prod-2")

    assert (code, error["code"]) == (3, "NO_COMMON_BASE")
    assert error["details"]["groups"] == [
        {"commit": second, "keys": ["b"]}, {"commit": first, "keys": ["a"]}
    ]  # fmt: skip
    assert "`gitsync pull --branch from-prod-1 b`, `gitsync pull --branch from-prod-2 a`" in error["cure"]
    assert (single["branch"]["base"], other["branch"]["base"]) == (first, second)
    assert loop.repository.git("branch", "--list", "from-prod") == ""


def test_the_common_commit_holds_what_was_in_step_though_later_ones_do_not(loop: Loop) -> None:
    """A later common commit would make git take the database's edit for a part of git's own."""
    loop.commit(a="A1", b="B1")
    loop.push()
    deployed = loop.repository.head
    loop.editor.save("a", "A2")
    loop.commit(a="A3")
    loop.commit(b="B2")
    loop.push("--update", "b")

    pulled = branch_pull(loop, "a")

    assert pulled["branch"]["base"] == deployed


def test_where_no_base_can_be_told_git_shows_both(tmp_path: Path) -> None:
    loop = make_loop(tmp_path)
    loop.commit(a="A1")
    loop.editor.save("a", "made there on its own")
    assert loop.states() == {"a": "diverged"}

    branch_pull(loop)
    merged = merge(loop)

    assert merged.returncode == 1
    assert "add/add" in merged.stdout


def test_where_git_always_had_it_and_no_base_can_be_told_the_branch_stands_alone(tmp_path: Path) -> None:
    loop = make_loop(tmp_path)
    loop.repository.write("workflows/a.json", make_file("a", "A1"))
    loop.repository.git("add", ".")
    loop.repository.git("commit", "-q", "--amend", "--no-edit")
    loop.editor.save("a", "made there on its own")

    text = loop.gitsync("pull", "--branch", "from-prod")
    again = branch_pull(loop)
    merged = merge(loop, "from-prod", "--allow-unrelated-histories")

    assert "git merge --allow-unrelated-histories from-prod" in text.out
    assert (again["committed"], again["branch"]["base"]) == (False, None)
    assert merged.returncode == 1
    assert "add/add" in merged.stdout
    assert loop.repository.git("ls-tree", "-r", "--name-only", "from-prod") == "workflows/a.json"


def test_before_the_first_commit_the_branch_is_the_first(loop: Loop) -> None:
    loop.editor.save("a", "A1")
    loop.repository.git("update-ref", "-d", "HEAD")
    loop.repository.git("rm", "-rq", "--cached", ".")

    pulled = branch_pull(loop)
    merged = merge(loop)

    assert pulled["branch"]["base"] is None
    assert merged.returncode == 0
    assert loop.text("a") == "A1"


def test_a_bare_repository_has_branches_too(loop: Loop, tmp_path: Path) -> None:
    diverge(loop)
    loop.repository.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    bare = TestRepository(tmp_path / "bare.git", loop.repository.home)
    bare.git("config", "user.name", "A Job")
    bare.git("config", "user.email", "job@example.com")

    ran = gitsync("-C", str(bare.path), "pull", "--branch", "from-prod")
    loop.repository.git("fetch", "-q", str(bare.path), "from-prod:from-prod")

    assert ran.code == 0, ran.err
    assert merge(loop).returncode == 0


@pytest.mark.parametrize("place", ["here", "in-a-worktree", "unborn", "another-name"])
def test_a_branch_that_is_checked_out_is_not_moved(loop: Loop, tmp_path: Path, place: str) -> None:
    diverge(loop)
    name = "from-prod"
    if place == "here":
        name = "main"
    elif place == "in-a-worktree":
        branch_pull(loop)
        loop.editor.save("a", "A3")
        loop.repository.git("worktree", "add", "-q", str(tmp_path / "tree"), name)
    elif place == "another-name":
        loop.repository.git("symbolic-ref", f"refs/heads/{name}", "refs/heads/main")
    else:
        loop.repository.git("symbolic-ref", "HEAD", f"refs/heads/{name}")

    code, error = error_of(loop, name=name)

    assert (code, error["code"]) == (1, "BRANCH_CHECKED_OUT")


def test_a_branch_with_commits_of_its_own_is_not_touched(loop: Loop) -> None:
    diverge(loop)
    loop.repository.git("branch", "release")
    branch_pull(loop)
    loop.repository.git("switch", "-q", "from-prod")
    loop.repository.commit_file("workflows/b.json", make_file("b", "B of mine"))
    loop.repository.git("switch", "-q", "main")
    before = loop.repository.git("for-each-ref")

    errors = [error_of(loop, name=name) for name in ("from-prod", "release")]

    assert [(code, error["code"]) for code, error in errors] == [(1, "BRANCH_EXISTS")] * 2
    assert loop.repository.git("for-each-ref") == before


def test_an_amended_pull_is_somebodys_own_commit(loop: Loop) -> None:
    diverge(loop)
    branch_pull(loop)
    loop.repository.git("switch", "-q", "from-prod")
    loop.write_file("a", "A of mine")
    loop.repository.git("commit", "-q", "--all", "--amend", "--no-edit")
    loop.repository.git("switch", "-q", "main")

    assert error_of(loop)[1]["code"] == "BRANCH_EXISTS"


@pytest.mark.parametrize("name", ["", "-x", "a..b", "a b", "HEAD", "@{-1}", "x.lock", "/x"])
def test_a_name_that_no_branch_can_have_is_refused(loop: Loop, name: str) -> None:
    diverge(loop)

    ran = loop.gitsync("pull", f"--branch={name}", "-o", "json")

    assert (ran.code, ran.json["code"]) == (1, "INVALID_BRANCH")


def test_a_branch_whose_name_is_in_the_way_is_an_error(loop: Loop) -> None:
    diverge(loop)
    loop.repository.git("branch", "from")

    assert error_of(loop, name="from/prod")[1]["code"] == "BRANCH_MOVED"


def test_without_an_identity_nothing_is_made(loop: Loop) -> None:
    diverge(loop)
    for name in ("user.name", "user.email"):
        loop.repository.git("config", "--unset", name)
    loop.repository.git("config", "user.useConfigOnly", "true")

    code, error = error_of(loop)

    assert (code, error["code"]) == (1, "NO_IDENTITY")
    assert loop.repository.git("branch", "--list", "from-prod") == ""


def test_a_merge_in_progress_is_no_obstacle(loop: Loop) -> None:
    diverge(loop)
    branch_pull(loop, name="first")
    merge(loop, "first", "--no-commit")

    assert branch_pull(loop)["committed"]


def test_a_shallow_clone_that_cannot_tell_refuses(loop: Loop, tmp_path: Path) -> None:
    diverge(loop)
    shallow = second_clone(loop, tmp_path / "shallow", "--depth=1")

    code, error = error_of(shallow, "a")

    assert (code, error["error"]["code"]) == (6, "HISTORY_UNKNOWN")
    assert shallow.repository.git("branch", "--list", "from-prod") == ""


def test_settings_and_filters_do_not_change_what_is_stored(loop: Loop) -> None:
    diverge(loop)
    for setting in ("core.autocrlf=true", "core.splitIndex=true", "index.sparse=true"):
        loop.repository.git("config", *setting.split("="))
    loop.repository.write(".git/info/attributes", "*.json text eol=crlf filter=upper\n")
    loop.repository.git("config", "filter.upper.clean", "tr a-z A-Z")
    held = set((loop.repository.path / ".git").iterdir())

    branch_pull(loop, "-m", "Übernommen")

    stored = loop.repository.git_bytes("show", "from-prod:workflows/a.json")
    assert stored == make_file("a", "A1", versions=[1])
    assert loop.repository.git("log", "-1", "--format=%s", "from-prod") == "Übernommen"
    assert set((loop.repository.path / ".git").iterdir()) == held


def test_content_that_the_database_has_gone_back_to_is_merged_like_any_other(loop: Loop) -> None:
    """The ledger has seen it before, so history alone licenses nothing; the merged pull does."""
    loop.commit(a="A1")
    loop.push()
    deployed = loop.commit(a="A2")
    loop.push("--update")
    loop.editor.save("a", "A1")
    loop.commit(a="A3")

    pulled = branch_pull(loop)
    merge(loop)
    resolve(loop, a="A3 after all")

    assert pulled["branch"]["base"] == deployed
    assert loop.push("--update").changes == {"a": "update"}
    assert loop.editor.texts() == {"a": "A3 after all"}


def test_a_merge_in_one_clone_settles_it_for_another(loop: Loop, tmp_path: Path) -> None:
    diverge(loop)
    branch_pull(loop)
    merge(loop)
    other = second_clone(loop, tmp_path / "other")

    assert other.states()["a"] == "repository-ahead"
    assert other.push("--update").changes == {"a": "update"}


@pytest.mark.parametrize(
    "arguments, sign",
    [(["--force"], "--force decides"), (["-m", "x"], "add --commit")],
    ids=["force", "message-alone"],
)
def test_options_that_do_not_go_together_are_refused(loop: Loop, arguments: list[str], sign: str) -> None:
    options = arguments if arguments[0] == "-m" else ["--branch", "x", *arguments]

    ran: Ran = loop.gitsync("pull", *options)

    assert ran.code == 64
    assert sign in ran.err


def test_a_name_that_is_a_tag_is_refused(loop: Loop) -> None:
    diverge(loop)
    loop.repository.git("tag", "from-prod")

    code, error = error_of(loop)

    assert (code, error["code"]) == (1, "INVALID_BRANCH")
    assert "a tag from-prod" in error["message"]
    assert not loop.repository.git("for-each-ref", "refs/heads/from-prod")
