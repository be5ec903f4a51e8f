"""How hard a heavy test tries: a short form in ``make test``; in ``make fuzz`` until its share of the time is over.

Each kind of `tests.support.figures` gets the same share of GITSYNC_TEST_MINUTES, each test of a kind the same part of
it. A test that makes no rounds is run once, and one that begins when its kind's time is over is skipped.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import Final, TypeVar

T = TypeVar("T")

MINUTES: Final = float(os.environ.get("GITSYNC_TEST_MINUTES") or 0)
IS_FUZZING: Final = MINUTES > 0


class Shares:
    """The time of a run, dealt out: to each kind the same, to each test of a kind the same part of that."""

    def __init__(self, kinds: Sequence[str], *, end: float) -> None:
        """kinds: those of the tests that this process will run, in their order, which takes one after the other."""
        self._tests = Counter(kinds)
        self._end = end
        self._kind = ""
        self._kind_end = 0.0

    def deal(self, kind: str, now: float) -> float | None:
        """When the test of `kind` that begins now has used its share up; ``None`` where the kind has none left.

        What a kind leaves over goes to those that come after. Its first test is run in any case.
        """
        is_first = kind != self._kind
        if is_first:
            self._kind, self._kind_end = kind, now + max(0.0, self._end - now) / len(self._tests)
        left = self._tests[kind]
        self._tests[kind] -= 1
        if left == 1:
            del self._tests[kind]
        if now >= self._kind_end and not is_first:
            return None
        return now + (self._kind_end - now) / left


_end = 0.0
"""The moment at which the share of the test that runs is over."""


def begin(end: float) -> None:
    """Let the test that begins go on until `end`."""
    global _end  # noqa: PLW0603 (a process runs one test at a time)
    _end = end


def seconds_left() -> float:
    """What is left of the share of the test that runs."""
    return max(0.0, _end - time.monotonic())


def effort(*, short: int, long: int) -> int:
    """`long` in ``make fuzz``, else `short`: for what a test does once, whatever its share."""
    return long if IS_FUZZING else short


def rounds(short: int) -> Iterator[int]:
    """0, 1, 2 …: `short` of them; in ``make fuzz`` at least one, and more until the test's share is over."""
    number = 0
    while number == 0 or (seconds_left() if IS_FUZZING else number < short):
        yield number
        number += 1


def some(items: Iterable[T], *, step: int) -> Iterator[T]:
    """Every `step`-th of `items`; in ``make fuzz`` all of them in any order, until the test's share is over."""
    found: Sequence[T] = list(items)
    if not IS_FUZZING:
        yield from found[::step]
        return
    for number, item in enumerate(chance().sample(found, len(found))):
        if number and not seconds_left():
            return
        yield item


def chance() -> Random:
    """Random numbers: the same ones in each ``make test``, others in each ``make fuzz``.

    Their seed is printed, which pytest shows where the test fails; GITSYNC_TEST_SEED gives it again.
    """
    seed = int(os.environ.get("GITSYNC_TEST_SEED") or (Random().getrandbits(32) if IS_FUZZING else 0))
    sys.stdout.write(f"GITSYNC_TEST_SEED={seed}\n")
    return Random(seed)
