"""Whether a value is what a test expects, and where not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from gitsync.errors import plural
from gitsync.runtime.redact import MASK

EXACT: Final = "$exact"
ABSENT: Final = "$absent"
MATCHES: Final = "$matches"
_LONGEST: Final = 200


def differences(expected: Any, actual: Any, *, path: str = "", is_exact: bool = False) -> Iterator[str]:
    """One line for each place where `actual` isn't what is expected, in the order of `expected`.

    An object need only hold what is expected of it; a list is compared item by item. ``{$exact: …}`` allows
    nothing more, ``{$absent: true}`` nothing at all, ``{$matches: …}`` is a regular expression for a text.
    """
    if isinstance(expected, dict) and len(expected) == 1:
        ((operator, value),) = expected.items()
        if operator == EXACT:
            yield from differences(value, actual, path=path, is_exact=True)
            return
        if operator == MATCHES:
            if not (isinstance(actual, str) and re.search(str(value), actual)):
                yield f"{path or 'value'}: expected text that matches {value!s}, got {show(actual)}"
            return
    if expected == MASK or (
        isinstance(expected, str) and isinstance(actual, str) and _fits(expected, actual)
    ):
        return
    if isinstance(expected, dict) and isinstance(actual, dict):
        yield from _members(expected, actual, path, is_exact=is_exact)
    elif isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            yield f"{path or 'value'}: expected {plural(len(expected), 'item')}, got {plural(len(actual), 'item')}: {show(actual)}"
            return
        for index, item in enumerate(expected):
            yield from differences(item, actual[index], path=f"{path}[{index}]", is_exact=is_exact)
    elif not _same(expected, actual):
        yield f"{path or 'value'}: expected {show(expected)}, got {show(actual)}"


def _fits(expected: str, actual: str) -> bool:
    """Whether the texts agree but for what was masked when the test was recorded."""
    if MASK not in expected:
        return False
    return re.fullmatch(".*".join(map(re.escape, expected.split(MASK))), actual, re.DOTALL) is not None


def matches(expected: Any, actual: Any) -> bool:
    """Whether `actual` is what is expected."""
    return next(differences(expected, actual), None) is None


def show(value: Any) -> str:
    """The value as short JSON."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _members(expected: dict[str, Any], actual: dict[str, Any], path: str, *, is_exact: bool) -> Iterator[str]:
    for name, value in expected.items():
        where = f"{path}.{name}" if path else name
        if value == {ABSENT: True}:
            if name in actual:
                yield f"{where}: expected nothing, got {show(actual[name])}"
        elif name not in actual:
            yield f"{where}: expected {show(value)}, and it is not there"
        else:
            yield from differences(value, actual[name], path=where, is_exact=is_exact)
    if is_exact:
        for name in sorted(actual.keys() - expected.keys()):
            yield f"{path}.{name}: not expected, got {show(actual[name])}".lstrip(".")


def _same(expected: Any, actual: Any) -> bool:
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if isinstance(expected, (int, float)) and isinstance(actual, (int, float)):
        return expected == actual
    return type(expected) is type(actual) and bool(expected == actual)
