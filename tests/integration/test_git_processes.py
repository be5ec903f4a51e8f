"""Git's processes: what they say never stops them, and one that never ends is ended."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitsync.errors import GitError
from gitsync.stores.git.process import Git
from tests.support.git import TestRepository

NOISE = 2_000
"""So many warnings are more than a pipe holds."""


@pytest.fixture
def fifo(tmp_path: Path) -> str:
    """A file that git waits at for ever, since nobody writes into it."""
    os.mkfifo(tmp_path / "fifo")
    return str(tmp_path / "fifo")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deadline that is over before a test is."""
    monkeypatch.setattr("gitsync.stores.git.process.DEADLINE", 0.2)


def test_a_process_that_warns_all_the_time_is_fed_to_the_end(repository: TestRepository) -> None:
    repository.git("config", "core.autocrlf", "true")
    names = [f"{number}.json" for number in range(NOISE)]
    for name in names:
        repository.write(name, f"{name}\n")

    with Git(repository.path).feeding(["hash-object", "-w", "--stdin-paths"]) as feed:
        for name in names:
            feed(f"{name}\n".encode())

    assert f"count: {NOISE}\n" in repository.git("count-objects", "-v") + "\n"


def test_a_process_that_warns_all_the_time_is_read_to_the_end(repository: TestRepository) -> None:
    repository.git("config", "alias.noise", f"!yes warning: noise | head -{NOISE} >&2; seq {NOISE}")

    with Git(repository.path).reading(["noise"], stdin=b"") as stream:
        lines = stream.read().split()

    assert len(lines) == NOISE


def test_the_reason_of_a_failure_is_found_behind_warnings(repository: TestRepository) -> None:
    repository.git(
        "config", "alias.noise", f"!yes warning: noise | head -{NOISE} >&2; echo fatal: no >&2; exit 1"
    )

    with pytest.raises(GitError) as caught:
        Git(repository.path).run(["noise"])

    assert caught.value.message == "git noise failed: no"


def test_a_stream_of_a_process_that_fails_does_not_just_end(repository: TestRepository) -> None:
    repository.git("config", "alias.broken", "!echo 1; echo fatal: no >&2; exit 1")

    with (
        pytest.raises(GitError, match="git broken failed: no"),
        Git(repository.path).reading(["broken"], stdin=b"") as stream,
    ):
        stream.read()


@pytest.mark.usefixtures("impatient")
def test_a_process_that_never_ends_is_ended(repository: TestRepository, fifo: str) -> None:
    with pytest.raises(GitError) as caught:
        Git(repository.path).run(["hash-object", fifo])

    assert caught.value.code == "GIT_TIMEOUT"
    assert "git hash-object" in caught.value.message
    assert str(repository.path) in caught.value.message


@pytest.mark.usefixtures("impatient")
def test_a_stream_that_never_goes_on_is_ended(repository: TestRepository, fifo: str) -> None:
    git = Git(repository.path)

    with pytest.raises(GitError) as caught, git.reading(["hash-object", fifo], stdin=b"") as stream:
        stream.readline()

    assert caught.value.code == "GIT_TIMEOUT"


@pytest.mark.usefixtures("impatient")
def test_a_process_that_takes_nothing_any_more_is_ended(repository: TestRepository, fifo: str) -> None:
    git = Git(repository.path)

    with pytest.raises(GitError) as caught, git.feeding(["hash-object", "--stdin-paths"]) as feed:
        feed(f"{fifo}\n".encode() * 100_000)

    assert caught.value.code == "GIT_TIMEOUT"


def test_a_reader_that_has_seen_enough_leaves_no_process_behind(repository: TestRepository) -> None:
    repository.git("config", "alias.endless", "!yes")

    with Git(repository.path).reading(["endless"], stdin=b"") as stream:
        assert stream.readline() == b"y\n"


def test_a_folder_that_is_gone_is_not_a_missing_git(tmp_path: Path) -> None:
    with pytest.raises(GitError) as caught:
        Git(tmp_path / "gone").run(["version"])

    assert str(tmp_path / "gone") in caught.value.message
    assert caught.value.code != "GIT_MISSING"
