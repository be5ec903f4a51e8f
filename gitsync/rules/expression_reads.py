"""What an expression reads, known once per text: texts repeat over versions and workflows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from gitsync.rules.secrets import is_candidate
from gitsync.workflow.expressions import ExpressionFault, compile_expression

HARMLESS: Final = frozenset({"payload", "meta", "error"})
"""Root names that exist wherever a step's expression stands."""
_KEPT: Final = 50_000
_MEMBER: Final = re.compile(r"vars\s*\.\s*(?:`([^`]+)`|([A-Za-z_][A-Za-z0-9_]*))")


@dataclass(frozen=True, slots=True)
class ExpressionFacts:
    """One expression as the rules see it.

    fault: why it does not compile, as (rule, message, offset). roots: (name, offset) of all that it reads.
    free: (name, offset, whether it is read as ``vars.name``) of what must be looked up to know that it exists.
    may_be_secret: whether the text is worth a closer look for secrets.
    """

    fault: tuple[str, str, int] | None = None
    roots: tuple[tuple[str, int], ...] = ()
    free: tuple[tuple[str, int, bool], ...] = ()
    may_be_secret: bool = False


_UNREAD: Final = ExpressionFacts()
_readings: dict[str, ExpressionFacts | None] = {}


def is_harmless(text: str) -> bool:
    """Return whether an expression is known to be right in any step; quick.

    What is read, and whether it compiles, depends on the text alone, so what was known of it once holds everywhere.
    """
    return _readings.get(text, _UNREAD) is None


def read_expression(text: str) -> ExpressionFacts | None:
    """Return the reading of `text`, ``None`` where nothing about it can be wrong in any step."""
    known = _readings.get(text, _UNREAD)
    if known is not _UNREAD:
        return known
    reading = _read(text)
    kept = reading if reading.fault or reading.free or reading.may_be_secret else None
    if len(_readings) < _KEPT:
        _readings[text] = kept
    return kept


def roots_of(text: str) -> tuple[tuple[str, int], ...]:
    """Return (name, offset) of all root names that `text` reads; none where it does not compile."""
    return _read(text).roots


def _read(text: str) -> ExpressionFacts:
    try:
        roots = compile_expression(text).roots
    except ExpressionFault as fault:
        rule = "FORBIDDEN_FUNCTION" if fault.code == "NOT_ALLOWED" else "INVALID_EXPRESSION"
        return ExpressionFacts((rule, fault.message, fault.offset), may_be_secret=is_candidate("$expr", text))
    free = []
    for name, offset in roots:
        if name == "vars":
            if match := _MEMBER.match(text, offset):
                free.append((match[1] or match[2], offset, True))
        elif name not in HARMLESS:
            free.append((name, offset, False))
    return ExpressionFacts(None, roots, tuple(free), is_candidate("$expr", text))
