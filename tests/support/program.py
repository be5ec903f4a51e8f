"""gitsync in a process of its own, to be killed, interrupted, or run as another user."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.support.git import git_environment
from tests.support.loop import Loop, Ran

PATIENCE = 120
"""Seconds after which a program that should have ended is a fault of its own."""


@dataclass(slots=True)
class Program:
    """A running gitsync, alone in its process group, so that its git processes can be told from the tests' own."""

    process: subprocess.Popen[str]
    told: str = ""

    def wait_for_target(self) -> None:
        """Wait until it has named its target, the first thing that it says: what is imported is imported then."""
        assert self.process.stderr is not None
        self.told = self.process.stderr.readline()

    def end(self) -> Ran:
        """What it left behind, when it has ended and its git processes have."""
        out, err = self.process.communicate(timeout=PATIENCE)
        deadline = time.monotonic() + PATIENCE
        while _is_alive(self.process.pid):
            assert time.monotonic() < deadline, "its git processes do not end"
            time.sleep(0.002)
        return Ran(self.process.returncode, out, self.told + err)

    def send(self, number: signal.Signals, *, to_group: bool = False) -> None:
        """Send a signal to it, or to its git processes as well, as a terminal does."""
        if to_group:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)


def start_program(
    loop: Loop, arguments: Sequence[str], variables: Mapping[str, str] | None = None, **how: Any
) -> Program:
    """``gitsync --yes ARGUMENTS`` in the loop's folder, begun; `how` goes to Popen."""
    new = ["--new-tenant"] if loop.editor.tenant and arguments[0] in {"push", "plan"} else []
    process = subprocess.Popen(
        [sys.executable, "-m", "gitsync", "--yes", *arguments, *new],
        cwd=loop.folder,
        # a limit on the size of files, or a kill, would leave half of a module's compiled form to all later runs
        env=git_environment(loop.repository.home, PYTHONDONTWRITEBYTECODE="1", **(variables or {})),
        **{
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
            "start_new_session": True,
            **how,
        },
    )
    return Program(process)


def run_program(loop: Loop, *arguments: str, variables: Mapping[str, str] | None = None, **how: Any) -> Ran:
    """``gitsync --yes ARGUMENTS`` in a process of its own, run to its end."""
    ran = start_program(loop, arguments, variables, **how).end()
    assert "Traceback" not in ran.err
    return ran


@dataclass(slots=True)
class Interruption:
    """Sends a signal to gitsync at a random moment of its work, which lasts about `seconds`."""

    signal: signal.Signals
    random: Random
    seconds: float

    def run(self, loop: Loop, *arguments: str, to_group: bool = False) -> Ran:
        """What the command left behind, ended by the signal or by itself, whichever came first."""
        program = start_program(loop, arguments)
        program.wait_for_target()
        time.sleep(self.random.uniform(0, self.seconds))
        if program.process.poll() is None:
            program.send(self.signal, to_group=to_group)
        return program.end()


def measure(loop: Loop, *arguments: str) -> float:
    """Seconds that a command works after it has named its target; it must succeed."""
    program = start_program(loop, arguments)
    program.wait_for_target()
    start = time.monotonic()
    ran = program.end()
    assert ran.code == 0, ran.err
    return time.monotonic() - start


def wait_until_alone(loop: Loop) -> None:
    """Wait until no session of a process that is gone is left: a server notices a little later."""
    deadline = time.monotonic() + PATIENCE
    while loop.editor.connections():
        assert time.monotonic() < deadline, "a session of a dead process stays"
        time.sleep(0.002)


def _is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
