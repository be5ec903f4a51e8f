"""What changed in one workflow, in words: one line for a list, several for a page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from gitsync.workflow.diff import (
    DefinitionDelta,
    MovedStep,
    Place,
    Step,
    VersionDelta,
    WorkflowDelta,
)
from gitsync.workflow.steps import iter_steps
from gitsync.workflow.types import Document
from gitsync.workflow.values import MISSING, Missing, Value, ValueDelta

LONGEST_VALUE: Final = 60
"""Characters of a value that are shown."""
MOST_NAMED: Final = 3
"""How many of a kind a single line names."""
MOST_LISTED: Final = 12
"""How many of a kind a page lists."""
_TRIGGER_FACTS: Final = ("type", "eventName", "runAt", "cron", "timezone")
_IN_TRIGGER_WORDS: Final = frozenset(f"trigger.{fact}" for fact in _TRIGGER_FACTS)
THE_FORM: Final = "the form alone"


def describe(delta: WorkflowDelta) -> str:
    """One line, such as ``draft: 1 step changed (find); version 3 published; isPaused: false → true``."""
    if delta.before is None or delta.after is None:
        return _whole(delta)
    parts = [f"draft: {', '.join(words)}"] if (words := list(_draft_words(delta))) else []
    parts += [f"version {version.number} {version.what}" for version in delta.versions]
    values = list(_without_trigger(delta.settings))
    if _has_trigger(delta.settings):
        parts.append("trigger changed")
    parts += [_say_value(value) for value in values[:MOST_NAMED]]
    if len(values) > MOST_NAMED:
        parts.append(f"and {len(values) - MOST_NAMED} more settings")
    return "; ".join(parts) or THE_FORM


def explain(delta: WorkflowDelta) -> Iterator[str]:
    """Lines of words, the most telling first, details indented; names and values between back-ticks."""
    if delta.before is None and delta.after is None:
        yield _whole(delta)
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
    """Such as ``event TICKET_CREATED`` or ``recurring 0 9 * * * Europe/Berlin``."""
    if not isinstance(trigger, dict):
        return "none"
    facts = (trigger.get(name) for name in _TRIGGER_FACTS)
    return " ".join(fact for fact in facts if isinstance(fact, str)) or "of an unknown type"


def say(value: Value) -> str:
    """A value as JSON; ``nothing`` where there is none."""
    return "nothing" if isinstance(value, Missing) else json.dumps(value, ensure_ascii=False, default=str)


def code(text: str) -> str:
    """`text` as a Markdown code span, whatever it holds."""
    line = " ".join(text.splitlines())
    fence = "`"
    while fence in line:
        fence += "`"
    space = " " if line.startswith("`") or line.endswith("`") or not line else ""
    return f"{fence}{space}{line}{space}{fence}"


def _whole(delta: WorkflowDelta) -> str:
    document = delta.after or delta.before
    if document is None:
        return "nothing on either side"
    count = len(document["publishedVersions"])
    versions = f"{count} published version{'' if count == 1 else 's'}" if count else "no published version"
    return f"{'new' if delta.before is None else 'deleted'}: {document['metadata']['name']!r}, {versions}"


def _portrait(delta: WorkflowDelta) -> Iterator[str]:
    """What is in a workflow that comes or goes as a whole."""
    document: Document = delta.after or delta.before or {}
    yield f"{code(document['metadata']['name'])}, trigger: {code(trigger_words(document['metadata']['trigger']))}"
    published = document["publishedVersions"]
    numbers = ", ".join(str(version["version"]) for version in published[-MOST_LISTED:])
    steps = sum(1 for _ in iter_steps((published[-1] if published else document["draft"])["definition"]))
    told = f"published versions {numbers}" if published else "no published version"
    yield f"{told}; {steps} step{'' if steps == 1 else 's'} in the {'newest' if published else 'draft'}"
    yield from _explain_needs(delta.gained or delta.lost, "needs")


def _draft_words(delta: WorkflowDelta) -> Iterator[str]:
    draft = delta.draft
    for steps, what in (
        (draft.added, "added"),
        (draft.removed, "removed"),
        ([change.step for change in draft.changed], "changed"),
        ([move.step for move in draft.moved], "moved"),
    ):
        if steps:
            yield f"{_count(steps)} {what} ({_names(steps, MOST_NAMED)})"
    for name in sorted({value.path.partition(".")[0] for value in draft.values}):
        yield f"{name} changed"
    if draft.is_empty and delta.draft_version is not None:
        yield f"version {say(delta.draft_version.before)} → {say(delta.draft_version.after)}"


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
    """A line, and those that belong to it indented below; nothing without such, unless it must."""
    found = list(lines)
    if found or must:
        yield title + (":" if found else "")
    yield from (f"  {line}" for line in found)


def _explain_definition(delta: DefinitionDelta) -> Iterator[str]:
    for steps, what in ((delta.added, "added"), (delta.removed, "removed")):
        if steps:
            yield f"{_count(steps)} {what}: {', '.join(_limit(map(_explain_step, steps)))}"
    for change in delta.changed[:MOST_LISTED]:
        values = [_explain_value(value) for value in change.values[:MOST_LISTED]]
        more = len(change.values) - len(values)
        yield f"step {code(change.step.id)} changed: {'; '.join(values)}" + (
            f"; and {more} more" if more > 0 else ""
        )
    if len(delta.changed) > MOST_LISTED:
        yield f"and {len(delta.changed) - MOST_LISTED} more steps changed"
    if delta.moved:
        yield f"{_count(delta.moved)} moved: {', '.join(_limit(map(_explain_move, delta.moved)))}"
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
        return f"{path} added: {code(_cut(say(value.after)))}"
    if value.after is MISSING:
        return f"{path} removed, was {code(_cut(say(value.before)))}"
    before, after = _around(say(value.before), say(value.after))
    return f"{path}: {code(before)} → {code(after)}"


def _around(before: str, after: str) -> tuple[str, str]:
    """Two texts, cut to where they begin to differ if they are long."""
    if len(before) <= LONGEST_VALUE and len(after) <= LONGEST_VALUE:
        return before, after
    same = next(
        (i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b),
        min(len(before), len(after)),
    )
    start = 0 if same < LONGEST_VALUE // 2 else same - LONGEST_VALUE // 3
    return _cut(before, start), _cut(after, start)


def _cut(text: str, start: int = 0) -> str:
    part = text[start : start + LONGEST_VALUE]
    return ("…" if start else "") + part + ("…" if start + LONGEST_VALUE < len(text) else "")


def _explain_needs(needs: Mapping[str, tuple[str, ...]], what: str) -> Iterator[str]:
    for kind, names in needs.items():
        plural = kind if len(names) == 1 else f"{kind}s"
        yield f"{what} {plural} {', '.join(_limit(map(code, names)))}"


def _say_value(value: ValueDelta) -> str:
    before, after = _around(say(value.before), say(value.after))
    return f"{value.path}: {before} → {after}"


def _has_trigger(values: Sequence[ValueDelta]) -> bool:
    return any(value.path.partition(".")[0] == "trigger" for value in values)


def _without_trigger(values: Sequence[ValueDelta]) -> Iterator[ValueDelta]:
    return (value for value in values if value.path.partition(".")[0] != "trigger")


def _count(steps: Sequence[object]) -> str:
    return f"{len(steps)} step{'' if len(steps) == 1 else 's'}"


def _names(steps: Sequence[Step], most: int) -> str:
    more = f" and {len(steps) - most} more" if len(steps) > most else ""
    return ", ".join(step.id or "without id" for step in steps[:most]) + more


def _limit(texts: Iterable[str]) -> list[str]:
    found = list(texts)
    return [
        *found[:MOST_LISTED],
        *([f"and {len(found) - MOST_LISTED} more"] if len(found) > MOST_LISTED else []),
    ]
