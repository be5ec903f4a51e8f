"""The expression language of the product's runtime: JSONata, rewritten first and with five functions.

This module alone knows the engine (jlens); validation and the interpreter both stand on it.
"""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gitsync.workflow.expression_text import FUNCTIONS, Reading, Rewritten, read_tokens, rewrite

__all__ = ["FUNCTIONS", "Expression", "ExpressionFault", "ExpressionLimits", "compile_expression"]

LONGEST_TEXT: Final = 65_536  # characters; nobody writes that, and reading it stays cheap


class ExpressionFault(Exception):
    """An expression that doesn't compile, isn't allowed, or gives no value.

    offset: where, in characters from the start of the text as the person wrote it; 0 where that isn't known.
    code: the engine's own code, such as ``T2009``, or empty.
    """

    def __init__(self, message: str, offset: int = 0, *, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.code = code


@dataclass(frozen=True, slots=True)
class ExpressionLimits:
    """How far one evaluation may go. The product stops at 25 ms, which is a matter of luck on a slow host.

    seconds: wall clock, above 0. steps: evaluation steps, the same on every machine. depth: nesting of calls.
    result: UTF-16 code units of the result's JSON text. items: length of any array on the way.
    """

    seconds: float = 1.0
    steps: int = 1_000_000
    depth: int = 500
    result: int = 262_144
    items: int = 100_000


class Expression:
    """A compiled expression; made by `compile_expression`, and usable any number of times."""

    __slots__ = ("_calling", "_compiled", "_reading", "_rewritten", "text")

    def __init__(self, text: str, rewritten: Rewritten, compiled: Any, reading: Reading) -> None:
        self.text = text
        self._rewritten = rewritten
        self._compiled = compiled
        self._reading = reading
        self._calling: Any = None

    @property
    def roots(self) -> tuple[tuple[str, int], ...]:
        """Name and offset of each root name that is read, in the order of the text, repetitions included.

        Names inside a filter, or after a dot, are fields of something else and not among them.
        """
        read = self._compiled.reads().get("input", {})
        found = [
            (name, self._rewritten.original(offset))
            for name, offset in self._reading.roots
            if read is True or name in read
        ]
        named = {name for name, _ in found}
        unplaced = [] if read is True else [(name, max(self.text.find(name), 0)) for name in read]
        return tuple(sorted(found + [item for item in unplaced if item[0] not in named], key=lambda r: r[1]))

    def evaluate(
        self, bindings: Mapping[str, Any], limits: ExpressionLimits = ExpressionLimits(), *, now: str
    ) -> Any:
        """The JSON value over `bindings`, root name → JSON value; whole numbers come back as ``int``.

        now: what nowIso() answers, an ISO instant with milliseconds.
        Raises ExpressionFault where evaluation fails, gives no value (undefined), or goes beyond `limits`.
        """
        from jlens import JlensError

        _clock.now = now
        options: dict[str, Any] = {
            "timeout": limits.seconds,
            "max_depth": limits.depth,
            "max_steps": limits.steps,
            "max_array_length": limits.items,
            "max_result_size": 4 * limits.result,  # bytes; the exact bound is checked below
            "now": now,
            "seed": 0,
        }
        compiled = self._callable()
        try:
            value = compiled.evaluate(bindings, **options)
            if value is None and compiled.evaluate_json(_text(bindings), **options) is None:
                raise ExpressionFault("gives no value: what it reads is not there", 0, code="UNDEFINED")
        except JlensError as error:
            raise ExpressionFault(_message(error), self._place(error), code=error.code) from error
        except (ValueError, TypeError, OverflowError) as error:
            raise ExpressionFault(f"cannot be evaluated: {error}") from error
        if not _is_within(value, limits.result):
            raise ExpressionFault(f"gives more than {limits.result} characters of JSON", 0, code="TOO_LARGE")
        return value

    def _callable(self) -> Any:
        """The engine's form, in which coalesce may answer null.

        The engine takes a host function's None for "no value", so a call answers an object with the value in
        it, and the text takes it out.
        """
        if not self._reading.coalesces:
            return self._compiled
        if self._calling is None:
            text = self._rewritten.text
            edits = [(end + 1, 0, ".v") for _, end in self._reading.coalesces]
            edits += [(start, len("$coalesce"), "$coalesced") for start, _ in self._reading.coalesces]
            for offset, length, replacement in sorted(edits, reverse=True):
                text = text[:offset] + replacement + text[offset + length :]
            self._calling = _engine(text)
        return self._calling

    def _place(self, error: Any) -> int:
        """The offset of an evaluation's error; not known where the text was edited for coalesce."""
        offset = error.start if error.start is not None else error.position
        return 0 if offset is None or self._reading.coalesces else self._rewritten.original(offset)


@functools.lru_cache(maxsize=4096)
def compile_expression(text: str) -> Expression:
    """The expression that `text` is, nothing of it evaluated.

    Raises ExpressionFault for what isn't JSONata, and for a function that the runtime doesn't offer.
    """
    from jlens import JlensError

    if not text.strip():
        raise ExpressionFault("the expression is empty")
    if len(text) > LONGEST_TEXT:
        raise ExpressionFault(f"the expression is longer than {LONGEST_TEXT} characters", LONGEST_TEXT)
    rewritten = rewrite(text)
    try:
        compiled = _engine(rewritten.text)
    except JlensError as error:
        offset = error.start if error.start is not None else error.position or 0
        raise ExpressionFault(_message(error), rewritten.original(offset), code=error.code) from error
    except ValueError as error:  # a lone surrogate
        raise ExpressionFault(f"not text: {error}", code="S0000") from error
    reading = read_tokens(rewritten.text)
    if reading.faults:
        fault = reading.faults[0]
        raise ExpressionFault(fault.message, rewritten.original(fault.offset), code="NOT_ALLOWED")
    return Expression(text, rewritten, compiled, reading)


def _engine(text: str) -> Any:
    """The engine's form of a text, with the functions that its words could call.

    They are registered here: handed over with each evaluation they would cost more than most evaluations.
    """
    from jlens import Expression as Engine

    engine = Engine(text)
    for name, function in _HOST.items():
        if name in text:
            engine.register_function(name, function)
    return engine


def _message(error: Any) -> str:
    """The engine's words without its number, the first letter small: they follow a place."""
    text = str(error)
    return text[:1].lower() + text[1:]


def _text(bindings: Mapping[str, Any]) -> str:
    return json.dumps(bindings, default=dict, ensure_ascii=False)


def _is_within(value: Any, limit: int) -> bool:
    """Whether the JSON text of `value` has at most `limit` UTF-16 code units."""
    if value is None or isinstance(value, (bool, int, float)):
        return True
    if isinstance(value, str) and len(value) * 6 + 2 <= limit:  # \\u00xx is the longest way to write one
        return True
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode("utf-16-le", "surrogatepass")) // 2 <= limit


def _coalesce(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _coalesced(*values: Any) -> dict[str, Any]:
    return {"v": _coalesce(*values)}


def _len(value: Any = None, *_more: Any) -> int:
    if isinstance(value, str):
        return len(value.encode("utf-16-le", "surrogatepass")) // 2
    return len(value) if isinstance(value, list) else 0


def to_string(value: Any = None, *_more: Any) -> str:
    """`value` as text: nothing as "", numbers as JavaScript writes them, lists and objects as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, int, float)):
        from gitsync.workflow.canonical import canonical_bytes

        return canonical_bytes(float(value) if type(value) is int else value).decode().rstrip("\n")
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _append(items: Any = None, value: Any = None, *_more: Any) -> list[Any]:
    head = items if isinstance(items, list) else [items]
    return [*head, *value] if isinstance(value, list) else [*head, value]


_clock = threading.local()
"""What nowIso answers in this thread's evaluation."""

_HOST: Final[Mapping[str, Any]] = {
    "nowIso": lambda *_: _clock.now,
    "coalesce": _coalesce,
    "coalesced": _coalesced,
    "len": _len,
    "toString": to_string,
    "append": _append,
}
