"""What goes through GitPython is started as all of git is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gitsync.errors import GitError
from gitsync.stores.git import GitRepository
from gitsync.stores.git.library import _Command, create, git_version, main_branch
from tests.support.git import TestRepository, make_repository


def test_a_repository_is_made_where_it_is_said_whatever_variables_and_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_repository(tmp_path / "other")
    variables = {
        "GIT_DIR": str(other.path / ".git"),
        "GIT_WORK_TREE": str(other.path),
        "GIT_OBJECT_DIRECTORY": str(tmp_path / "objects"),
        "GIT_DEFAULT_HASH": "sha256",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "init.defaultBranch",
        "GIT_CONFIG_VALUE_0": "trunk",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "$HOME"
    folder.mkdir()

    create(folder)

    assert GitRepository.open(folder).top == folder
    assert main_branch(folder) == "main"
    assert (folder / ".git" / "objects").is_dir()
    assert not (tmp_path / "objects").exists()


def test_a_repository_that_cannot_be_made_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("no pointer\n")

    with pytest.raises(GitError, match=r"^git init failed: invalid gitfile format"):
        create(tmp_path)


def test_its_commands_have_the_same_deadline(
    repository: TestRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gitsync.stores.git.process.DEADLINE", 0.2)
    os.mkfifo(tmp_path / "fifo")

    with pytest.raises(GitError) as caught:
        _Command(repository.path).hash_object(tmp_path / "fifo")

    assert caught.value.code == "GIT_TIMEOUT"


def test_its_commands_run_no_hook(repository: TestRepository) -> None:
    repository.commit_file("file", "1")
    repository.write(".git/hooks/pre-commit", "#!/bin/sh\nexit 1\n").chmod(0o755)

    _Command(repository.path).commit(allow_empty=True, message="made")

    assert repository.git("log", "-1", "--format=%s") == "made"


def test_the_version_is_read_as_numbers() -> None:
    numbers, text = git_version()

    assert text.startswith(".".join(map(str, numbers)))
    assert numbers >= (2, 30)


@pytest.mark.parametrize(
    "script,said",
    [
        pytest.param(None, "there is no `git` on the PATH", id="none"),
        pytest.param(
            "echo 'fatal: bad config' >&2; exit 128", "git version failed: bad config", id="failing"
        ),
    ],
)
def test_a_git_that_does_not_work_is_told_by_gitsync_alone(
    script: str | None, said: str, tmp_path: Path
) -> None:
    if script:
        (tmp_path / "git").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "git").chmod(0o755)

    ran = subprocess.run(
        [sys.executable, "-m", "gitsync", "doctor", "-o", "json"],
        cwd=tmp_path,
        env={"PATH": str(tmp_path), "GIT_PYTHON_REFRESH": "raise", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    found = {f"{row['section']}/{row['name']}": row for row in json.loads(ran.stdout)["findings"]}
    assert ran.stderr == ""
    assert said in found["git/version"]["message"]
