"""What changed in one workflow, in several lines of Markdown for a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from gitsync.errors import noun_for, plural, shortlist
from gitsync.workflow.diff import (
    DefinitionDelta,
    MovedStep,
    Place,
    Step,
    VersionDelta,
    WorkflowDelta,
)
from gitsync.workflow.steps import iter_steps
from gitsync.workflow.summary import around_change, cut, describe_whole, say_value
from gitsync.workflow.types import Document
from gitsync.workflow.values import MISSING, ValueDelta

MOST_LISTED: Final = 12
"""How many of a kind a page lists."""
_TRIGGER_FACTS: Final = ("type", "eventName", "runAt", "cron", "timezone")
_IN_TRIGGER_WORDS: Final = frozenset(f"trigger.{fact}" for fact in _TRIGGER_FACTS)


def explain(delta: WorkflowDelta) -> Iterator[str]:
    """Yield lines of words, the most telling first, details indented; names and values between back-ticks."""
    if delta.before is None and delta.after is None:
        yield describe_whole(delta)
        return
    if delta.before is None or delta.after is None:
        yield from _portrait(delta)
        return
    for version in delta.versions:
        yield from _explain_version(version)
    if not any(version.is_draft for version in delta.versions):
        yield from _below("draft", _explain_definition(delta.draft))
    old, new = (trigger_words(half["metadata"]["trigger"]) for half in (delta.before, delta.after))
    if old != new:
        yield f"trigger: {code(old)} → {code(new)}"
    yield from (_explain_value(value) for value in delta.settings if value.path not in _IN_TRIGGER_WORDS)
    yield from _explain_needs(delta.gained, "needs now")
    yield from _explain_needs(delta.lost, "needs no more")
    if delta.draft_version is not None:
        yield _explain_value(delta.draft_version)


def trigger_words(trigger: Any) -> str:
    """Return such as ``event TICKET_CREATED`` or ``recurring 0 9 * * * Europe/Berlin``."""
    if not isinstance(trigger, dict):
        return "none"
    facts = (trigger.get(name) for name in _TRIGGER_FACTS)
    return " ".join(fact for fact in facts if isinstance(fact, str)) or "of an unknown type"


def code(text: str) -> str:
    """Return `text` as a Markdown code span, whatever it holds."""
    line = " ".join(text.splitlines())
    fence = "`"
    while fence in line:
        fence += "`"
    space = " " if line.startswith("`") or line.endswith("`") or not line else ""
    return f"{fence}{space}{line}{space}{fence}"


def _portrait(delta: WorkflowDelta) -> Iterator[str]:
    """Yield what is in a workflow that comes or goes as a whole."""
    document: Document = delta.after or delta.before or {}
    yield f"{code(document['metadata']['name'])}, trigger: {code(trigger_words(document['metadata']['trigger']))}"
    published = document["publishedVersions"]
    numbers = ", ".join(str(version["version"]) for version in published[-MOST_LISTED:])
    steps = sum(1 for _ in iter_steps((published[-1] if published else document["draft"])["definition"]))
    versions = f"published versions {numbers}" if published else "no published version"
    yield f"{versions}; {plural(steps, 'step')} in the {'newest' if published else 'draft'}"
    yield from _explain_needs(delta.gained or delta.lost, "needs")


def _explain_version(version: VersionDelta) -> Iterator[str]:
    if version.what == "removed":
        yield f"version {version.number} removed"
        return
    same = ", as the draft stands" if version.is_draft else ""
    against = "" if version.since in (None, version.number) else f", against version {version.since}"
    changes = list(_explain_definition(version.definition))
    if version.is_schema_changed:
        changes.append("payload schema changed")
    yield from _below(
        f"version {version.number} {version.what}{same}{against if changes else ''}", changes, must=True
    )


def _below(title: str, lines: Iterable[str], *, must: bool = False) -> Iterator[str]:
    """Yield a line, and those that belong to it indented below; nothing without such, unless it must."""
    details = list(lines)
    if details or must:
        yield title + (":" if details else "")
    yield from (f"  {line}" for line in details)


def _explain_definition(delta: DefinitionDelta) -> Iterator[str]:
    for steps, what in ((delta.added, "added"), (delta.removed, "removed")):
        if steps:
            yield f"{plural(len(steps), 'step')} {what}: {_in_line(map(_explain_step, steps))}"
    for change in delta.changed[:MOST_LISTED]:
        values = shortlist([_explain_value(value) for value in change.values], MOST_LISTED)
        yield f"step {code(change.step.id)} changed: {'; '.join(values)}"
    if len(delta.changed) > MOST_LISTED:
        yield f"and {len(delta.changed) - MOST_LISTED} more steps changed"
    if delta.moved:
        yield f"{plural(len(delta.moved), 'step')} moved: {_in_line(map(_explain_move, delta.moved))}"
    yield from map(_explain_value, delta.values)


def _explain_step(step: Step) -> str:
    where = "" if step.place.block is None else f" in {_explain_place(step.place)}"
    return f"{code(step.id)} ({code(step.kind)}{where})"


def _explain_move(move: MovedStep) -> str:
    if move.before == move.step.place:
        return f"{code(move.step.id)} (order in {_explain_place(move.before)})"
    return f"{code(move.step.id)} (from {_explain_place(move.before)} to {_explain_place(move.step.place)})"


def _explain_place(place: Place) -> str:
    return "the top level" if place.block is None else f"{code(place.block)} {place.branch}"


def _explain_value(value: ValueDelta) -> str:
    path = code(value.path or "value")
    if value.before is MISSING:
        return f"{path} added: {code(cut(say_value(value.after)))}"
    if value.after is MISSING:
        return f"{path} removed, was {code(cut(say_value(value.before)))}"
    before, after = around_change(say_value(value.before), say_value(value.after))
    return f"{path}: {code(before)} → {code(after)}"


def _explain_needs(needs: Mapping[str, tuple[str, ...]], what: str) -> Iterator[str]:
    for kind, names in needs.items():
        yield f"{what} {noun_for(len(names), kind)} {_in_line(map(code, names))}"


def _in_line(texts: Iterable[str]) -> str:
    return ", ".join(shortlist(list(texts), MOST_LISTED))
