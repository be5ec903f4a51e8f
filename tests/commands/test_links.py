"""Symbolic links in a repository: whoever proposes a change makes them, and none leads out of it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.support.documents import make_file
from tests.support.git import TestRepository, make_repository
from tests.support.loop import gitsync

SECRET = "hunter2: the-first-line-of-a-file-of-the-machine"
CONFIG = "version: 1\nregistry: registry.yaml\ndefault: dev\nenvironments: { dev: { database: 'sqlite:///g.db' } }\n"
REGISTRY = "actions: []\nnodeTypes: [state.set]\nschemaRefs: [payload.Ticket.v1]\n"
TEST = "workflow: a\ncases: [{ name: it runs, version: draft, expect: { status: SUCCEEDED } }]\n"
COMMANDS = (
    ["validate"],
    ["validate", "workflows/a.json"],
    ["fmt"],
    ["fmt", "workflows/a.json"],
    ["run", "a", "--draft"],
    ["run", "a", "--draft", "--stubs", "stubs.yaml"],
    ["test"],
    ["test", "tests"],
    ["test", "tests/a.yaml"],
    ["bundle", "join"],
    ["bundle", "join", "--folder", "workflows"],
    ["registry", "show"],
    ["status"],
    ["doctor"],
    ["db", "init"],
    ["init", "--diff"],
)


@pytest.fixture
def repository(tmp_path: Path) -> TestRepository:
    made = make_repository(tmp_path / "repository")
    made.write("gitsync.yaml", CONFIG)
    made.write("registry.yaml", REGISTRY)
    made.write("stubs.yaml", "actions: {}\n")
    made.write("workflows/a.json", make_file("a", "A"))
    made.write("tests/a.yaml", TEST)
    return made


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """What must not be read: a file and a folder of the same, beside the repository."""
    folder = tmp_path / "outside"
    folder.mkdir()
    for name in ("secret", "a.json", "a.yaml"):
        (folder / name).write_text(SECRET)
    return folder


def run(repository: TestRepository, words: list[str]) -> tuple[int, str]:
    paths = ("workflows", "tests", "stubs.yaml")
    where = [str(repository.path / word) if word.startswith(paths) else word for word in words]
    ran = gitsync("-C", str(repository.path), *where)
    return ran.code, ran.out + ran.err


def link(repository: TestRepository, name: str, target: Path) -> None:
    path = repository.path / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    path.symlink_to(target)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    "name, to",
    [
        ("gitsync.yaml", "secret"),
        ("registry.yaml", "secret"),
        ("stubs.yaml", "secret"),
        ("workflows/a.json", "secret"),
        ("tests/a.yaml", "secret"),
        ("workflows", ""),
        ("tests", ""),
    ],
)
def test_what_lies_behind_a_link_is_never_read(
    repository: TestRepository, outside: Path, name: str, to: str, words: list[str]
) -> None:
    link(repository, name, outside / to)

    _, said = run(repository, words)

    assert "hunter2" not in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "name, to, commands",
    [
        (
            "gitsync.yaml",
            "secret",
            (["validate"], ["fmt"], ["run", "a"], ["test"], ["bundle", "join"], ["status"]),
        ),
        ("registry.yaml", "secret", (["validate"], ["run", "a"], ["test"], ["registry", "show"])),
        ("stubs.yaml", "secret", (["run", "a", "--draft", "--stubs", "stubs.yaml"],)),
        ("workflows/a.json", "secret", (["validate"], ["run", "a"], ["test"], ["bundle", "join"])),
        ("tests/a.yaml", "secret", (["validate"], ["test"], ["test", "tests/a.yaml"], ["test", "tests"])),
        ("workflows", "", (["validate"], ["fmt"], ["run", "a"], ["test"], ["bundle", "join"])),
        ("tests", "", (["validate"], ["test"], ["test", "tests"])),
    ],
)
def test_a_link_is_an_error_that_names_it(
    repository: TestRepository, outside: Path, name: str, to: str, commands: tuple[list[str], ...]
) -> None:
    link(repository, name, outside / to)

    for words in commands:
        code, said = run(repository, words)

        assert code == 4, (words, said)
        assert "INVALID_FILE" in said, words
        assert name in said


@pytest.mark.parametrize("name", ["gitsync.yaml", "registry.yaml"])
def test_a_link_in_a_commit_is_named_as_well(repository: TestRepository, outside: Path, name: str) -> None:
    gitsync("-C", str(repository.path), "db", "init")
    link(repository, name, outside / "secret")
    repository.commit("Link")
    (repository.path / name).unlink()
    repository.write(name, CONFIG if name == "gitsync.yaml" else REGISTRY)

    ran = gitsync("-C", str(repository.path), "push")

    assert ran.code == 4
    assert f"{name}: is a symbolic link" in ran.err
    assert "hunter2" not in ran.err


@pytest.mark.parametrize("name", ["gitsync.yaml", "workflows"])
def test_a_link_is_a_finding_of_the_doctor_and_not_its_end(
    repository: TestRepository, outside: Path, name: str
) -> None:
    repository.commit("Begin")
    link(repository, name, outside / ("secret" if name == "gitsync.yaml" else ""))

    ran = gitsync("-C", str(repository.path), "doctor", "-o", "json")

    assert ran.json["format"] == "gitsync.doctor"
    assert ran.code == 1


def test_fmt_writes_nothing_behind_a_link(repository: TestRepository, outside: Path) -> None:
    messy = make_file("a", "A").replace(b"  ", b"\t")
    (outside / "a.json").write_bytes(messy)
    link(repository, "workflows", outside)

    for words in (["fmt"], ["fmt", "workflows/a.json"], ["fmt", "--staged", "workflows/a.json"]):
        run(repository, words)

    assert (outside / "a.json").read_bytes() == messy


def test_a_folder_of_tests_that_is_a_link_is_not_passed_over(
    repository: TestRepository, outside: Path
) -> None:
    (repository.path / "tests" / "more").symlink_to(outside)
    (repository.path / "tests" / "README.md").symlink_to(outside / "secret")

    for words in (["test"], ["validate"]):
        code, said = run(repository, words)

        assert code == 4
        assert "tests/more: is a symbolic link" in said.replace(" error:", "")
        assert "README" not in said


def test_a_report_replaces_a_link_and_not_what_it_points_to(
    repository: TestRepository, outside: Path
) -> None:
    for name in ("results.xml", "recorded.yaml"):
        (repository.path / name).symlink_to(outside / "secret")

    gitsync("-C", str(repository.path), "test", "--junit", "results.xml")
    recorded = gitsync("-C", str(repository.path), "run", "a", "--draft", "--record", "recorded.yaml")

    assert (outside / "secret").read_text() == SECRET
    assert "<testsuite" in (repository.path / "results.xml").read_text()
    assert "ALREADY_THERE" in recorded.err


def test_a_way_to_the_repository_may_be_a_link(repository: TestRepository, tmp_path: Path) -> None:
    way = tmp_path / "way"
    way.symlink_to(repository.path)

    for words in (["validate"], ["fmt"], ["test"], ["run", "a", "--draft"]):
        ran = gitsync("-C", str(way), *words)
        assert ran.code == 0, ran.err


def test_without_a_repository_links_count_from_the_configuration_s_folder(
    repository: TestRepository, outside: Path
) -> None:
    shutil.rmtree(repository.path / ".git")
    link(repository, "workflows", outside)

    for words in (["validate"], ["fmt"], ["bundle", "join"]):
        code, said = run(repository, words)
        assert (code, "hunter2" in said) == (4, False), said


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(repository: TestRepository) -> None:
    for name in ("registry.yaml", "workflows/a.json", "tests/a.yaml"):
        path = repository.path / name
        held = path.read_bytes()
        path.unlink()
        os.mkfifo(path)

        code, said = run(repository, ["validate"])
        path.unlink()
        path.write_bytes(held)

        assert (code, "is no regular file" in said) == (4, True), said
