"""Ctrl-C where Python would print a traceback or go on: the process ends with 130, or what was begun is undone."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gitsync.cli.interrupt import EXIT, MESSAGE

BEGIN = """
import os, signal, sys
from gitsync.cli import interrupt
interrupt.heed()
"""
NOTHING_CATCHES = """
signal.raise_signal(signal.SIGINT)
"""
FINALIZER = """
class Closed:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)
interrupt.catch()
Closed()
"""
CAUGHT_TWICE = """
interrupt.catch()
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    signal.raise_signal(signal.SIGINT)
"""
FAILS_AFTERWARDS = """
import gitsync.cli.main
def main(*_, **__):
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt as error:
        raise RuntimeError("a library's own words") from error
gitsync.cli.main.group.main = main
gitsync.cli.main.main(["status"])
"""


def run(program: str, *before: str) -> subprocess.CompletedProcess[str]:
    words = [*before, sys.executable, "-c", BEGIN + program + "print('went on')"]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(NOTHING_CATCHES, id="nothing-catches-it"),
        pytest.param(FINALIZER, id="in-a-finalizer"),
        pytest.param(CAUGHT_TWICE, id="twice"),
        pytest.param(FAILS_AFTERWARDS, id="an-error-that-follows"),
    ],
)
def test_ctrl_c_ends_the_process_with_130_and_one_line(program: str) -> None:
    ran = run(program)

    assert (ran.returncode, ran.stdout, ran.stderr) == (EXIT, "", MESSAGE + "\n")


def test_ctrl_c_is_raised_where_it_is_caught() -> None:
    ran = run("""
interrupt.catch()
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("caught", interrupt.has_come())
""")

    assert (ran.returncode, ran.stdout) == (0, "caught True\nwent on\n")


def test_ctrl_c_after_all_is_done_changes_nothing() -> None:
    ran = run("interrupt.catch(); interrupt.ignore(); signal.raise_signal(signal.SIGINT)\n")

    assert (ran.returncode, ran.stdout) == (0, "went on\n")


def test_ctrl_c_that_whoever_started_it_has_ignored_stays_ignored() -> None:
    ran = run(NOTHING_CATCHES, "sh", "-c", 'trap "" INT; exec "$@"', "sh")

    assert (ran.returncode, ran.stdout) == (0, "went on\n")


def test_ctrl_c_ends_a_forked_worker_without_a_word() -> None:
    ran = run("""
interrupt.catch()
if not (child := os.fork()):
    signal.raise_signal(signal.SIGINT)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""")

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"{EXIT}\nwent on\n", "")


@pytest.mark.parametrize("library", ["sqlalchemy.pool.impl.QueuePool", "psycopg.pq"])
def test_what_a_library_logs_of_a_connection_that_broke_is_not_shown(library: str) -> None:
    ran = run(f"""
import logging
import gitsync.stores.database.connect
logging.getLogger({library!r}).error("Error closing cursor", exc_info=LookupError())
""")

    assert (ran.returncode, ran.stderr) == (0, "")


def test_an_error_that_no_finalizer_may_raise_is_printed_as_ever() -> None:
    ran = run("""
class Closed:
    def __del__(self):
        raise LookupError("of its own")
Closed()
""")

    assert ran.returncode == 0
    assert "LookupError: of its own" in ran.stderr
