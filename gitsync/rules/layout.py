"""Whether a file's text is in canonical form, and its dependencies those of its definitions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.faults import Fault
from gitsync.workflow.reading import WorkflowFile

_FORMAT: Final = "`gitsync fmt` writes it anew"
_SAYS_NOTHING: Final = frozenset({"SCHEMA_VALIDATION_FAILED", "KEY_MISMATCH"})
"""Faults with which what would be derived is wrong: the fields are not a workflow's, or the key not its own."""


def layout_faults(file: WorkflowFile) -> Iterator[Fault]:
    """Yield what `gitsync fmt` would change."""
    document = file.document
    if file.is_normal or document is None or any(fault.rule in _SAYS_NOTHING for fault in file.faults):
        return
    derived = document["dependencies"]
    if derived != file.declared:
        yield Fault(
            ("dependencies",), "STALE_DEPENDENCIES", f"the list {_unlike(file.declared, derived)}", _FORMAT
        )
    expected = canonical_bytes(document | {"dependencies": file.declared})
    if file.data != expected:
        yield Fault((), "NOT_CANONICAL", _first_difference(file.data, expected), _FORMAT)


def _unlike(declared: Any, derived: Any) -> str:
    """Return in words what the declared dependencies lack, and what they have too much."""
    words = []
    for name in ("actions", "nodeTypes", "schemaRefs"):
        declared_items, derived_items = (
            [_shown(item) for item in side[name]] for side in (declared, derived)
        )
        words += [f"lacks {item}" for item in derived_items if item not in declared_items]
        words += [f"has {item}, which nothing needs" for item in declared_items if item not in derived_items]
    return "; ".join(words) or "are in another order"


def _shown(item: Any) -> str:
    return f"{item['actionId']}@{item['version']}" if isinstance(item, dict) else str(item)


def _first_difference(data: bytes, expected: bytes) -> str:
    if data.rstrip(b"\n") == expected.rstrip(b"\n"):
        return "not in canonical form: the file ends with one LF"
    if data.replace(b"\r\n", b"\n") == expected:
        return "not in canonical form: lines end with LF, not CRLF"
    lines = expected.split(b"\n")
    number = next(
        (n for n, line in enumerate(data.split(b"\n"), start=1) if n > len(lines) or line != lines[n - 1]), 1
    )
    return f"not in canonical form, from line {number} on"
