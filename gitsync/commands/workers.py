"""Work on many things by all processors, where forking a process is cheap and safe."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_WORTH_IT: Final = 1_000
"""Fewer things are done before other processes have begun."""
_CHUNK: Final = 200
_MOST: Final = 8

_shared: list[Any] = []
"""What the processes inherit: the work, and the things to work on."""


def map_chunks(work: Callable[[Sequence[T]], R], things: Sequence[T]) -> Iterator[R]:
    """Yield what `work` gives for one part of `things` after the other, in their order.

    What it gives must be picklable where there are many things; it and the things themselves need not be.
    """
    chunks = [things[start : start + _CHUNK] for start in range(0, len(things), _CHUNK)]
    processes = min(_processors(), len(chunks), _MOST)
    if len(things) < _WORTH_IT or processes < 2 or sys.platform != "linux":
        yield from map(work, chunks)
        return
    import signal
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    _shared[:] = [work, chunks]
    pool = ProcessPoolExecutor(processes, mp_context=get_context("fork"))
    try:
        # The processes inherit that Ctrl-C waits: this one hears it afterwards, and ends them.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            results = pool.map(_run, range(len(chunks)))
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        yield from results
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        _shared.clear()


def _processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _run(number: int) -> Any:
    work, chunks = _shared
    return work(chunks[number])
