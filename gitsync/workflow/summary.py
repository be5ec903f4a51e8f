"""What changed in one workflow, in one line of plain text, as messages and lists have it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final

from gitsync.errors import listed, plural, shortlist
from gitsync.workflow.diff import WorkflowDelta
from gitsync.workflow.values import Missing, Value, ValueDelta

LONGEST_VALUE: Final = 60
"""Characters of a value that are shown."""
MOST_NAMED: Final = 3
"""How many of a kind a single line names."""
THE_FORM: Final = "the form alone"


def describe(delta: WorkflowDelta) -> str:
    """Return one line, such as ``draft: 1 step changed (find); version 3 published; isPaused: false → true``."""
    if delta.before is None or delta.after is None:
        return describe_whole(delta)
    parts = [f"draft: {', '.join(words)}"] if (words := list(_draft_words(delta))) else []
    parts += [f"version {version.number} {version.what}" for version in delta.versions]
    values = list(_without_trigger(delta.settings))
    if _has_trigger(delta.settings):
        parts.append("trigger changed")
    parts += shortlist([_say_value(value) for value in values], MOST_NAMED, rest=" settings")
    return "; ".join(parts) or THE_FORM


def describe_whole(delta: WorkflowDelta) -> str:
    """Return the line of a workflow that comes or goes as a whole."""
    document = delta.after or delta.before
    if document is None:
        return "nothing on either side"
    count = len(document["publishedVersions"])
    versions = f"{plural(count, 'published version')}" if count else "no published version"
    return f"{'new' if delta.before is None else 'deleted'}: {document['metadata']['name']!r}, {versions}"


def _draft_words(delta: WorkflowDelta) -> Iterator[str]:
    draft = delta.draft
    for steps, what in (
        (draft.added, "added"),
        (draft.removed, "removed"),
        ([change.step for change in draft.changed], "changed"),
        ([move.step for move in draft.moved], "moved"),
    ):
        if steps:
            names = [step.id or "without id" for step in steps]
            yield f"{plural(len(steps), 'step')} {what} ({listed(names, MOST_NAMED)})"
    for name in sorted({value.path.partition(".")[0] for value in draft.values}):
        yield f"{name} changed"
    if draft.is_empty and delta.draft_version is not None:
        yield f"version {say_value(delta.draft_version.before)} → {say_value(delta.draft_version.after)}"


def _say_value(value: ValueDelta) -> str:
    before, after = around_change(say_value(value.before), say_value(value.after))
    return f"{value.path}: {before} → {after}"


def _has_trigger(values: Sequence[ValueDelta]) -> bool:
    return any(value.path.partition(".")[0] == "trigger" for value in values)


def _without_trigger(values: Sequence[ValueDelta]) -> Iterator[ValueDelta]:
    return (value for value in values if value.path.partition(".")[0] != "trigger")


def say_value(value: Value) -> str:
    """Return a value as JSON; ``nothing`` where there is none."""
    return "nothing" if isinstance(value, Missing) else json.dumps(value, ensure_ascii=False, default=str)


def around_change(before: str, after: str) -> tuple[str, str]:
    """Return two texts, cut to where they begin to differ if they are long."""
    if len(before) <= LONGEST_VALUE and len(after) <= LONGEST_VALUE:
        return before, after
    same = next(
        (i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b),
        min(len(before), len(after)),
    )
    start = 0 if same < LONGEST_VALUE // 2 else same - LONGEST_VALUE // 3
    return cut(before, start), cut(after, start)


def cut(text: str, start: int = 0) -> str:
    """Return `text` from `start`, no longer than a value is shown."""
    part = text[start : start + LONGEST_VALUE]
    return ("…" if start else "") + part + ("…" if start + LONGEST_VALUE < len(text) else "")
