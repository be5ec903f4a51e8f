"""One workflow's difference between two sides, told in words or line by line when asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gitsync.render.text import unified
from gitsync.render.words import describe, explain
from gitsync.sync.plan import Entry
from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.diff import WorkflowDelta, compare_documents
from gitsync.workflow.types import Document

MASKED: Final = "`<secret N>` stands for a secret in plain text; `gitsync validate --explain SECRETS` says how to keep one"
"""What is said where a difference has stand-ins."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One way from a document to another; ``name`` is the side that went it, where there are two.

    sides: what the diff calls the two.
    """

    name: str
    before: Document | None
    after: Document | None
    sides: tuple[str, str]

    @property
    def delta(self) -> WorkflowDelta:
        """What changed on the way."""
        return compare_documents(self.before, self.after)


@dataclass(frozen=True, slots=True)
class Difference:
    """One workflow's difference: one leg, or two from the base. fault: why there is none to show.

    secrets: how many secrets have a stand-in in the legs' documents.
    """

    entry: Entry
    legs: tuple[Leg, ...]
    fault: str = ""
    secrets: int = 0

    @property
    def words(self) -> str:
        """One line."""
        return self.fault or "; ".join(_named(leg, describe(leg.delta)) for leg in self.legs)

    @property
    def is_whole(self) -> bool:
        """Whether one side has nothing, so that line by line there is only the other."""
        return any(None in (leg.before, leg.after) for leg in self.legs)

    @property
    def lines(self) -> tuple[str, ...]:
        """The unified diff of each leg."""
        return tuple(line for leg in self.legs for line in _diff(leg))

    def explain(self) -> Iterator[str]:
        """Several lines of words, details indented, names between back-ticks."""
        if self.fault:
            yield self.fault
        for leg in self.legs:
            yield from (_named(leg, line) for line in explain(leg.delta))


def _named(leg: Leg, text: str) -> str:
    return f"{leg.name}: {text}" if leg.name and not text.startswith(" ") else text


def _diff(leg: Leg) -> Iterator[str]:
    before, after = (b"" if held is None else canonical_bytes(held) for held in (leg.before, leg.after))
    return unified(before, after, names=leg.sides)
