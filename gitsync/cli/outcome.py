"""What the verbs share once they have compared: exit codes, invalid files, the line about a target."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from gitsync.cli.options import Settings
from gitsync.commands.project import Project
from gitsync.errors import GitsyncError, Problem, shortened
from gitsync.sync.compare import Comparison
from gitsync.sync.plan import Entry, Plan, unreadable_error
from gitsync.sync.states import State
from gitsync.workflow.registry import Registry

_MOST_WARNINGS = 10


def flag_invalid(comparison: Comparison) -> list[Entry]:
    """The entries, those whose file has a fault that stops a push flagged, with the first one in the note."""
    found = []
    for entry in comparison.entries:
        facts = comparison.facts.get(entry.key)
        if facts and facts.errors:
            first, *others = facts.errors
            more = f" (and {len(others)} more)" if others else ""
            notes = (entry.note, f"{first}{more}")
            found.append(replace(entry, is_invalid=True, note="; ".join(filter(None, notes))))
        else:
            found.append(entry)
    return found


def unreadable_outcome(entries: Iterable[Entry]) -> GitsyncError | None:
    """The error to end a comparison with that had to leave something out."""
    found = {entry.key: entry.unreadable for entry in entries if entry.unreadable is not None}
    return unreadable_error(found, ending="the others were compared") if found else None


def drift_exit(entries: Iterable[Entry]) -> int:
    """3 where there is a conflict, 2 where anything differs, else 0."""
    states = {entry.state for entry in entries}
    if State.DIVERGED in states:
        return 3
    return 2 if states - {State.IN_SYNC} else 0


def plan_exit(plan: Plan) -> int:
    """3 where the plan has conflicts, 2 where it has changes, else 0."""
    return 3 if plan.conflicts or plan.refused else 2 if plan.changes else 0


def announce(project: Project, settings: Settings, address: str) -> None:
    """Name the target before anything is written to it."""
    settings.tell(f"{project.environment.name}: {address}")


def tell_warnings(settings: Settings, problems: Sequence[Problem]) -> None:
    """What the rules warn of in what is written: the first of it, and how many more there are."""
    for problem in problems[:_MOST_WARNINGS]:
        settings.tell(f"warning: {problem}")
    if len(problems) > _MOST_WARNINGS:
        more = len(problems) - _MOST_WARNINGS
        settings.tell(f"warning: and {more} more; `gitsync validate` shows them all")


def tell_unchecked(settings: Settings, registry: Registry | None) -> None:
    """Which patterns of the registry's schemas are not checked: the first of them, and how many more there are."""
    from gitsync.workflow.json_schema import iter_unchecked

    patterns = list(iter_unchecked(registry)) if registry else []
    if patterns:
        more = f" and {len(patterns) - 1} more" if len(patterns) > 1 else ""
        settings.tell(
            f"note: the registry's pattern {shortened(patterns[0], 100)!r}{more} is not checked: gitsync takes neither "
            "look-around nor back-references in patterns, nor very large ones"
        )


def as_part(outcome: GitsyncError | None) -> dict[str, Any] | None:
    """The error of a run that wrote something first, as a part of its JSON result."""
    from gitsync.render.json import error_json

    return None if outcome is None else error_json(outcome)


def finish(settings: Settings, outcome: GitsyncError | None) -> int:
    """The exit code of a run; as text its error follows its result, as JSON or Markdown it stands in it."""
    if outcome is None:
        return 0
    if settings.is_markdown:
        settings.tell(f"gitsync: {outcome.message} [{outcome.code}]")
    elif not settings.is_json:
        raise outcome
    return outcome.exit_code
