"""A JSON reader that knows where everything stands: slow, strict, and used to explain what is wrong.

It needs no recursion, goes on after faults that are not of syntax, and so finds all of them in one pass.
"""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from gitsync.errors import Problem
from gitsync.workflow.canonical import MAX_EXPONENT
from gitsync.workflow.types import Json

MAX_NESTING: Final = 200
MAX_FAULTS: Final = 1000

Path = tuple[str | int, ...]

_BLANK: Final = re.compile(r"[ \t\n\r]*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORD: Final = re.compile(r"-?[A-Za-z]+")
_CONSTANTS: Final[dict[str, Json]] = {"true": True, "false": False, "null": None}
_NOT_NUMBERS: Final = frozenset({"NaN", "Infinity", "-Infinity"})
_scan_string: Final = json.JSONDecoder().parse_string  # type: ignore[attr-defined]  # in C; strict by default
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_CHARACTER: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL
)
"""One character of a JSON string, as it may be written."""
_MARKERS: Final = ("<<<<<<<", "=======", ">>>>>>>")


def json_path(path: Sequence[str | int]) -> str:
    """`path` as text, such as ``$.draft.definition.steps[2]``."""
    parts = ["$"]
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif _IDENTIFIER.fullmatch(step):
            parts.append(f".{step}")
        else:
            parts.append(f"[{json.dumps(step, ensure_ascii=False)}]")
    return "".join(parts)


def parse_number(text: str) -> int | float | Decimal:
    """The value of a JSON number; ``int`` or ``Decimal`` where a double would change it.

    Raises ValueError where the exponent is beyond what can be computed with.
    """
    if text.lstrip("-").isdigit():
        return int(text) if len(text) <= 4000 else Decimal(text)
    number = float(text)
    try:
        exact = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"{text} has too large an exponent") from error
    if not exact.is_finite():
        raise ValueError(f"{text} has too large an exponent")
    if exact == Decimal(repr(number)):
        return number
    return exact


class _SyntaxFault(Exception):
    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message


@dataclass(slots=True)
class Scan:
    """What one pass over a text found: its value, its faults, and the offset of every path."""

    text: str
    file: str = ""
    value: Json = None
    problems: list[Problem] = field(default_factory=list)
    offsets: dict[Path, int] = field(default_factory=dict)
    line_starts: list[int] = field(default_factory=list)

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1, of a character."""
        if not self.line_starts:
            self.line_starts = [0, *(match.end() for match in re.finditer("\n", self.text))]
        line = bisect.bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def locate(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Line and column of the value at `path`, or of the nearest thing around it."""
        for length in range(len(path), -1, -1):
            offset = self.offsets.get(tuple(path[:length]))
            if offset is not None:
                return self.position(offset)
        return 1, 1

    def locate_character(self, path: Sequence[str | int], index: int) -> tuple[int, int]:
        """Line and column of a character of the string at `path`, as it is written, escapes and all."""
        offset = self.offsets.get(tuple(path))
        if offset is None or self.text[offset : offset + 1] != '"':
            return self.locate(path)
        offset += 1
        while index > 0 and self.text[offset : offset + 1] not in ('"', ""):
            written = _CHARACTER.match(self.text, offset)
            if written is None:
                break
            offset = written.end()
            index -= 1
        return self.position(offset)

    def fault(
        self, offset: int, message: str, *, rule: str = "INVALID_JSON", path: Path = (), cure: str = ""
    ) -> None:
        """Note a problem at `offset`."""
        line, column = self.position(offset)
        place = json_path(path) if path else ""
        self.problems.append(Problem(self.file, line, column, place, rule, message, cure))


def scan(text: str, *, file: str = "", is_stored: bool = False) -> Scan:
    """Everything about `text`: never raises for what is wrong in it.

    is_stored: the text comes from a database, so only syntax is judged; the last of duplicate keys wins.
    """
    found = Scan(text, file)
    try:
        found.value = _Reader(found, is_stored=is_stored).read()
    except _SyntaxFault as fault:
        marker = next((m for m in _MARKERS if text.startswith(m, fault.offset)), None)
        message = f"a merge conflict marker ({marker})" if marker else fault.message
        cure = "resolve the merge conflict" if marker else ""
        found.fault(min(fault.offset, len(text)), message, cure=cure)
    return found


class _Reader:
    def __init__(self, found: Scan, *, is_stored: bool) -> None:
        self.found = found
        self.text = found.text
        self.is_stored = is_stored
        self.at = 0
        self.path: list[str | int] = []
        self.stack: list[dict[str, Any] | list[Any]] = []

    def read(self) -> Json:
        """The text's value; raises _SyntaxFault at the first fault of syntax."""
        self._skip()
        root = self._value()
        while self.stack:
            container = self.stack[-1]
            end = "}" if isinstance(container, dict) else "]"
            self._skip()
            if self._peek() == end:
                self._close()
                continue
            if container:
                self._expect(",", f'"," or "{end}"')
                if self._peek() == end:
                    raise _SyntaxFault(self.at, f'a comma before "{end}"')
            self._member(container)
        self._skip()
        if self.at < len(self.text):
            raise _SyntaxFault(self.at, f"expected the end of the file, got {self._seen()}")
        return root

    def _member(self, container: dict[str, Any] | list[Any]) -> None:
        value: Json
        if isinstance(container, list):
            self.path.append(len(container))
            container.append(None)
            container[-1] = value = self._value()
        else:
            key = self._key(container)
            container[key] = value = self._value()
        if not isinstance(value, (dict, list)):
            self.path.pop()

    def _key(self, container: dict[str, Any]) -> str:
        start = self.at
        if self._peek() != '"':
            raise _SyntaxFault(start, f"expected a key in double quotes, got {self._seen()}")
        key = self._string()
        self.path.append(key)
        if key in container and not self.is_stored:
            first, _ = self.found.locate(self.path)
            message = f"the key {json.dumps(key)} stands twice, first on line {first}"
            self._hazard(start, message, rule="DUPLICATE_JSON_KEY", cure="keep one of them")
        self._skip()
        self._expect(":", '":"')
        return key

    def _value(self) -> Json:
        start, character = self.at, self._peek()
        if not self.is_stored:
            self.found.offsets[tuple(self.path)] = start
        if character in ("{", "["):
            self.at += 1
            container: dict[str, Any] | list[Any] = {} if character == "{" else []
            self.stack.append(container)
            if len(self.stack) == MAX_NESTING + 1 and not self.is_stored:
                raise _SyntaxFault(start, f"nested deeper than {MAX_NESTING} levels")
            return container
        if character == '"':
            return self._string()
        if match := _NUMBER.match(self.text, start):
            return self._number(match)
        match = _WORD.match(self.text, start)
        word = match.group() if match else ""
        if match and word in _CONSTANTS:
            self.at = match.end()
            return _CONSTANTS[word]
        if match and word in _NOT_NUMBERS:
            self.at = match.end()
            self._hazard(start, f"{word} is not JSON")
            return None
        raise _SyntaxFault(start, f"expected a value, got {self._seen()}")

    def _number(self, match: re.Match[str]) -> Json:
        self.at = match.end()
        try:
            number = parse_number(match.group())
        except ValueError:
            self._hazard(match.start(), "the exponent is too large", rule="NUMBER_NOT_PORTABLE")
            return None
        if isinstance(number, Decimal):
            exponent = number.as_tuple().exponent
            if not self.is_stored and isinstance(exponent, int) and abs(exponent) > MAX_EXPONENT:
                self._hazard(match.start(), "the exponent is too large", rule="NUMBER_NOT_PORTABLE")
        return number

    def _string(self) -> str:
        start = self.at
        try:
            text: str
            text, self.at = _scan_string(self.text, start + 1)
        except json.JSONDecodeError as error:
            if error.msg.startswith("Unterminated"):
                raise _SyntaxFault(start, "a string without its closing quote") from error
            message = error.msg.lower().removesuffix(" at")
            raise _SyntaxFault(error.pos, f"{message} in a string") from error
        if not self.is_stored:
            if "\0" in text:
                self._hazard(start, "a string with \\u0000, which PostgreSQL cannot store")
            if _SURROGATE.search(text):
                self._hazard(start, "a string with half a surrogate pair, which is no character")
        return text

    def _hazard(self, offset: int, message: str, *, rule: str = "INVALID_JSON", cure: str = "") -> None:
        self.found.fault(offset, message, rule=rule, path=tuple(self.path), cure=cure)
        if len(self.found.problems) >= MAX_FAULTS:
            raise _SyntaxFault(offset, f"more than {MAX_FAULTS} faults; the rest is not listed")

    def _close(self) -> None:
        self.at += 1
        self.stack.pop()
        if self.path:
            self.path.pop()

    def _expect(self, character: str, name: str) -> None:
        if self._peek() != character:
            raise _SyntaxFault(self.at, f"expected {name}, got {self._seen()}")
        self.at += 1
        self._skip()

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _skip(self) -> None:
        match = _BLANK.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def _seen(self) -> str:
        return json.dumps(self._peek(), ensure_ascii=True) if self._peek() else "the end of the file"
