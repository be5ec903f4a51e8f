"""Where a step may write: ``vars.name``, ``payload.name`` and their like."""

from __future__ import annotations

from typing import Final

SCOPED: Final = "payload., vars., meta., error. or /"
_SCOPES: Final = ("payload", "vars", "meta", "error")
_FORBIDDEN: Final = frozenset({"__proto__", "prototype", "constructor"})
_KEPT: Final = 20_000

_known: dict[tuple[str, bool], tuple[str, str]] = {}


def path_fault(path: str, *, is_strict: bool) -> str:
    """Why nothing can be written at `path`; empty where it can.

    is_strict: a scope must be named, as in ``transform.assign``; elsewhere a bare name is a variable.
    """
    return _judge(path, is_strict=is_strict)[0]


def assigned_name(path: str, *, is_strict: bool) -> str:
    """The variable that a write to `path` sets, empty where it sets none."""
    return _judge(path, is_strict=is_strict)[1]


def _judge(path: str, *, is_strict: bool) -> tuple[str, str]:
    found = _known.get((path, is_strict))
    if found is None:
        found = (_fault(path, is_strict=is_strict), _name(path, is_strict=is_strict))
        if len(_known) < _KEPT:
            _known[path, is_strict] = found
    return found


def _fault(path: str, *, is_strict: bool) -> str:
    if not path.strip():
        return "the path is empty"
    segments = _segments(path)
    if "" in segments:
        return f'the path "{path}" has an empty part'
    if forbidden := sorted(_FORBIDDEN.intersection(segments)):
        return f'the path "{path}" must not contain {forbidden[0]}'
    if path.startswith("/") or not is_strict:
        return ""
    if segments[0] not in _SCOPES:
        return f'the path "{path}" names no scope'
    return f'the path "{path}" names a whole scope' if len(segments) == 1 else ""


def _segments(path: str) -> list[str]:
    if path.startswith("/"):
        path = path[1:].replace("/", ".").replace("~1", "/").replace("~0", "~")
    return path.split(".")


def _name(path: str, *, is_strict: bool) -> str:
    """Source: the product writes ``meta.x``, ``local.x`` and ``/x`` to variables, except in transform.assign."""
    segments = _segments(path)
    if path.startswith("/"):
        return "" if is_strict else segments[0]
    if segments[0] == "vars":
        return segments[1] if len(segments) > 1 else ""
    if is_strict or (segments[0] == "payload" and len(segments) > 1):
        return ""
    if segments[0] in ("meta", "local"):
        return segments[1] if len(segments) > 1 else ""
    return segments[0]
