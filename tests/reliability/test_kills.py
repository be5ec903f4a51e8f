"""gitsync killed at random moments: the state before or the state after, and the next run just works."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import figures
from tests.support.documents import make_file
from tests.support.effort import chance, rounds
from tests.support.faults import everything
from tests.support.loop import Loop, make_loop
from tests.support.product import TENANT
from tests.support.program import Interruption, measure, wait_until_alone

pytestmark = pytest.mark.fuzz("kills")

KEYS = tuple(f"w{number:02}" for number in range(24))
PUSH = ("push", "--update", "--prune", "--max-overwrites", "99")
PULL = ("pull", "--commit", "--prune")


@pytest.fixture(params=["sqlite", "postgresql"])
def loop(request: pytest.FixtureRequest, tmp_path: Path) -> Loop:
    if request.param == "sqlite":
        return make_loop(tmp_path)
    return make_loop(tmp_path, url=request.getfixturevalue("postgres_database"), tenant=TENANT)


def check_repository(loop: Loop) -> None:
    loop.repository.git("fsck", "--strict", "--no-dangling")
    assert not list((loop.repository.path / ".git").rglob("*.lock")), "a lock of git's was left"


def iter_kills(loop: Loop, command: tuple[str, ...]) -> Iterator[tuple[int, Interruption]]:
    """The number of a run, from 1, and what kills in it; in each round one is killed and doesn't end by itself."""
    random, seconds, numbers = chance(), measure(loop, *command), itertools.count(1)
    for _ in rounds(9):
        before = figures.counted().get("kills", 0)
        for number in itertools.islice(numbers, 50):
            yield number, Interruption(signal.SIGKILL, random, seconds)
            if figures.counted().get("kills", 0) > before:
                break
        else:
            raise AssertionError("it always ends before it is killed")


@pytest.mark.parametrize("verb", ["push", "apply"])
def test_a_killed_push_or_apply_has_written_everything_or_nothing(loop: Loop, verb: str) -> None:
    loop.commit(**dict.fromkeys(KEYS, "0"), extra0="0")
    plan = str(loop.folder.parent / "plan.json")
    command = PUSH if verb == "push" else ("apply", plan)
    for number, killer in iter_kills(loop, PUSH):
        wanted = {**dict.fromkeys(KEYS, str(number)), f"extra{number}": str(number)}
        loop.commit(**wanted, **{f"extra{number - 1}": None})
        url, held, rows = loop.editor.url, loop.editor.texts(), everything(loop.editor.url)

        if verb == "apply":
            planned = loop.gitsync("plan", *PUSH[1:], "--out", plan)
            assert planned.code == 0, planned.err
        ran = killer.run(loop, *command)

        if ran.code != -signal.SIGKILL:
            assert ran.code == 0, ran.err
            continue
        with figures.tried("kills"):
            wait_until_alone(loop)
            found = loop.editor.texts()
            assert found in (held, wanted)
            assert found == wanted or everything(url) == rows, "something was written, and not everything"
            check_repository(loop)
            again = loop.gitsync(*PUSH)
            assert again.code == 0, again.err
            assert loop.editor.texts() == wanted
            assert set(loop.states().values()) == {"in-sync"}


def test_a_killed_pull_leaves_whole_files_and_the_next_one_commits_them_all(loop: Loop) -> None:
    loop.commit(**dict.fromkeys(KEYS[:8], "0"), extra0="0")
    loop.push()
    for number, killer in iter_kills(loop, PULL):
        held = {path.name: path.read_bytes() for path in (loop.folder / "workflows").glob("*.json")}
        wanted = {f"{key}.json": make_file(key, str(number)) for key in (*KEYS[:8], f"extra{number}")}
        for key in KEYS[:8]:
            loop.editor.save(key, str(number))
        loop.editor.create(f"extra{number}", str(number))
        loop.editor.delete(f"extra{number - 1}")
        head, rows = loop.repository.head, loop.editor.dump("workflow_definition")

        ran = killer.run(loop, *PULL)

        if ran.code != -signal.SIGKILL:
            assert ran.code == 0, ran.err
            continue
        with figures.tried("kills"):
            wait_until_alone(loop)
            assert loop.editor.dump("workflow_definition") == rows
            check_repository(loop)
            found = {path.name: path.read_bytes() for path in (loop.folder / "workflows").glob("*.json")}
            for name, content in found.items():
                assert content in (held.get(name), wanted.get(name)), f"{name} is neither old nor new"
            assert found.keys() >= held.keys() & wanted.keys()
            if loop.repository.head != head:
                assert not loop.repository.git("status", "--porcelain")
            again = loop.gitsync(*PULL)
            assert again.code == 0, again.err
            names = loop.repository.git("ls-tree", "-r", "--name-only", "HEAD", "workflows/").split()
            assert {Path(name).name for name in names} == wanted.keys()
            assert not loop.repository.git("status", "--porcelain"), "something was left in the work tree"
            assert set(loop.states().values()) == {"in-sync"}


def test_a_deletion_that_was_staged_and_not_committed_goes_into_the_next_commit(tmp_path: Path) -> None:
    loop = make_loop(tmp_path)
    loop.commit(a="A1", gone="G1")
    loop.push()
    loop.editor.delete("gone")
    loop.editor.save("a", "A2")
    loop.repository.git("rm", "--quiet", "workflows/gone.json")

    loop.pull("--commit", "--prune")

    assert loop.repository.git("ls-tree", "--name-only", "HEAD", "workflows/") == "workflows/a.json"
    assert not loop.repository.git("status", "--porcelain")


def test_what_a_killed_pull_wrote_aside_goes_with_the_next_pull_and_what_a_living_one_wrote_stays(
    tmp_path: Path,
) -> None:
    loop = make_loop(tmp_path)
    loop.editor.save("a", "A1")
    with subprocess.Popen(["true"]) as ended:
        pass
    dead = loop.repository.write(f"workflows/.gitsync-{ended.pid}-1.tmp", "half")
    alive = loop.repository.write(f"workflows/.gitsync-{os.getppid()}-1.tmp", "half")

    loop.pull()

    assert (dead.exists(), alive.exists()) == (False, True)
