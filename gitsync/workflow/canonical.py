"""The one byte form of a JSON value, and its digest.

Order, numbers and strings are RFC 8785's; the layout is two spaces a level and one LF at the end.
orjson writes that form where keys and numbers are harmless, which a walk finds out first; for all else
there is a writer of our own. Both give the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from decimal import Decimal
from json.encoder import encode_basestring  # the C string escaper, where there is one
from typing import Any, Final

import orjson

from gitsync.workflow.types import Digest, Document, Json

MAX_SAFE_INTEGER: Final = 2**53 - 1
MAX_EXPONENT: Final = 1000
"""A Decimal whose exponent lies beyond this, either way, is written with an exponent."""

_OPTIONS: Final = (
    orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_STRICT_INTEGER
)
_VETTED_LIMIT: Final = 20_000
_FIRST_UNORDERED: Final = "\ud800"
"""Strings wholly below this sort alike by code point and by UTF-16 code unit."""

_vetted_keys: set[str] = set()


def canonical_bytes(value: Json, *, known_plain: bool = False) -> bytes:
    """The canonical form of `value`, UTF-8 with one LF at the end; equal values give equal bytes.

    known_plain: `is_plain` holds, as the text that `value` was read from has shown.
    Numbers no double can hold (``int``, ``Decimal``) are written digit for digit, lone surrogates escaped.
    Raises ValueError for NaN and the infinities.
    Source: RFC 8785, sections 3.2.2 and 3.2.3.
    """
    if known_plain or is_plain(value):
        try:
            return dump_plain(value)
        except TypeError:  # a lone surrogate, deeper than orjson goes, or not plain after all
            pass
    text = _write(value) + "\n"
    try:
        return text.encode()
    except UnicodeEncodeError:
        return "".join(
            f"\\u{ord(character):04x}" if "\ud800" <= character <= "\udfff" else character
            for character in text
        ).encode()


def digest_of(data: bytes) -> Digest:
    """The git blob id of `data`."""
    sha1 = hashlib.sha1(b"blob %d\0" % len(data), usedforsecurity=False)
    sha1.update(data)
    return Digest(sha1.hexdigest())


def document_digest(document: Document, *, known_plain: bool = False) -> Digest:
    """The digest of a workflow: of the canonical form of `document`, which is in normal form."""
    return digest_of(canonical_bytes(document, known_plain=known_plain))


def dump_plain(value: Json) -> bytes:
    """The canonical form of a value that `is_plain`.

    Raises TypeError where orjson cannot write it, and for integers beyond ±(2^53-1).
    """
    return orjson.dumps(value, option=_OPTIONS)


def is_plain(value: Json) -> bool:
    """Whether orjson's order and numbers are ECMAScript's for `value`, and a double holds every number."""
    queue: list[Any] = [value]
    extend = queue.extend
    vetted = _vetted_keys.issuperset
    for item in queue:  # grows while it is walked
        kind = type(item)
        if kind is str:
            continue
        if kind is dict:
            if not vetted(item) and not _vet(item):
                return False
            extend(item.values())
        elif kind is list:
            extend(item)
        elif kind is int:
            if not -MAX_SAFE_INTEGER <= item <= MAX_SAFE_INTEGER:
                return False
        elif kind is float:
            if item.is_integer() or not 1e-4 <= abs(item) < 1e16:
                return False
        elif kind is not bool and item is not None:
            return False
    return True


def _vet(mapping: dict[str, Any]) -> bool:
    """Whether all keys sort alike either way; remembers those that do, up to a bound."""
    for key in mapping:
        if key in _vetted_keys:
            continue
        if not key.isascii() and max(key) >= _FIRST_UNORDERED:
            return False
        if len(_vetted_keys) < _VETTED_LIMIT and len(key) <= 100:
            _vetted_keys.add(key)
    return True


def _write(value: Json) -> str:
    """`value` in canonical form without the last LF; nesting is limited by memory alone."""
    parts: list[str] = []
    append = parts.append
    frames: list[tuple[Iterator[tuple[str, Any]], str, str]] = []  # what is left to write, indent, end
    members: Iterator[tuple[str, Any]] = iter([("", value)])
    separator, indent, end = "", "", ""
    while True:
        for label, item in members:
            append(separator + indent + label)
            separator = ","
            if item and isinstance(item, (dict, list)):
                frames.append((members, indent, end))
                end = (indent or "\n") + ("}" if isinstance(item, dict) else "]")
                indent = (indent or "\n") + "  "
                append("{" if isinstance(item, dict) else "[")
                members, separator = _members(item), ""
                break
            append(_scalar(item))
        else:
            if not frames:
                return "".join(parts)
            append(end)
            members, indent, end = frames.pop()
            separator = ","


def _members(container: dict[str, Any] | list[Any]) -> Iterator[tuple[str, Any]]:
    if isinstance(container, list):
        return (("", item) for item in container)
    return ((encode_basestring(key) + ": ", container[key]) for key in _in_order(container))


def _in_order(mapping: dict[str, Any]) -> list[str]:
    keys = sorted(mapping)
    if keys and not all(key.isascii() for key in keys):
        keys.sort(key=_utf16)
    return keys


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be", "surrogatepass")


def _scalar(item: Json) -> str:
    if isinstance(item, str):
        return encode_basestring(item)
    if item is None:
        return "null"
    if isinstance(item, (dict, list)):
        return "{}" if isinstance(item, dict) else "[]"
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, int):
        return int.__repr__(item) if item.bit_length() < 13_000 else format(Decimal(item), "f")
    return _decimal(item) if isinstance(item, Decimal) else _number(item)


def _decimal(number: Decimal) -> str:
    if not number.is_finite():
        raise ValueError(f"{number} is not a JSON number")
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and abs(exponent) > MAX_EXPONENT:
        return str(number).lower()
    return format(number, "f")


def _number(number: float) -> str:
    """`number` as ECMAScript prints it.

    Source: ECMA-262, Number::toString; Python's repr has the same shortest digits.
    """
    text = repr(number)
    if "n" in text:  # nan, inf
        raise ValueError(f"{text} is not a JSON number")
    if number == 0:
        return "0"
    if "e" not in text:
        return text.removesuffix(".0")
    mantissa, _, power = text.partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    digits = mantissa.lstrip("-").replace(".", "")
    point = int(power) + 1
    if len(digits) <= point <= 21:
        return sign + digits.ljust(point, "0")
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{point - 1:+d}"
