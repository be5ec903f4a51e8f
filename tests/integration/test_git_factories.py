from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.git import TestRepository, clone, commit_file, make_origin_and_clone


def test_a_push_from_the_clone_arrives_at_the_origin(tmp_path: Path) -> None:
    origin, work = make_origin_and_clone(tmp_path)

    commit = commit_file(work, "folder/ä.json", "{}\n", "Add ä")
    work.git("push", "--quiet")

    assert origin.git("rev-parse", "main") == commit
    assert origin.git_bytes("show", "main:folder/ä.json") == b"{}\n"
    assert work.git("status", "--porcelain", "--branch") == "## main...origin/main"


def test_commits_are_ordered_by_time_and_have_the_repositorys_own_author(repository: TestRepository) -> None:
    first = repository.commit_file("a", "1")
    second = repository.commit_files({"a": "2", "b": b"\x00"})
    third = repository.remove_file("b")

    log = repository.git("log", "--date-order", "--format=%H %an").splitlines()

    assert log == [f"{commit} Test Author" for commit in (third, second, first)]


def test_a_merge_makes_a_commit_with_both_parents(repository: TestRepository) -> None:
    base = repository.commit_file("a", "1")
    repository.git("switch", "--quiet", "--create", "side")
    side = repository.commit_file("b", "1")
    repository.git("switch", "--quiet", "main")

    merged = repository.merge("side")

    assert repository.git("show", "--no-patch", "--format=%P", merged) == f"{base} {side}"


def test_a_shallow_clone_lacks_history(repository: TestRepository, tmp_path: Path) -> None:
    repository.commit_file("a", "1")
    repository.commit_file("a", "2")

    shallow = clone(repository, tmp_path / "shallow", "--depth=1")

    assert shallow.git("rev-list", "--count", "HEAD") == "1"


def test_settings_of_the_caller_do_not_reach_a_repository(
    repository: TestRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Somebody Else")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "elsewhere"))

    repository.commit_file("a", "1")

    assert repository.git("log", "--format=%an") == "Test Author"
    assert repository.git("config", "--list", "--show-scope", "--name-only").count("global") == 0


def test_the_run_itself_has_an_empty_home_and_nothing_of_the_callers_git(isolated_environment: Path) -> None:
    inherited = [name for name in os.environ if name.startswith(("GIT_", "GITSYNC_", "PG"))]

    assert Path.home() == isolated_environment
    assert list(isolated_environment.iterdir()) == []
    assert {name for name in inherited if not name.startswith("GITSYNC_TEST_")} == {
        "GIT_CONFIG_NOSYSTEM",
        "GIT_TERMINAL_PROMPT",
    }
