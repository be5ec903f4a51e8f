"""Which steps and branches of a definition a set of runs reached."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gitsync.runtime.start import choose_definition
from gitsync.workflow.types import Document, Json, Key

_BRANCHES: Final[Mapping[str, tuple[str, ...]]] = {
    "control.if": ("then", "else"),
    "control.forEach": ("body",),
    "control.tryCatch": ("try", "catch"),
}
_ALWAYS: Final = frozenset({"try"})
"""Branches that are reached with their step, and count for nothing of their own."""

Point = tuple[str, str, str]
"""Workflow key, version, and the path of a step or a branch."""


@dataclass(frozen=True, slots=True)
class CoverageItem:
    """One thing that a run can reach: a step, or a branch of one (``then``, ``else``, ``body``, ``catch``)."""

    path: str
    step_id: str
    branch: str | None = None

    def describe(self) -> str:
        """Such as ``the else of approved``."""
        return f"the {self.branch} of {self.step_id}" if self.branch else f"the step {self.step_id}"


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was reached of one version of one workflow; missed in document order."""

    workflow: Key
    version: str
    total: int
    missed: tuple[CoverageItem, ...]

    @property
    def reached(self) -> int:
        """How many places were reached."""
        return self.total - len(self.missed)

    @property
    def share(self) -> float:
        """0 to 1; a workflow without steps is covered."""
        return 1.0 if not self.total else self.reached / self.total

    def as_json(self) -> dict[str, Any]:
        """The coverage in a result's JSON."""
        return {
            "workflow": self.workflow,
            "version": self.version,
            "reached": self.reached,
            "total": self.total,
            "missed": [
                {"stepPath": place.path, "stepId": place.step_id, "branch": place.branch}
                for place in self.missed
            ],
        }


def iter_items(definition: Json) -> Iterator[CoverageItem]:
    """Every step and branch of a definition, in document order; an else that isn't there is a branch too."""
    steps = definition.get("steps") if isinstance(definition, dict) else None
    stack: list[tuple[Any, str]] = [(steps, "root")]
    while stack:
        item, path = stack.pop()
        if isinstance(item, CoverageItem):
            yield item
        elif isinstance(item, list):
            stack.extend((item[index], f"{path}.steps[{index}]") for index in reversed(range(len(item))))
        elif isinstance(item, dict) and isinstance(item.get("type"), str):
            step_id = str(item.get("id"))
            yield CoverageItem(path, step_id)
            for branch in reversed(_BRANCHES.get(item["type"], ())):
                where = f"{path}.{branch}"
                stack.append((item.get(branch), where))
                if branch not in _ALWAYS:
                    stack.append((CoverageItem(where, step_id, branch), where))


def cover(document: Document, version: int | str | None, reached: Collection[Point]) -> Coverage:
    """What `reached` has of one version of a document."""
    chosen = choose_definition(document, version)
    key = Key(str(document["key"]))
    places = tuple(iter_items(chosen.definition))
    missed = tuple(place for place in places if (key, chosen.label, place.path) not in reached)
    return Coverage(key, chosen.label, len(places), missed)


def share_of(covered: Iterable[Coverage]) -> float:
    """The share of all places together, 0 to 1; 1 where there are none."""
    total = reached = 0
    for item in covered:
        total += item.total
        reached += item.reached
    return 1.0 if not total else reached / total


def percent(share: float) -> str:
    """Return the share as text of four characters, rounded down: 100 % is all."""
    return f"{int(share * 100 + 1e-9):3}%"
