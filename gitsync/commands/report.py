"""What the reports of all commands have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Final, Protocol

from gitsync.commands.context import Context
from gitsync.errors import GitsyncError, Problem, listed, shortened, shortlist
from gitsync.sync.plan import Entry, Plan, unreadable_error
from gitsync.sync.states import State
from gitsync.workflow.json_schema import iter_unchecked
from gitsync.workflow.registry import Registry


class Report(Protocol):
    """What a command did.

    kind: the module of ``gitsync.render`` that draws it.
    """

    kind: ClassVar[str]

    @property
    def notes(self) -> Sequence[str]:
        """What is said on the side after the result."""

    @property
    def error(self) -> GitsyncError | None:
        """What it ends with after all else was done."""

    @property
    def exit_code(self) -> int:
        """The exit code of the command line."""


def drift_exit(entries: Iterable[Entry]) -> int:
    """Return 3 where there is a conflict, 2 where anything differs, else 0."""
    states = {entry.state for entry in entries}
    if State.DIVERGED in states:
        return 3
    return 2 if states - {State.IN_SYNC} else 0


def plan_exit(plan: Plan) -> int:
    """Return the exit code of the gravest objection, 3 where the plan has conflicts, 2 where it has changes, else 0."""
    if plan.objection is not None:
        return plan.objection.exit_code
    return 3 if plan.conflicts or plan.refused else 2 if plan.changes else 0


def unreadable_outcome(entries: Iterable[Entry]) -> GitsyncError | None:
    """Return the error to end a comparison with that had to leave something out."""
    unreadable = {entry.key: entry.unreadable for entry in entries if entry.unreadable is not None}
    return unreadable_error(unreadable, ending="the others were compared") if unreadable else None


_MOST_WARNINGS: Final = 10


def tell_warnings(context: Context, problems: Sequence[Problem]) -> None:
    """Tell what the rules warn of in what is written: the first of it, and how many more there are."""
    for line in shortlist([*map(str, problems)], _MOST_WARNINGS, rest="; `gitsync validate` shows them all"):
        context.tell(f"warning: {line}")


def tell_unchecked(context: Context, registry: Registry | None) -> None:
    """Tell which patterns of the registry's schemas are not checked: the first of them, and how many more there are."""
    patterns = list(iter_unchecked(registry)) if registry else []
    if patterns:
        names = listed([repr(shortened(pattern, 100)) for pattern in patterns], 1)
        context.tell(
            f"note: the registry's pattern {names} is not checked: gitsync takes neither "
            "look-around nor back-references in patterns, nor very large ones"
        )
