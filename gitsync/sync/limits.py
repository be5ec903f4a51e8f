"""How much a run may change; apart from the plan, since reading a configuration needs no more than this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LARGEST: Final = 16 * 1024 * 1024
"""Bytes of a file, where nothing else is configured: what is larger may take minutes to judge."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of the target one plan may overwrite or delete, and how large a file may be.

    overwrite, delete: shares of what exists, 0 to 1. max_…: an exact number from the command line instead.
    file: bytes.
    """

    overwrite: float = 0.3
    delete: float = 0.3
    file: int = LARGEST
    max_overwrites: int | None = None
    max_deletes: int | None = None
