"""A workflow's file in a subfolder: every command names it, and nothing is deleted because of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.documents import make_file
from tests.support.loop import Loop, gitsync, make_loop

CODE = "FILE_OUT_OF_PLACE"
FILE = "workflows/billing/b.json"


@pytest.fixture
def moved(either: Loop) -> Loop:
    """Two workflows in step, of which one was then moved to a subfolder and committed."""
    either.commit(a="A", b="B")
    either.push()
    move(either)
    either.repository.commit("Tidy up")
    return either


def move(loop: Loop) -> None:
    (loop.folder / FILE).parent.mkdir()
    loop.path("b").rename(loop.folder / FILE)


@pytest.mark.parametrize("options", [(), ("--update",), ("--force",)])
def test_a_push_without_prune_names_it_and_goes_on(moved: Loop, options: tuple[str, ...]) -> None:
    moved.commit(a="A2", c="C")

    ran = moved.gitsync("push", *(options or ("--skip-conflicts",)))

    assert f"warning: {FILE}: this workflow lies in a subfolder" in ran.err
    assert moved.editor.text("b") == "B"
    assert moved.editor.text("c") == "C"


@pytest.mark.parametrize("select", [(), ("b",)])
def test_prune_refuses_in_both_directions(moved: Loop, select: tuple[str, ...]) -> None:
    for verb in (("push", "--update"), ("pull",), ("pull", "--branch", "drift")):
        ran = moved.gitsync(*verb, "--prune", "-o", "json", *select)

        assert (ran.code, ran.json["code"]) == (6, CODE), ran.err
        assert ran.json["cure"].startswith(f"`mv -n {FILE} workflows/b.json`")
    planned = moved.gitsync("plan", "--prune", "-o", "json", *select)
    assert planned.json["wouldFail"]["code"] == CODE
    assert moved.editor.texts() == {"a": "A", "b": "B"}


def test_the_cure_is_all_that_it_takes(moved: Loop) -> None:
    (moved.folder / FILE).rename(moved.path("b"))
    moved.repository.commit("Move back")

    assert moved.push("--prune").changes == {}
    assert moved.states() == {"a": "in-sync", "b": "in-sync"}


def test_the_cure_is_typed_where_the_command_runs(tmp_path: Path) -> None:
    loop = make_loop(tmp_path, prefix="flows")
    loop.commit(a="A", b="B")
    loop.push()
    move(loop)
    loop.repository.commit("Tidy up")

    for words in (["push", "--prune"], ["status"], ["validate"]):
        ran = loop.gitsync(*words)
        assert f"`mv -n {FILE} workflows/b.json`" in ran.out + ran.err, words
        assert f"flows/{FILE}: " in ran.err or f"{FILE}: " in ran.out


@pytest.mark.parametrize("is_tracked", [False, True], ids=["untracked", "uncommitted"])
def test_what_is_not_committed_counts_as_well(loop: Loop, is_tracked: bool) -> None:
    loop.commit(a="A", b="B")
    loop.push()
    loop.commit(b=None)
    if is_tracked:
        loop.write_file("b", "B")
        loop.repository.git("add", "-A")
        move(loop)
    else:
        loop.repository.write(FILE, make_file("b", "B"))

    for verb in ("push", "pull"):
        ran = loop.gitsync(verb, "--prune")
        assert ran.code == 6
        assert CODE in ran.err
    elsewhere = loop.gitsync("push", "--prune", "--ref", loop.repository.head)
    assert elsewhere.code == 0, elsewhere.err


def test_every_command_that_reads_the_repository_names_it(moved: Loop) -> None:
    bundle = ["--out", str(moved.repository.home / "bundle.json")]
    for words, code in [
        (["status"], 0),
        (["status", "-o", "markdown"], 0),
        (["status", "-o", "json"], 0),
        (["diff"], 0),
        (["plan"], 0),
        (["plan", "-o", "json"], 0),
        (["plan", "-o", "markdown"], 0),
        (["push"], 0),
        (["pull"], 0),
        (["pull", "-o", "json"], 0),
        (["pull", "--branch", "drift"], 0),
        (["validate"], 4),
        (["validate", FILE], 4),
        (["validate", "workflows"], 4),
        (["validate", "--staged", FILE], 4),
        (["fmt", "--check"], 4),
        (["fmt", "--check", FILE], 4),
        (["export", "--all", "--from-repo", *bundle], 4),
        (["export", "a", "--from-repo", *bundle], 0),
        (["bundle", "join", *bundle], 4),
        (["bundle", "join", "a", *bundle], 0),
        (["doctor"], 1),
    ]:
        where = [str(moved.folder / word) if word.startswith("workflows") else word for word in words]
        ran = moved.gitsync(*where)

        assert ran.code == code, (words, ran.out, ran.err)
        said = (ran.out + ran.err).replace("\\", "")
        assert FILE in said or str(moved.folder / FILE) in said, words


def test_other_files_in_subfolders_are_nobodys_business(loop: Loop) -> None:
    loop.commit(a="A", b="B")
    loop.push()
    loop.commit(b=None)
    loop.repository.write("workflows/sub/package.json", '{"format": "other", "gitsync.workflow": 1}')
    loop.repository.write("workflows/sub/notes.txt", make_file("b", "B"))
    loop.repository.write("workflows/own/gitsync.yaml", "version: 1\n")
    loop.repository.write("workflows/own/workflows/b.json", make_file("b", "B"))
    loop.repository.commit("Other files")

    ran = loop.push("--prune")

    assert ran.changes == {"b": "delete"}
    assert CODE not in ran.err
    assert gitsync("-C", str(loop.folder), "validate").code == 0


@pytest.mark.parametrize(
    "data",
    [
        b'<<<<<<< HEAD\n{"format" : "gitsync.workflow"',
        make_file("b", "B").replace(b'"gitsync.workflow"', b'"\\u0067itsync.workflow"'),
        make_file("b", "B").replace(b"\n", b"\r\n"),
    ],
    ids=["with conflict markers", "with escapes", "in another form"],
)
def test_a_workflow_that_is_hard_to_read_is_one(loop: Loop, data: bytes) -> None:
    loop.repository.write(FILE, data)

    ran = gitsync("-C", str(loop.folder), "validate", "-o", "json")

    assert [problem["rule"] for problem in ran.json["problems"]] == [CODE]


def test_two_files_for_one_place_are_never_made_one(moved: Loop) -> None:
    moved.commit(b="B2")

    ran = gitsync("-C", str(moved.folder), "validate", "-o", "json")

    problem = ran.json["problems"][0]
    assert "workflows/b.json is there as well" in problem["message"]
    assert problem["cure"] == "keep one of the two"


def test_a_bare_repository_names_what_its_commit_has(moved: Loop) -> None:
    bare = moved.repository.home.parent / "bare.git"
    moved.repository.git("clone", "-q", "--bare", str(moved.repository.path), str(bare))

    ran = gitsync("-C", str(bare), "-e", "dev", "export", "--all", "--from-repo", "-o", "json")

    assert ran.code == 4
    assert json.loads(ran.out)["code"] == CODE
