"""One workflow's difference: in several lines of words, and line by line."""

from __future__ import annotations

from collections.abc import Iterator

from gitsync.commands.difference import Difference, Leg
from gitsync.render.text import unified
from gitsync.render.words import explain
from gitsync.workflow.canonical import canonical_bytes


def explain_difference(difference: Difference) -> Iterator[str]:
    """Yield lines of words, details indented, names between back-ticks."""
    if difference.fault:
        yield difference.fault
    for leg in difference.legs:
        yield from (_named(leg, line) for line in explain(leg.delta))


def diff_lines(difference: Difference) -> list[str]:
    """Return the unified diff of each leg."""
    return [line for leg in difference.legs for line in _diff(leg)]


def _named(leg: Leg, text: str) -> str:
    return f"{leg.name}: {text}" if leg.name and not text.startswith(" ") else text


def _diff(leg: Leg) -> Iterator[str]:
    before, after = (b"" if side is None else canonical_bytes(side) for side in (leg.before, leg.after))
    return unified(before, after, names=leg.sides)
