"""Files that are saved while gitsync writes others, or the same: what was typed stays, at whichever step."""

from __future__ import annotations

import itertools
import stat
from pathlib import Path

import pytest

from gitsync.stores.files import Held, compare_and_set, look
from gitsync.workflow.canonical import digest_of
from tests.support import figures
from tests.support.documents import make_file
from tests.support.effort import effort
from tests.support.loop import Loop
from tests.support.meanwhile import meanwhile, save

KEYS = ("changed", "gone", "new")
EACH = effort(short=3, long=1)
"""Every step, or every third."""


def start(loop: Loop) -> None:
    """One workflow each that a pull writes over, deletes and makes, and one that nobody else touches."""
    loop.commit(changed="1", gone="1", other="1")
    loop.push()
    for key in ("changed", "new", "other"):
        loop.editor.save(key, "2")
    loop.editor.delete("gone")


def rewind(loop: Loop, head: str) -> None:
    loop.repository.git("reset", "--quiet", "--hard", head)
    loop.repository.git("clean", "--quiet", "-fdx", "workflows")


def texts(loop: Loop) -> dict[str, str | None]:
    return {key: loop.text(key) for key in KEYS}


@pytest.mark.fuzz("saves")
@pytest.mark.parametrize("in_place", [False, True], ids=["renamed", "in place"])
@pytest.mark.parametrize("options", [(), ("--force",)], ids=["pull", "force"])
def test_what_is_saved_at_any_step_of_a_pull_stays(
    loop: Loop, in_place: bool, options: tuple[str, ...]
) -> None:
    start(loop)
    head, folder = loop.repository.head, loop.path("x").parent

    def type_something() -> None:
        for key in KEYS:
            save(loop.path(key), make_file(key, "typed"), in_place=in_place)

    for step in itertools.count(0, EACH):
        rewind(loop, head)
        with figures.tried("saves"), meanwhile(folder, type_something, at=step) as hook:
            ran = loop.gitsync("pull", "--prune", "-o", "json", *options)
            if hook.steps <= step:
                break
            told = f"step {step}: exit {ran.code}\n{ran.out}{ran.err}"
            assert ran.code in {0, 3}, told
            assert loop.text("other") == "2", told
            seen = {
                c["key"]
                for c in ran.json["changes"]
                if c["before"] == digest_of(make_file(c["key"], "typed"))
            }
            assert not seen or options, told
            assert {key for key in KEYS if loop.text(key) != "typed"} == seen, told
            kept = {entry["key"] for entry in ran.json["uncommitted"]}
            assert not kept & ran.changes.keys(), told
            assert not list(folder.glob(".gitsync-*")), told
    assert step > 10


def test_a_file_saved_while_the_others_are_written_is_named_and_the_rest_is_pulled(loop: Loop) -> None:
    start(loop)

    def type_something() -> None:
        loop.write_file("other", "typed")

    with meanwhile(loop.path("changed"), type_something, only_files=True):
        ran = loop.gitsync("pull", "--commit", "--prune", "--force")

    assert ran.code == 3
    assert "saved while the pull ran, and kept: other [UNCOMMITTED_CHANGES]" in ran.err
    assert texts(loop) == {"changed": "2", "gone": None, "new": "2"}
    assert loop.text("other") == "typed"
    assert loop.repository.git("status", "--porcelain") == " M workflows/other.json"


def test_a_file_that_git_ignores_is_an_edit_like_any_other(loop: Loop) -> None:
    start(loop)
    loop.repository.commit_file(".gitignore", "new.json\n")
    loop.write_file("new", "mine")

    left = loop.gitsync("pull", "new")
    held = loop.text("new")
    forced = loop.gitsync("pull", "--force", "new")

    assert (left.code, held) == (3, "mine")
    assert "edited and not committed: new [UNCOMMITTED_CHANGES]" in left.err
    assert (forced.code, loop.text("new")) == (0, "2")


def test_a_folder_in_a_file_s_place_is_kept(loop: Loop) -> None:
    start(loop)
    loop.path("new").mkdir()

    ran = loop.gitsync("pull", "--force", "--prune")

    assert (ran.code, loop.path("new").is_dir()) == (3, True)
    assert (loop.text("changed"), loop.text("gone")) == ("2", None)


def test_a_formatter_writes_over_nothing_that_was_saved_meanwhile(loop: Loop) -> None:
    file = loop.write_file("a", "A1")
    file.write_bytes(b" " + file.read_bytes())

    with meanwhile(loop.path("a"), lambda: save(file, b" typed", in_place=False), at=1):
        ran = loop.gitsync("fmt")

    assert (ran.code, file.read_bytes()) == (4, b" typed")
    assert "a.json: was saved meanwhile" in ran.err


# ---------------------------------------------------------------- one file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file"


@pytest.mark.parametrize(
    "before, after", [(None, b"new"), (b"old", b"new"), (b"old", None), (None, None)], ids=str
)
def test_a_file_is_set_where_it_holds_what_was_looked_at(
    file: Path, before: bytes | None, after: bytes | None
) -> None:
    if before is not None:
        file.write_bytes(before)
        file.chmod(0o640)

    done = compare_and_set(file, look(file), after)

    assert done
    assert (look(file) or Held(0, b"")).data == (after or b"")
    assert file.exists() is (after is not None)
    assert before is None or after is None or stat.S_IMODE(file.stat().st_mode) == 0o640
    assert [path.name for path in file.parent.iterdir()] == (["file"] if after is not None else [])


@pytest.mark.parametrize("before, after", [(None, b"new"), (b"old", b"new"), (b"old", None)], ids=str)
@pytest.mark.parametrize("how", ["renamed", "in place", "deleted"])
def test_a_file_that_changes_at_any_step_is_kept(
    file: Path, before: bytes | None, after: bytes | None, how: str
) -> None:
    def change() -> None:
        if how == "deleted":
            file.unlink(missing_ok=True)
        else:
            save(file, b"typed", in_place=how == "in place")

    for step in itertools.count():
        file.unlink(missing_ok=True)
        if before is not None:
            file.write_bytes(before)
        held = look(file)
        with meanwhile(file.parent, change, at=step) as hook:
            done = compare_and_set(file, held, after)
        if hook.steps <= step:
            break
        if how != "deleted":
            assert look(file) == Held(stat.S_IFREG, b"typed")
        elif before is None:
            assert done or look(file) is None
        else:
            assert look(file) is None
        assert {path.name for path in file.parent.iterdir()} <= {"file"}
    assert step > 2
