"""Work in batches, so that memory stays flat however much there is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

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
