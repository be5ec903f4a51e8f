"""Problems as a compiler prints them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from gitsync.errors import Problem
from gitsync.printable import printable
from gitsync.rules.secrets import redact

Paint = Callable[[str, str], str]
"""(text, what it is: ``file``, ``error``, ``warning``, ``quiet`` or ``caret``) → the text, coloured or not."""
ReadLine = Callable[[str, int], str]
"""(file, line from 1) → that line without its end; empty where there is none."""

_WIDTH: Final = 100
_BEFORE: Final = 60


def iter_text(problems: Sequence[Problem], *, read_line: ReadLine, paint: Paint) -> Iterator[str]:
    """The lines that tell of `problems`: what and where, the source line and a caret, and the cure."""
    hidden = {(problem.file, problem.line) for problem in problems if problem.rule == "SECRETS"}
    # a line with a secret is never shown, though it is another rule that points at it
    for original in problems:
        problem = printable_problem(original)
        place = f"{problem.file}:{problem.line}:{problem.column}" if problem.line else problem.file
        path = f" {paint(problem.path, 'quiet')}" if problem.path and problem.path != "$" else ""
        head = f"{paint(place, 'file')}: {paint(problem.severity, problem.severity)}: {problem.message}"
        yield f"{head} {paint(f'[{problem.rule}]', 'quiet')}"
        if problem.line and (original.file, problem.line) not in hidden:
            line = read_line(original.file, problem.line)
            yield from _source(line, problem.column, paint) if redact(line) == line else ()
        if path:
            yield f"  {paint('at:', 'quiet')}{path}"
        if problem.cure:
            yield f"  {paint('cure:', 'quiet')} {problem.cure}"


def printable_problem(problem: Problem) -> Problem:
    """The problem, each of its texts in one printable line."""
    return replace(
        problem,
        file=printable(problem.file),
        path=printable(problem.path),
        message=printable(problem.message),
        cure=printable(problem.cure),
    )


def _source(line: str, column: int, paint: Paint) -> Iterator[str]:
    """A source line, cut where it is long, and a caret under its column."""
    if not line.strip():
        return
    start = max(0, column - 1 - _BEFORE) if len(line) > _WIDTH else 0
    if start == 0:  # indentation says nothing: leave two blanks of it
        start = max(0, len(line) - len(line.lstrip(" ")) - 2)
    shown = line[start : start + _WIDTH]
    before = shown[: max(0, column - 1 - start)]
    yield f"  | {_printable(shown)}"
    yield f"  | {' ' * _columns(_printable(before))}{paint('^', 'caret')}"


def _printable(text: str) -> str:
    return printable("".join(character if character.isprintable() else " " for character in text))


def _columns(text: str) -> int:
    """How many columns of a terminal `text` fills."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )
