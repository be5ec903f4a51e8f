"""Walking the steps of a definition: the one place that knows which blocks hold other steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from gitsync.workflow.types import Json

BRANCHES: Final[Mapping[str, tuple[str, ...]]] = {
    "control.if": ("then", "else"),
    "control.forEach": ("body",),
    "control.tryCatch": ("try", "catch"),
}
"""Step type → its fields that hold steps."""


def iter_steps(definition: Json) -> Iterator[dict[str, Any]]:
    """Every step of `definition`, blocks before what is in them; not in document order.

    Whatever isn't a step by its shape is passed over: definitions are free JSON.
    """
    if not isinstance(definition, dict):
        return
    queue: list[Any] = [definition.get("steps")]
    for steps in queue:  # grows while it is walked
        if type(steps) is not list:
            continue
        for step in steps:
            if type(step) is not dict:
                continue
            kind = step.get("type")
            if type(kind) is not str or not kind:
                continue
            if kind in BRANCHES:
                queue.extend([step.get(branch) for branch in BRANCHES[kind]])
            yield step


def iter_located_steps(definition: Json) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    """Every step with its path inside `definition`, in document order."""
    if not isinstance(definition, dict):
        return
    stack: list[tuple[tuple[str | int, ...], Any]] = [(("steps",), definition.get("steps"))]
    while stack:
        path, item = stack.pop()
        if isinstance(item, list):
            stack.extend(((*path, index), item[index]) for index in reversed(range(len(item))))
            continue
        if not isinstance(item, dict) or not isinstance(path[-1], int):
            continue
        kind = item.get("type")
        if not isinstance(kind, str) or not kind:
            continue
        yield path, item
        stack.extend(((*path, branch), item.get(branch)) for branch in reversed(BRANCHES.get(kind, ())))
