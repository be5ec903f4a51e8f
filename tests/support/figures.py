"""What the heavy tests have tried, counted: printed at the end of a run, and whether anything was lost.

Each process of a run counts for itself; `tests.conftest` adds up what the workers of pytest-xdist have counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

LOST: Final = "lost"
KINDS: Final = {
    "histories": "random histories of people, gitsync, restored backups and lost ledgers",
    "kills": "processes ended by `kill -9` at a random moment",
    "faults": "statements, connections, disks and objects made to fail, one at a time",
    "interrupts": "runs ended by Ctrl-C",
    "saves": "files saved in an editor while gitsync wrote",
    "inputs": "hostile inputs read",
    "secrets": "command lines searched for a password",
    "writers": "programs and people that wrote at once",
    "writes": "writes of theirs, each found in one serial order",
}
"""What is counted, in the order in which it is printed, and what one of it is."""

_counted: Final[Counter[str]] = Counter()


def count(kind: str, number: int = 1) -> None:
    """Add to a figure of `KINDS`."""
    assert kind in KINDS, kind
    _counted[kind] += number


@contextmanager
def tried(kind: str, number: int = 1) -> Iterator[None]:
    """Count what the block tries, and a loss where an assertion of it fails."""
    count(kind, number)
    try:
        yield
    except AssertionError:
        _counted[LOST] += 1
        raise


def counted() -> dict[str, int]:
    """What this process has counted."""
    return dict(_counted)


def add(figures: Mapping[str, int]) -> None:
    """Take in what another process has counted."""
    _counted.update(figures)


def lines() -> list[str]:
    """The figures as they are printed; empty where nothing was tried."""
    rows = [
        f"{_counted[kind]:>9,}  {kind:<10}  {meaning}" for kind, meaning in KINDS.items() if _counted[kind]
    ]
    return [*rows, f"{_counted[LOST]:>9,}  {LOST}"] if rows else []
