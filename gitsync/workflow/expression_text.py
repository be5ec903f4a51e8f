"""Reading an expression's text: what the runtime makes of it, which functions it calls, what it reads.

The runtime rewrites the text before it compiles it, and allows five functions only. The engine behind
``expressions.py`` knows neither rule and offers no syntax tree, so the few facts needed are read here, from
the tokens of a text that the engine has accepted.
Source: JSONata's own tokenizer rules (strings, regular expressions and names depend on what stands before).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

FUNCTIONS: Final = ("nowIso", "coalesce", "len", "toString", "append")
"""All that an expression may call."""

_REWRITTEN: Final = re.compile(rf"==|(?<![.$\w])(?=(?:{'|'.join(FUNCTIONS)})\()", re.ASCII)
_NAME_ENDS: Final = r"\s.\[\]{}(),@#;:?+\-*/%|=<>^&!~\"'`"
_TOKEN: Final = re.compile(
    rf"""(?P<space>\s+|/\*.*?\*/)
    |(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<quoted>`[^`]*`)
    |(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)
    |(?P<variable>\$[^{_NAME_ENDS}]*)
    |(?P<name>[^{_NAME_ENDS}]+)
    |(?P<operator>\.\.|:=|!=|>=|<=|\*\*|~>|\?:|\?\?|.)""",
    re.VERBOSE | re.DOTALL,
)
_REGEX: Final = re.compile(r"/(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\[])*/[im]*", re.DOTALL)
_WORD_OPERATORS: Final = frozenset({"and", "or", "in"})
_OPENING: Final = frozenset("([{")
_CLOSING: Final = frozenset(")]}")
_OPERAND_SYMBOLS: Final = frozenset(
    {"*", "**", "%"}
)  # wildcard, descendants and parent, where an operand stands


class Lexeme(NamedTuple):
    """A token; `is_operand` says that it stands where an operand is due, not an operator."""

    kind: str
    text: str
    offset: int
    is_operand: bool


class Fault(NamedTuple):
    """What the runtime refuses, and where."""

    message: str
    offset: int


@dataclass(frozen=True, slots=True)
class Rewritten:
    """An expression as the runtime compiles it; `original` finds an offset in the text as it was written."""

    text: str
    _starts: list[int]
    _shifts: list[int]

    def original(self, offset: int) -> int:
        """The offset in the text as the person wrote it."""
        index = bisect_right(self._starts, offset) - 1
        return offset if index < 0 else offset + self._shifts[index]


def rewrite(text: str) -> Rewritten:
    """`text` as the runtime rewrites it: ``==`` becomes ``=``, and ``len(`` becomes ``$len(``, in strings too."""
    parts: list[str] = []
    starts: list[int] = []
    shifts: list[int] = []
    done = length = shift = 0
    for match in _REWRITTEN.finditer(text):
        replacement = "=" if match[0] else "$"
        parts += (text[done : match.start()], replacement)
        length += match.start() - done + len(replacement)
        done = match.end()
        shift += len(match[0]) - len(replacement)
        starts.append(length)
        shifts.append(shift)
    return Rewritten("".join([*parts, text[done:]]), starts, shifts)


def iter_lexemes(text: str) -> Iterator[Lexeme]:
    """The tokens of `text`, white space and comments left out."""
    offset, operand_due = 0, True
    while offset < len(text):
        match = _REGEX.match(text, offset) if operand_due and text.startswith("/", offset) else None
        if match and not text.startswith("/*", offset):
            kind = "regex"
        else:
            match = _TOKEN.match(text, offset)
            assert match is not None
            kind = match.lastgroup or ""
        offset = match.end()
        if kind == "space":
            continue
        word = match[0]
        if kind == "name" and not operand_due and word in _WORD_OPERATORS:
            kind = "operator"
        yield Lexeme(kind, word, match.start(), operand_due)
        if kind != "operator" or word in _CLOSING or (operand_due and word in _OPERAND_SYMBOLS):
            operand_due = False
        else:
            operand_due = True


@dataclass(slots=True)
class Reading:
    """What the tokens of an accepted expression say.

    roots: name and offset of each name that is read from the whole context. faults: what the runtime refuses.
    coalesces: for each direct call of coalesce, where its name stands and where its closing bracket does.
    """

    roots: list[tuple[str, int]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    coalesces: list[tuple[int, int]] = field(default_factory=list)


class _Frame(NamedTuple):
    is_relative: bool  # names in here are fields of something else, not roots
    coalesce: int | None = None  # offset of the name, where this is the argument list of coalesce


_NOTHING: Final = Lexeme("operator", "", -1, is_operand=True)


def read_tokens(text: str) -> Reading:
    """What `text`, an accepted expression as the runtime rewrites it, reads and calls."""
    reading = Reading()
    frames = [_Frame(is_relative=False)]
    before, last = _NOTHING, _NOTHING  # the two tokens in front
    callee_relative = False
    tokens = [*iter_lexemes(text), _NOTHING]
    for index, token in enumerate(tokens[:-1]):
        following = tokens[index + 1]
        relative = frames[-1].is_relative or last.text == "."
        if token.kind == "operator":
            if token.text in _OPENING:
                frames.append(
                    _opened(token, last, before, reading, relative=relative, callee=callee_relative)
                )
            elif token.text in _CLOSING and len(frames) > 1:
                closed = frames.pop()
                if closed.coalesce is not None:
                    reading.coalesces.append((closed.coalesce, token.offset))
            elif token.text == "|" and token.is_operand:  # a transform: its parts look at what it is given
                frames[-1] = frames[-1]._replace(is_relative=True)
        else:
            if token.is_operand:
                callee_relative = relative
            if name := _root(token, following, last, before, relative=relative, frame=frames[-1]):
                reading.roots.append((name, token.offset))
            if token.kind == "variable" and last.text == "~>" and following.text != "(":
                reading.faults.append(Fault(_refusal(token.text), token.offset))
        before, last = last, token
    return reading


def _opened(
    token: Lexeme, last: Lexeme, before: Lexeme, reading: Reading, *, relative: bool, callee: bool
) -> _Frame:
    """The frame that an opening bracket begins; a call of anything but the five functions is a fault."""
    if token.is_operand:
        return _Frame(relative or last.text == "^")
    if token.text != "(":
        return _Frame(is_relative=True)  # a filter, or grouping
    if last.kind == "variable" and last.text[1:] in FUNCTIONS:
        is_plain_coalesce = last.text == "$coalesce" and before.text != "~>"
        return _Frame(callee, last.offset if is_plain_coalesce else None)
    reading.faults.append(
        Fault(_refusal(last.text if last.kind in {"name", "variable"} else ""), last.offset)
    )
    return _Frame(callee)


def _root(
    token: Lexeme, following: Lexeme, last: Lexeme, before: Lexeme, *, relative: bool, frame: _Frame
) -> str | None:
    """The name, where `token` reads one from the whole context."""
    if not token.is_operand:
        return None
    if relative:
        from_root = last.text == "." and (
            before.text == "$$" or (before.text == "$" and before.is_operand and not frame.is_relative)
        )
        if not from_root:
            return None
    match token.kind:
        case "name" if token.text not in {"true", "false", "null"}:
            return token.text
        case "quoted":
            return token.text[1:-1]
        case "string" if following.text == ".":  # the first step of a path may be quoted
            return token.text[1:-1]
        case _:
            return None


def _refusal(called: str) -> str:
    offered = f"the runtime offers only {', '.join(FUNCTIONS[:-1])} and {FUNCTIONS[-1]}"
    if called in FUNCTIONS:
        return f'write "{called}(" without a space: the runtime knows the function only so'
    if called in {"function", "λ"}:
        return f"a function of its own is not allowed in an expression: {offered}"
    if not called:
        return f"a computed call is not allowed in an expression: {offered}"
    return f'the function "{called}" is not allowed in an expression: {offered}'
