from __future__ import annotations

import subprocess
import sys

import pytest

from gitsync.commands.workers import map_chunks

MANY = """
import os
from gitsync.commands.workers import map_chunks
things = list(range(2_500))
parts = list(map_chunks(lambda part: (os.getpid(), part), things))
assert [thing for _, part in parts for thing in part] == things
print(len({pid for pid, _ in parts} - {os.getpid()}), len(os.sched_getaffinity(0)))
"""
FAILING = """
from gitsync.commands.workers import map_chunks
def work(part):
    if 1_700 in part:
        raise LookupError("part")
    return part
try:
    print(sum(len(part) for part in map_chunks(work, range(2_500))))
except LookupError as error:
    print("raised", error)
"""
HELD = """
import signal
from gitsync.commands.workers import map_chunks
def held(_):
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
print(set(map_chunks(held, range(2_500))), held(0))
"""


def run(program: str) -> str:
    """In a process of its own: one with threads, as a test's may be, should not be forked."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("count", [0, 1, 199, 200, 201, 999])
def test_few_things_are_done_here_and_in_order(count: int) -> None:
    assert [thing for part in map_chunks(list, range(count)) for thing in part] == list(range(count))


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")
def test_many_things_are_done_by_other_processes_and_in_order() -> None:
    others, processors = map(int, run(MANY).split())

    assert others >= 1 if processors > 1 else others == 0


def test_an_error_in_a_part_comes_out() -> None:
    assert run(FAILING) == "raised part"


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")
def test_the_other_processes_leave_ctrl_c_to_this_one_from_the_first_moment() -> None:
    if run(MANY).endswith(" 1"):
        pytest.skip("there is one processor")
    assert run(HELD) == "{True} False"
