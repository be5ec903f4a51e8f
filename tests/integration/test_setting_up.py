"""``doctor`` and ``init`` as functions: what they return where nobody sits at a terminal."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitsync.commands.context import Context
from gitsync.commands.doctor import Section, diagnose
from gitsync.commands.init import init_repository
from gitsync.doctor.finding import Level
from gitsync.errors import ConfigError
from gitsync.stores.git import GitRepository
from gitsync.stores.git.facts import GitFacts
from tests.support.git import make_repository
from tests.support.loop import make_loop


def make_index_stale(folder: Path, name: str) -> os.stat_result:
    """Let the file look changed though it is not, so that ``git status`` would refresh the index; its facts."""
    os.utime(folder / name, (1_000_000_000, 1_000_000_000))
    return (folder / ".git" / "index").stat()


def test_all_that_doctor_looks_at_is_in_its_report(tmp_path: Path) -> None:
    loop = make_loop(tmp_path)
    loop.commit(a="A1")

    report = diagnose(Context(where=loop.folder))

    assert report.environment == "dev"
    assert report.commit == loop.repository.head
    assert [section for section in Section if section in dict(report.findings)] == [
        Section.GIT, Section.CONFIGURATION, Section.DATABASE, Section.BOTH_SIDES,
    ]  # fmt: skip
    assert (report.count(Level.ERROR), report.exit_code, report.error) == (0, 0, None)


def test_what_stops_a_command_is_the_report_s_exit_code(tmp_path: Path) -> None:
    report = diagnose(Context(where=tmp_path))

    errors = [(section, finding.name) for section, finding in report.findings if finding.level is Level.ERROR]
    assert errors == [(Section.GIT, "repository"), (Section.CONFIGURATION, "file")]
    assert (report.environment, report.commit, report.exit_code) == (None, None, 1)


def test_a_repository_that_is_only_looked_at_keeps_its_index(tmp_path: Path) -> None:
    repository = make_repository(tmp_path)
    repository.write("a.json", "1\n")
    repository.commit("Add a")
    before = make_index_stale(repository.path, "a.json")

    assert GitFacts.open(repository.path).uncommitted("") == frozenset()
    after_look = (repository.path / ".git" / "index").stat()
    assert GitRepository.open(repository.path).uncommitted("") == frozenset()
    after_use = (repository.path / ".git" / "index").stat()

    assert (after_look.st_ino, after_look.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert after_use.st_mtime_ns != before.st_mtime_ns


def test_a_dry_run_of_init_returns_what_would_be_written_and_writes_nothing(tmp_path: Path) -> None:
    report = init_repository(Context(where=tmp_path), dry_run=True)

    assert {difference.name for difference in report.differences} == set(report.written)
    assert "gitsync.yaml" in report.written
    assert all(difference.before is None and not difference.is_kept for difference in report.differences)
    assert list(tmp_path.iterdir()) == []


def test_init_keeps_what_is_there_and_says_so(tmp_path: Path) -> None:
    (tmp_path / ".editorconfig").write_text("root = false\n")

    report = init_repository(Context(where=tmp_path))

    assert report.kept == [".editorconfig"]
    assert "gitsync.yaml" in report.written
    assert any(note.startswith("kept .editorconfig: ") for note in report.notes)
    assert (tmp_path / ".editorconfig").read_text() == "root = false\n"
    with pytest.raises(ConfigError, match="nothing was written"):
        init_repository(Context(where=tmp_path))
