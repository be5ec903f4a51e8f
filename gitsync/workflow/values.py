"""Comparing two JSON values, member by member."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from gitsync.workflow.types import Json


class Missing:
    """Stands for no value at all, which JSON's null is not."""

    def __repr__(self) -> str:
        return "MISSING"

    def __reduce__(self) -> str:
        return "MISSING"  # the one of whichever process reads it, and the same one in a copy


MISSING: Final = Missing()
Value: TypeAlias = "Json | Missing"


@dataclass(frozen=True, slots=True)
class ValueDelta:
    """One value that changed; ``path`` such as ``config.inputMapping.body``."""

    path: str
    before: Value
    after: Value


def iter_values(before: Value, after: Value, path: str = "") -> Iterator[ValueDelta]:
    """Each value that differs, objects member by member, arrays as a whole; sorted by path."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            inner = f"{path}.{name}" if path else name
            yield from iter_values(before.get(name, MISSING), after.get(name, MISSING), inner)
    elif not is_equal(before, after):
        yield ValueDelta(path, before, after)


def is_equal(before: Value, after: Value) -> bool:
    """Whether two JSON values are the same; Python takes ``true`` for 1."""
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(is_equal(before[name], after[name]) for name in before)
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(is_equal, before, after))
    return isinstance(before, bool) is isinstance(after, bool) and before == after
