"""Run one command and print, as JSON, its exit code, wall-clock seconds and peak MiB.

A small process of its own, run with ``python -I -S``: Linux counts the memory of the process that starts
a program as the program's, so what starts it has to be smaller than what it measures. The peak is that of
the command or of a process that it started, whichever was larger.
"""

from __future__ import annotations

import os
import sys
import time


def main(command: list[str]) -> None:
    """Run `command` with its output dropped."""
    start = time.perf_counter()
    process = os.fork()
    if not process:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.execvp(command[0], command)  # noqa: S606 - measured as it is, without a shell
    _, status, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - start
    code = os.waitstatus_to_exitcode(status)
    print(f'{{"code": {code}, "seconds": {seconds:.6f}, "peak": {usage.ru_maxrss / 1024:.1f}}}')


if __name__ == "__main__":
    main(sys.argv[1:])
