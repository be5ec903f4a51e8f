"""Where a step may write: ``vars.name``, ``payload.name`` and their like."""

from __future__ import annotations

from typing import Final

from gitsync.workflow.assign_paths import FORBIDDEN, SCOPES, target_of

SCOPED: Final = "payload., vars., meta., error. or /"
_KEPT: Final = 20_000

_known: dict[tuple[str, bool], tuple[str, str]] = {}


def path_fault(path: str, *, is_strict: bool) -> str:
    """Return why nothing can be written at `path`; empty where it can.

    is_strict: a scope must be named, as in ``transform.assign``; elsewhere a bare name is a variable.
    """
    return _judge(path, is_strict=is_strict)[0]


def assigned_name(path: str, *, is_strict: bool) -> str:
    """Return the variable that a write to `path` sets, empty where it sets none."""
    return _judge(path, is_strict=is_strict)[1]


def _judge(path: str, *, is_strict: bool) -> tuple[str, str]:
    answer = _known.get((path, is_strict))
    if answer is None:
        answer = (_fault(path, is_strict=is_strict), _name(path, is_strict=is_strict))
        if len(_known) < _KEPT:
            _known[path, is_strict] = answer
    return answer


def _fault(path: str, *, is_strict: bool) -> str:
    if not path.strip():
        return "the path is empty"
    scope, segments = target_of(path, is_strict=is_strict)
    if "" in segments:
        return f'the path "{path}" has an empty part'
    if forbidden := sorted(FORBIDDEN.intersection(segments)):
        return f'the path "{path}" must not contain {forbidden[0]}'
    if scope:
        return ""
    return (
        f'the path "{path}" names {"a whole" if segments[0] in SCOPES and len(segments) == 1 else "no"} scope'
    )


def _name(path: str, *, is_strict: bool) -> str:
    scope, segments = target_of(path, is_strict=is_strict)
    return segments[0] if scope in ("vars", "local") else ""
