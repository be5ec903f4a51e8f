"""A folder of workflows that git keeps elsewhere: named by every command, and never read as an empty one."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from tests.support.documents import make_file
from tests.support.git import git_environment, make_repository
from tests.support.loop import Loop

COMMANDS = (
    ("status",),
    ("diff",),
    ("plan", "--update", "--prune"),
    ("push", "--update", "--prune"),
    ("pull",),
    ("pull", "--commit", "--prune"),
    ("pull", "--branch", "from-dev"),
)


def start(loop: Loop) -> None:
    loop.commit(a="A1", b="B1")
    loop.push()
    loop.editor.save("a", "A2")


def become_a_submodule(loop: Loop, tmp_path: Path) -> None:
    other = make_repository(tmp_path / "other")
    other.commit_files({f"{key}.json": make_file(key, f"{key.upper()}1") for key in ("a", "b")})
    loop.repository.git("rm", "--quiet", "-r", "workflows")
    allowed = ("-c", "protocol.file.allow=always")
    loop.repository.git(*allowed, "submodule", "--quiet", "add", str(other.path), "workflows")
    loop.repository.commit("Keep the workflows elsewhere")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_submodule_is_named_and_nothing_is_written(
    loop: Loop, tmp_path: Path, command: tuple[str, ...]
) -> None:
    start(loop)
    become_a_submodule(loop, tmp_path)
    rows, head = loop.editor.dump(), loop.repository.head

    ran = loop.gitsync(*command)

    assert ran.code == 4
    assert "workflows is a git submodule" in ran.err
    assert "[UNSUPPORTED_FOLDER]" in ran.err
    assert loop.editor.dump() == rows
    assert loop.repository.head == head
    assert not loop.repository.git("status", "--porcelain")


def test_doctor_and_validate_name_a_submodule(loop: Loop, tmp_path: Path) -> None:
    start(loop)
    become_a_submodule(loop, tmp_path)

    doctor, validate = loop.gitsync("doctor"), loop.gitsync("validate")

    assert (doctor.code, validate.code) == (1, 4)
    assert "workflows is a git submodule" in doctor.out
    assert "is a git submodule" in validate.out + validate.err


def test_the_cure_for_a_submodule_takes_its_files_in(loop: Loop, tmp_path: Path) -> None:
    start(loop)
    become_a_submodule(loop, tmp_path)
    cure = loop.gitsync("status").err.split("`")[1]

    subprocess.run(
        ["sh", "-ec", cure], cwd=loop.repository.path, env=git_environment(loop.repository.home), check=True
    )
    loop.repository.commit("Keep the workflows here")

    assert shlex.split(cure)[0] == "git"
    assert loop.states() == {"a": "database-ahead", "b": "in-sync"}


def test_a_folder_that_is_a_repository_not_yet_committed_is_not_written(loop: Loop) -> None:
    loop.editor.save("a", "A1")
    folder = loop.path("a").parent
    folder.mkdir()
    loop.repository.git("init", "--quiet", str(folder))

    pulled, doctor = loop.gitsync("pull"), loop.gitsync("doctor")

    assert pulled.code == 4
    assert "workflows is a git submodule" in pulled.err
    assert "workflows is a git submodule" in doctor.out
    assert loop.text("a") is None


@pytest.mark.parametrize("what", ["link", "file"])
def test_what_is_no_folder_in_the_commit_is_not_an_empty_one(loop: Loop, what: str) -> None:
    start(loop)
    folder = loop.path("a").parent
    if what == "link":
        folder.rename(folder.with_name("elsewhere"))
        folder.symlink_to("elsewhere")
    else:
        loop.repository.git("rm", "--quiet", "-r", "workflows")
        folder.write_text("not yet")
    loop.repository.commit("No folder")
    rows = loop.editor.dump()

    ran = loop.gitsync("push", "--update", "--prune")

    assert ran.code == 4
    assert f"workflows is {'a symbolic link' if what == 'link' else 'a file'} and no folder" in ran.err
    assert loop.editor.dump() == rows


@pytest.mark.parametrize(
    "data, name",
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 1830\n", "Git LFS"),
        (b"\0GITCRYPT\0 and the rest", "git-crypt"),
    ],
    ids=["lfs", "git-crypt"],
)
@pytest.mark.parametrize("command", [("status",), ("push", "--update"), ("validate",)], ids=" ".join)
def test_a_stand_in_for_a_file_is_named(loop: Loop, data: bytes, name: str, command: tuple[str, ...]) -> None:
    start(loop)
    loop.path("b").write_bytes(data)
    loop.repository.commit("A stand-in")

    ran = loop.gitsync(*command)

    assert name in ran.out + ran.err
    assert loop.editor.text("b") == "B1"
