"""What comes from a workflow, a file's name or a server is text, whatever a terminal or a CI system would make of it."""

from __future__ import annotations

import re
from typing import Final

_CONTROLS: Final = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
"""Controls, marks that turn the direction of writing, line ends that only some programs see, and halves of characters."""
_IN_A_LINE: Final = re.compile(f"[\t\n{_CONTROLS}]")
_IN_A_TEXT: Final = re.compile(f"[{_CONTROLS}]")
_COMMAND: Final = re.compile(r"(?m)^([^\S\n]*):(?=:)|#(?=#(?:\[|[a-z]+\[))")
"""Where a line would be a command to GitHub's runner (``::add-mask::``, ``##[group]``), to Azure's or TeamCity's."""


def printable(text: str) -> str:
    r"""One line in which each control character and mark of direction is written out, such as ``\x1b``."""
    return _without_commands(_IN_A_LINE.sub(_escaped, text))


def printable_text(text: str) -> str:
    """As `printable`, of a text whose lines stay lines."""
    return _without_commands(_IN_A_TEXT.sub(_escaped, text))


def printable_json(text: str) -> str:
    """JSON of the same value, its strings without such characters."""
    return re.sub(r"#(?=#)", r"\\u0023", _IN_A_TEXT.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    short = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}.get(character)
    number = ord(character)
    return short or (f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}")


def _without_commands(text: str) -> str:
    if "::" not in text and "##" not in text:
        return text
    return _COMMAND.sub(lambda found: f"{found[1]}\\x3a" if found[1] is not None else r"\x23", text)
