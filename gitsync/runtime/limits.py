"""Ends a run from outside where it would not end by itself: in a Python action, a pattern, or by filling the memory."""

from __future__ import annotations

import contextlib
import resource
import signal
from collections.abc import Iterator
from typing import Final

from gitsync.errors import InvalidInput

MEMORY: Final = 1024**3
"""Bytes of address space that a run may add."""
_GRACE: Final = 2.0
"""Seconds that a run may take beyond its budget, which only what the interpreter calls does."""


class Stopped(InvalidInput):
    """A run was stopped from outside."""

    code = "RUN_STOPPED"


class _TookTooLong(BaseException):
    """Raised by the alarm, whatever the run is doing; no `except Exception` of a Python action stops it."""


@contextlib.contextmanager
def held(seconds: float) -> Iterator[None]:
    """Let what is inside have so many seconds, and so much memory; in the main thread only.

    Raises Stopped where it would take more.
    """
    try:
        with _alarm(seconds + _GRACE):
            yield
    except _TookTooLong:
        reason = f"the run took longer than {seconds:g} seconds"
    except MemoryError:
        reason = "the run used too much memory"
    else:
        return
    raise Stopped(f"{reason}; it was stopped", cure="answer for what is slow by a stub: `--stubs FILE`")


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    def stop(_signal: int, _frame: object) -> None:
        raise _TookTooLong

    limits = resource.getrlimit(resource.RLIMIT_AS)
    try:
        before = signal.signal(signal.SIGALRM, stop)
    except ValueError:  # not the main thread: the interpreter's own budget has to do
        yield
        return
    most = _address_space() + MEMORY
    if limits[1] == resource.RLIM_INFINITY or most < limits[1]:
        resource.setrlimit(resource.RLIMIT_AS, (most, limits[1]))
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, limits)


def _address_space() -> int:
    """Bytes of address space that this process has; a guess where the system doesn't say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - read for each run
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return MEMORY
