"""Choosing cases by an expression of words, as ``-k`` of pytest does: ``dunning and not (slow or draft)``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from gitsync.errors import InvalidInput

_TOKEN: Final = re.compile(r"\s*([()]|[^\s()]+)")
Test = Callable[[str], bool]


def selector(expression: str) -> Test:
    """Whether a title is chosen; a word is found anywhere in it, in upper or lower case.

    Raises InvalidInput (INVALID_SELECTION).
    """
    reader = _Reader(_TOKEN.findall(expression))
    try:
        test = reader.either()
        reader.expect_end()
    except ValueError as error:
        raise InvalidInput(
            f"-k {expression!r}: {error}",
            code="INVALID_SELECTION",
            cure="words with and, or, not and brackets: -k 'dunning and not slow'",
        ) from error
    return lambda title: test(title.lower())


class _Reader:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens

    def either(self) -> Test:
        tests = [self._both()]
        while self._take("or"):
            tests.append(self._both())
        return lambda title: any(test(title) for test in tests)

    def expect_end(self) -> None:
        if self._tokens:
            raise ValueError(f"{self._tokens[0]!r} stands where and, or, or the end is due")

    def _both(self) -> Test:
        tests = [self._one()]
        while self._take("and"):
            tests.append(self._one())
        return lambda title: all(test(title) for test in tests)

    def _one(self) -> Test:
        if self._take("not"):
            test = self._one()
            return lambda title: not test(title)
        if self._take("("):
            inner = self.either()
            if not self._take(")"):
                raise ValueError("a bracket is not closed")
            return inner
        if not self._tokens or self._tokens[0].lower() in {")", "and", "or"}:
            raise ValueError("a word is missing")
        word = self._tokens.pop(0).lower()
        return lambda title: word in title

    def _take(self, word: str) -> bool:
        if self._tokens and self._tokens[0].lower() == word:
            del self._tokens[0]
            return True
        return False
