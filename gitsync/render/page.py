"""Markdown within bounds: blocks while there is room, tables and lists that end in a count of the rest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from gitsync.render.words import code

MOST: Final = 60_000
"""Characters of a page; GitHub refuses a comment of more than 65,536."""
MOST_OF_A_TEXT: Final = 2_000
MOST_OF_A_CELL: Final = 500
MOST_OF_A_TABLE: Final = 20_000
MOST_LISTED: Final = 50
"""Items of a list."""


class Paper:
    """Takes blocks of text as long as there is room; a page's end has some kept for it."""

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._room = MOST - 500

    def add(self, block: str) -> bool:
        """Whether there was room."""
        if len(block) + 2 > self._room:
            return False
        self._room -= len(block) + 2
        self._blocks.append(block)
        return True

    def end(self, note: str = "") -> str:
        """The page."""
        return "\n\n".join([*self._blocks, *([note] if note else [])]) + "\n"


def plain(text: str) -> str:
    """`text` as Markdown that reads as it is, in one line; nobody is called by it."""
    line = " ".join(text.split())
    return re.sub(r"([\\`*_{}\[\]<>|~&#])", r"\\\1", line).replace("@", "@\N{WORD JOINER}")


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], *, coded: bool = True) -> str:
    """A table of three columns, the second one code, as long as is sensible."""
    lines = [f"| {' | '.join(titles)} |", "|---|---|---|"]
    room, left = MOST_OF_A_TABLE, 0
    for first, second, third in rows:
        cell = third if len(third) <= MOST_OF_A_CELL else f"{third[:MOST_OF_A_CELL].rstrip(chr(92))}…"
        line = f"| {first} | {code(second) if coded else second} | {cell} |"
        room -= len(line) + 1
        if room < 0:
            left += 1
        else:
            lines.append(line)
    return "\n".join(lines) + (f"\n\n… and {left} more rows." if left else "")


def bullets(items: Iterable[str], most: int = MOST_OF_A_TABLE // 2) -> str:
    """A list of at most `most` characters; items that start with spaces are below the one before."""
    kept: list[str] = []
    left = 0
    for item in items:
        most -= len(item) + 3
        if most < 0 or len(kept) == MOST_LISTED:
            left += 1
        else:
            kept.append(f"{item[: len(item) - len(item.lstrip(' '))]}- {item.lstrip(' ')}")
    return "\n".join([*kept, *([f"- … and {left} more"] if left else [])])


def with_commands(text: str) -> str:
    """A cure, whose commands stand between back-ticks already."""
    return "".join(
        part if part.startswith("`") else _plain_inside(part) for part in re.split(r"(`[^`]*`)", text)
    )


def _plain_inside(text: str) -> str:
    """As `plain`, with the spaces at both ends kept."""
    before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return before + plain(text) + (after if text.strip() else "")


def shorten(text: str) -> str:
    """`text`, cut where it is very long."""
    return text if len(text) <= MOST_OF_A_TEXT else f"{text[:MOST_OF_A_TEXT]}…"
