"""How much a run may change; apart from the plan, since reading a configuration needs no more than this."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of the target one plan may overwrite or delete.

    overwrite, delete: shares of what exists, 0 to 1. max_…: an exact number from the command line instead.
    """

    overwrite: float = 0.3
    delete: float = 0.3
    max_overwrites: int | None = None
    max_deletes: int | None = None
