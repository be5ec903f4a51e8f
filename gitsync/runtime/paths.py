"""Where a result goes: the two rules for the paths of assignments.

Values are never changed in place: each write gives a new root that shares what it left alone. So a value that a
trace, a call or another variable holds stays what it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitsync.runtime.model import Category, RunFault
from gitsync.workflow.assign_paths import FORBIDDEN, pointer_segments, target_of


def scoped_path(path: str) -> tuple[str, list[str]]:
    """Return scope and segments of an assignment in transform.assign and in a node's own saveAs.

    Raises RunFault for what the runtime rejects.
    """
    scope, segments = target_of(path, is_strict=True)
    if not scope:
        raise RunFault(
            Category.VALIDATION,
            f"the assignment path {path!r} must start with payload., vars., meta., error. or /",
            code="INVALID_ASSIGN_PATH",
        )
    return scope, _checked(path, segments)


def output_path(path: str) -> tuple[str, list[str]]:
    """Return scope (payload, vars or local) and segments of saveAs, of a wait's assign and of an outputMapping."""
    scope, segments = target_of(path, is_strict=False)
    return scope, _checked(path, segments)


def put(root: Any, segments: Sequence[str], value: Any) -> Any:
    """`root` with `value` at the place; what is missing on the way, or is no object, becomes one.

    A list is changed where the segment is one of its indices or the next one, and stays as it is otherwise:
    what JavaScript keeps beside a list's items is lost when it is stored.
    """
    if not segments:
        return value
    first, *rest = segments
    if isinstance(root, list):
        index = int(first) if first.isascii() and first.isdecimal() and len(first) < 10 else len(root) + 1
        if index > len(root):
            return root
        inner = root[index] if index < len(root) else None
        return [*root[:index], put(inner, rest, value), *root[index + 1 :]]
    members = root if isinstance(root, dict) else {}
    return {**members, first: put(members.get(first), rest, value)}


def get(root: Any, path: str) -> tuple[bool, Any]:
    """Whether a dotted path, a pointer or ``payload.``-path leads somewhere in `root`, and to what."""
    segments = pointer_segments(path) if path.startswith("/") else path.split(".")
    for segment in segments:
        if isinstance(root, dict) and segment in root:
            root = root[segment]
        elif (
            isinstance(root, list) and segment.isascii() and segment.isdecimal() and int(segment) < len(root)
        ):
            root = root[int(segment)]
        else:
            return False, None
    return True, root


def _checked(path: str, segments: list[str]) -> list[str]:
    for segment in segments:
        if segment in FORBIDDEN:
            raise RunFault(
                Category.VALIDATION,
                f"the path {path!r} has the forbidden segment {segment!r}",
                code="INVALID_ASSIGN_PATH",
            )
        if not segment:
            raise RunFault(
                Category.VALIDATION, f"the path {path!r} has an empty segment", code="INVALID_ASSIGN_PATH"
            )
    return segments
