"""``--staged``: what the commit will hold is judged and formatted, however a hook is made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gitsync.workflow.canonical import canonical_bytes
from tests.support.documents import document, make_file
from tests.support.git import TestRepository, git_environment
from tests.support.loop import Ran, gitsync

CALL = {"id": "c", "type": "control.callWorkflow", "workflowId": "key:a", "workflowVersion": 1}


@pytest.fixture
def flows(repository: TestRepository) -> TestRepository:
    """A repository with a project in `flows`: `a`, and `b` that calls it."""
    repository.write("flows/gitsync.yaml", "version: 1\n")
    repository.write("flows/workflows/a.json", make_file("a", "A", versions=[1]))
    repository.write("flows/workflows/b.json", canonical_bytes(document("b", CALL)))
    repository.commit("Begin")
    return repository


def validate(flows: TestRepository, *names: str, folder: str = "") -> Ran:
    return gitsync("-C", str(flows.path / folder), "validate", "--staged", *names)


def test_a_hook_of_one_s_own_stops_a_broken_file(flows: TestRepository) -> None:
    hook = flows.path / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gitsync validate --staged\n')
    hook.chmod(0o755)
    flows.write("flows/workflows/a.json", "{ broken\n")

    for words in (["commit", "-q", "-a", "-m", "x"], ["commit", "-q", "-m", "x", "flows/workflows/a.json"]):
        done = subprocess.run(
            ["git", *words],
            cwd=flows.path,
            env=git_environment(flows.home),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "flows/workflows/a.json:1:3: error:" in done.stdout + done.stderr


@pytest.mark.parametrize("names", [(), ("flows/workflows/a.json",)], ids=["all", "named"])
@pytest.mark.parametrize("folder", ["", "flows"])
def test_the_content_of_the_index_counts(flows: TestRepository, names: tuple[str, ...], folder: str) -> None:
    file = flows.path / "flows" / "workflows" / "a.json"
    where = [os.path.relpath(name, folder or ".") for name in names]
    good = file.read_bytes()
    file.write_text("{ broken\n")
    flows.git("add", "-A")
    file.write_bytes(good)

    broken = validate(flows, *where, folder=folder)
    flows.git("add", "-A")
    file.write_text("{ broken\n")
    sound = validate(flows, *where, folder=folder)

    assert broken.code == 4
    assert "{ broken" in broken.out  # the line, which the disk no longer has
    assert sound.code == 0, sound.out


def test_nothing_staged_says_so(flows: TestRepository) -> None:
    flows.write("flows/workflows/a.json", "{ broken\n")

    nothing = validate(flows)
    flows.write("package.json", "{}")
    flows.git("add", "package.json")
    foreign = validate(flows)

    assert (nothing.code, foreign.code) == (0, 0)
    assert "nothing is staged\n" in nothing.err
    assert "nothing is staged that is gitsync's" in foreign.err


def test_what_is_staged_beside_it_counts(flows: TestRepository) -> None:
    """The callee is staged and its file gone from the disk; the configuration differs on disk."""
    flows.write("flows/workflows/new.json", make_file("new", "N", versions=[1]))
    flows.write("flows/workflows/b.json", canonical_bytes(document("b", {**CALL, "workflowId": "key:new"})))
    flows.git("add", "-A")
    (flows.path / "flows" / "workflows" / "new.json").unlink()
    flows.write("flows/gitsync.yaml", "version: 2\n")

    assert validate(flows).code == 0, validate(flows).out


def test_a_callee_that_is_only_on_disk_is_not_in_the_commit(flows: TestRepository) -> None:
    flows.write("flows/workflows/new.json", make_file("new", "N", versions=[1]))
    flows.write("flows/workflows/b.json", canonical_bytes(document("b", {**CALL, "workflowId": "key:new"})))
    flows.git("add", "flows/workflows/b.json")

    ran = validate(flows)

    assert ran.code == 4
    assert "there is no workflow key:new" in ran.out


def test_what_still_calls_a_deleted_workflow_is_named(flows: TestRepository) -> None:
    flows.git("rm", "-q", "flows/workflows/a.json")

    ran = validate(flows)

    assert ran.code == 4
    assert "flows/workflows/b.json" in ran.out


def test_a_staged_configuration_judges_everything(flows: TestRepository) -> None:
    flows.write("flows/gitsync.yaml", "version: 1\nregistry: registry.yaml\n")
    flows.write("flows/registry.yaml", "actions: []\nnodeTypes: []\nschemaRefs: []\n")
    flows.write("flows/tests/a.yaml", "workflow: [")
    flows.git("add", "-A")
    (flows.path / "flows" / "registry.yaml").unlink()

    ran = validate(flows)

    assert ran.code == 4
    assert "the runtime does not offer" in ran.out
    assert "flows/tests/a.yaml" in ran.out


def test_a_file_staged_out_of_its_place_is_named(flows: TestRepository) -> None:
    flows.write("flows/workflows/sub/c.json", make_file("c", "C"))
    unstaged = validate(flows)
    flows.git("add", "-A")

    staged = validate(flows)

    assert unstaged.code == 0
    assert (staged.code, "FILE_OUT_OF_PLACE" in staged.out) == (4, True)


def test_a_link_is_judged_as_what_it_is(flows: TestRepository, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2")
    file = flows.path / "flows" / "workflows" / "a.json"
    file.unlink()
    file.symlink_to(tmp_path / "secret")
    flows.git("add", "-A")

    ran = validate(flows)

    assert ran.code == 4
    assert "INVALID_FILE" in ran.out
    assert "hunter2" not in ran.out


def test_outside_of_a_repository_it_says_so(tmp_path: Path) -> None:
    ran = gitsync("-C", str(tmp_path), "validate", "--staged")

    assert ran.code == 1
    assert "[NOT_A_REPOSITORY]" in ran.err


def test_fmt_takes_what_is_staged_and_stops_the_commit_for_it(flows: TestRepository) -> None:
    for key in ("a", "b"):
        file = flows.path / "flows" / "workflows" / f"{key}.json"
        file.write_bytes(file.read_bytes().replace(b"  ", b"\t"))
    flows.git("add", "flows/workflows/a.json")

    changed = gitsync("-C", str(flows.path), "fmt", "--staged")
    flows.git("add", "flows/workflows/a.json")
    settled = gitsync("-C", str(flows.path), "fmt", "--staged")

    assert (changed.code, changed.out) == (1, "reformatted flows/workflows/a.json\n")
    assert (settled.code, settled.out) == (0, "")
    assert "\t" in (flows.path / "flows" / "workflows" / "b.json").read_text()


def test_in_a_work_tree_of_its_own_its_own_index_counts(flows: TestRepository, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    flows.git("worktree", "add", "-q", str(linked))
    (linked / "flows" / "workflows" / "a.json").write_text("{ broken\n")
    flows.git("-C", str(linked), "add", "-A")

    assert gitsync("-C", str(linked), "validate", "--staged").code == 4
    assert "nothing is staged" in validate(flows).err
