"""What the heavy tests have tried, counted: printed at the end of a run, and whether anything was lost.

Each process of a run counts for itself; `tests.conftest` adds up what the workers of pytest-xdist have counted.
"""

from __future__ import annotations

import functools
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

LOST: Final = "lost"
KINDS: Final = {
    "histories": "random histories of people, gitsync, restored backups and lost ledgers",
    "kills": "processes ended by `kill -9` at a random moment",
    "faults": "statements, connections, disks and objects made to fail, one at a time",
    "interrupts": "runs ended by Ctrl-C",
    "saves": "files saved, and commits made by others, while gitsync wrote",
    "inputs": "hostile inputs read",
    "secrets": "command lines searched for a password",
    "writers": "programs and people that wrote at once",
    "writes": "writes of theirs, each found in one serial order",
    "requests": "requests to a server under stress",
    "looks": "looks at a database with a cache of digests, each compared with a look without",
    "examples": "made-up documents, edits, rules and runs, each held against a law",
}
"""What is counted, in the order in which it is printed, and what one of it is."""


@dataclass(slots=True)
class Told:
    """What pytest has told of a kind's tests: their outcomes, and how long they took together."""

    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


_counted: Final[Counter[str]] = Counter()
_lock: Final = threading.Lock()
_told: Final[defaultdict[str, Told]] = defaultdict(Told)


def count(kind: str, number: int = 1) -> None:
    """Add to a figure of `KINDS`."""
    assert kind in KINDS, kind
    with _lock:  # a test may have several threads
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


def count_calls(test: Any, kind: str) -> None:
    """Count each example that a property test of hypothesis is called with."""
    inner = test.hypothesis.inner_test
    if hasattr(inner, "__wrapped__"):
        return  # counted already: all parameters of a test share one handle

    @functools.wraps(inner)
    def counting(*arguments: Any, **named: Any) -> Any:
        count(kind)
        return inner(*arguments, **named)

    test.hypothesis.inner_test = counting


def counted() -> dict[str, int]:
    """What this process has counted."""
    return dict(_counted)


def add(figures: Mapping[str, int]) -> None:
    """Take in what another process has counted."""
    _counted.update(figures)


def note(kind: str, outcome: str, seconds: float) -> None:
    """Add what pytest tells of a test of a kind, or of a part of it, which has no outcome of its own."""
    _told[kind].seconds += seconds
    if outcome:
        _told[kind].outcomes[outcome] += 1


def lines() -> list[str]:
    """The figures as a table of Markdown; empty where nothing was tried."""
    if not any(_counted[kind] for kind in KINDS):
        return []
    lines = ["| figure | tried | tests | skipped | failed | minutes |", "|---|---:|---:|---:|---:|---:|"]
    for kind in KINDS:
        told = _told.get(kind, Told())
        by_outcome = [told.outcomes.total(), told.outcomes["skipped"], told.outcomes["failed"]]
        columns = ["", "", "", ""] if kind not in _told else [*by_outcome, f"{told.seconds / 60:.1f}"]
        if _counted[kind] or kind in _told:
            lines.append(f"| {' | '.join(map(str, [kind, f'{_counted[kind]:,}', *columns]))} |")
    return [*lines, f"| {LOST} | {_counted[LOST]:,} | | | | |"]
