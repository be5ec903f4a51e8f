"""Where a step writes: the one rule of assignment paths, for what checks workflows and for what runs them."""

from __future__ import annotations

from typing import Final

SCOPES: Final = ("payload", "vars", "meta", "error")
FORBIDDEN: Final = frozenset({"__proto__", "prototype", "constructor"})
"""Segments that the product refuses, since they would reach JavaScript's own objects."""
_KEPT: Final = frozenset({"payload", "vars", "local"})


def target_of(path: str, *, is_strict: bool) -> tuple[str, list[str]]:
    """Return the scope and the segments that a write to `path` goes to, whether or not they are allowed.

    is_strict: a scope must be named, as in ``transform.assign`` and a node's own ``saveAs``; it is empty where none
    is. Elsewhere, in saveAs, a wait's assign and an outputMapping, what has no scope of its own goes to vars, so
    does ``meta.x`` as ``vars.x``, and ``error.x`` as ``vars.error.x``.
    """
    if path.startswith("/"):
        return "payload" if is_strict else "vars", pointer_segments(path)
    scope, dot, rest = path.partition(".")
    if is_strict:
        return (scope, rest.split(".")) if dot and scope in SCOPES else ("", path.split("."))
    if dot and scope in _KEPT:
        return scope, rest.split(".")
    return "vars", rest.split(".") if dot and scope == "meta" else path.split(".")


def pointer_segments(path: str) -> list[str]:
    """Return the segments of a JSON pointer; it is joined with dots and split again, so a dot in a segment splits."""
    segments = [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]
    return ".".join(segments).split(".")
