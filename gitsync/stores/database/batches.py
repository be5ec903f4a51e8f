"""Work in batches, so that memory stays flat however much there is."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, suppress
from itertools import islice
from queue import Empty, Queue
from typing import Any, Final, TypeVar

from sqlalchemy import Result

BATCH: Final = 500
"""Rows that are fetched or sent at once; more is no faster and holds more memory."""

DOCUMENTS: Final = 100
"""Workflows that are held at once: parsed, one takes six times its bytes, and two batches live at a time."""

_T = TypeVar("_T")


def in_batches(items: Iterable[_T], size: int = DOCUMENTS) -> Iterator[list[_T]]:
    """`items` in lists of `size`, the last one shorter."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def iter_rows(result: Result[Any]) -> Iterator[Any]:
    """The rows of `result`, taken from the driver a thousand at a time: one by one costs more than the query."""
    for rows in result.partitions(1_000):
        yield from rows


def read_ahead(items: Generator[_T], size: int) -> Generator[_T]:
    """`items`, made by a thread in lists of `size` while the caller works on the one before.

    For what waits for a server or another process: the waiting costs nothing then. Two lists are held besides
    the caller's. Nobody else may use what `items` uses until the generator ends; it is closed with this one.
    """
    made: Queue[list[_T] | BaseException] = Queue(maxsize=1)
    is_wanted = True

    def make() -> None:
        try:
            with closing(items):
                for batch in in_batches(items, size):
                    if not is_wanted:
                        return
                    made.put(batch)
            made.put([])
        except BaseException as error:  # noqa: BLE001 - it is raised where the items are used
            made.put(error)

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        while batch := made.get():
            if isinstance(batch, BaseException):
                raise batch
            yield from batch
    finally:
        is_wanted = False
        while thread.is_alive():
            _drain(made)
            thread.join(timeout=0.05)


def _drain(queue: Queue[_T]) -> None:
    """Make room, so that a thread that wants to put something goes on, and ends."""
    with suppress(Empty):
        queue.get_nowait()
