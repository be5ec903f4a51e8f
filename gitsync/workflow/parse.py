"""From bytes to JSON values: strictly where a person wrote them, exactly where a database did.

A file that is canonical already is accepted by comparing bytes; everything else is read by json's C
scanner, and read again by `scan`, which knows positions, only where something is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import orjson

from gitsync.errors import InvalidInput, Problem, first_of
from gitsync.workflow.canonical import MAX_EXPONENT, canonical_bytes
from gitsync.workflow.scan import MAX_NESTING, Scan, parse_number, scan
from gitsync.workflow.types import Json

_BOM: Final = b"\xef\xbb\xbf"
_STAND_INS: Final = {
    b"version https://git-lfs.github.com/spec/": "a pointer of Git LFS",
    b"\0GITCRYPT\0": "a file encrypted by git-crypt",
}
_UNFILTER: Final = "take its `filter=` out of .gitattributes, then `git add --renormalize .`, and commit"
_DEEP_INDENT: Final = b"\n" + b"  " * MAX_NESTING
_ESCAPED_HAZARD: Final = re.compile(r"\\u(?:0000|[dD][89abAB])")

# What matters of a text is searched in a copy with one character for each class of characters, which is ten
# times faster than a search for classes: digits are "0", ends of a value ",", and "^" begins a character
# that UTF-16 and code points may order differently.
_CLASSES: Final = bytes.maketrans(
    bytes(range(256)),
    bytes(
        ord("0") if byte in b"0123456789" else
        ord("E") if byte in b"eE" else
        ord("-") if byte in b"+-" else
        ord(",") if byte in b",]} \t\n\r" else
        ord("^") if byte >= 0xEE else
        byte if byte in b'.":\\' else
        ord("x")
        for byte in range(256)
    ),
)  # fmt: skip
_LONG_NUMBER: Final = b"0" * 16
_DECIMAL: Final = b"0.0"
_WHOLE_DECIMAL: Final = re.compile(rb"\.0(?:0*[,\]}\s]|0*\Z|000)")
_EXPONENT: Final = re.compile(rb"0E-?0+(?:,|\Z)")
_LARGE_EXPONENT: Final = re.compile(rb"0E-?0000*(?:,|\Z)")
_UNORDERED_KEY: Final = re.compile(rb'\^[^"]*",*:')


def parse_json(data: bytes, *, file: str) -> Json:
    r"""The value of `data`, which a person may have written.

    Numbers that a double would change come as ``int`` or ``Decimal``.
    Raises InvalidInput with every fault that one pass can see: syntax, duplicate keys, NaN, a BOM,
    invalid UTF-8, half surrogate pairs, ``\u0000``, nesting beyond 200 levels, absurd exponents.
    """
    try:
        value: Json = orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    else:
        if _DEEP_INDENT not in data and b"\\u0000" not in data and canonical_bytes(value) == data:
            return value
    text, problems = _decode(data, file=file)
    if not problems:
        try:
            return _parse_strictly(text)
        except (ValueError, RecursionError):
            pass
    problems += scan(text, file=file).problems
    raise invalid_input(problems)


def most_values(data: bytes | bytearray) -> int:
    """The number of values that a JSON text can hold at most, told without parsing: memory grows with them."""
    return 1 + data.count(b",") + data.count(b"[") + data.count(b"{")


def parse_plain(data: bytes) -> Json:
    """The value of `data`, whose numbers and keys look plain (`canonical.is_plain`); else ``None``.

    For a file that may be canonical as it stands. The caller compares `canonical.dump_plain` of the value
    with `data`: where they are equal, there was no duplicate key and no other layout.
    """
    if not _judge(data)[1] or _DEEP_INDENT in data:
        return None
    try:
        return orjson.loads(data)  # type: ignore[no-any-return]
    except orjson.JSONDecodeError:
        return None


def parse_again(data: bytes) -> Any:
    """The value of `data` that `parse_json` has accepted before, and found canonical and portable."""
    return orjson.loads(data)


def parse_stored(text: str | bytes) -> Json:
    """The value of JSON text out of a database, each number kept digit for digit.

    The syntax is trusted, so duplicate keys, half surrogate pairs and any depth are taken as they are.
    Raises InvalidInput where it isn't JSON after all.
    """
    return parse_stored_judged(text)[0]


def parse_stored_judged(text: str | bytes) -> tuple[Json, bool]:
    """`parse_stored`, and whether the value is known to be plain (`canonical.is_plain`); ``False`` means: look."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    try:
        return _parse_exactly(data)
    except UnicodeDecodeError as error:
        raise invalid_input([_not_utf8(data, error, file="database")]) from None
    except (ValueError, RecursionError):
        found = scan(data.decode("utf-8", "surrogatepass"), file="database", is_stored=True)
        if found.problems:
            raise invalid_input(found.problems) from None
        return found.value, False


def parse_received(data: bytes, *, most: int) -> Json:
    """The value of JSON text that another machine has sent, each number kept digit for digit.

    Takes memory for `most` values at most. Raises ValueError where it is no JSON, OverflowError where it holds more
    values than that, and RecursionError where they stand too deep in one another.
    """
    if most_values(data) > most:
        raise OverflowError
    return _parse_exactly(data)[0]


def _parse_exactly(data: bytes) -> tuple[Json, bool]:
    """The value of `data`, and whether it is known to be plain; raises ValueError and RecursionError."""
    is_exact, is_plain = _judge(data)
    if is_exact:
        try:
            return orjson.loads(data), is_plain
        except orjson.JSONDecodeError:
            pass
    text = data.decode("utf-8", "surrogatepass")
    numbers: dict[str, Any] = {"parse_int": parse_number, "parse_float": parse_number}
    return json.loads(text, parse_constant=_refuse, **numbers), False


def _judge(data: bytes) -> tuple[bool, bool]:
    """Whether a double holds every number of a JSON text, and whether its value is known to be plain.

    Told by the text alone, in half the time that a walk over the value takes. Plain is what has no exponent,
    no 1.0 or 0.00001, no long number, and no key with an unusual character.
    """
    classes = data.translate(_CLASSES)
    has_exponent = _EXPONENT.search(classes) is not None
    has_decimal = _DECIMAL in classes
    if _LONG_NUMBER in classes or (has_exponent and _LARGE_EXPONENT.search(classes)):
        return False, False
    if has_decimal and _LONG_NUMBER in classes.replace(b".", b"0"):
        return False, False
    if has_exponent or (has_decimal and _WHOLE_DECIMAL.search(data)):
        return True, False
    if b"\\" in classes and (b"^" in classes or b"\\u" in data):
        return True, False
    return True, b"^" not in classes or not _UNORDERED_KEY.search(classes)


def scan_bytes(data: bytes, *, file: str = "") -> Scan:
    """Where everything in `data` stands; to explain failures, since it takes milliseconds a file."""
    return scan(data.removeprefix(_BOM).decode("utf-8", "replace"), file=file)


def invalid_input(problems: Sequence[Problem]) -> InvalidInput:
    """The error that carries `problems`; its code is theirs, where they share one."""
    rules = {problem.rule for problem in problems}
    return InvalidInput(
        first_of(sorted(problems)),
        problems=problems,
        code=rules.pop() if len(rules) == 1 else "INVALID_WORKFLOW",
    )


def _decode(data: bytes, *, file: str) -> tuple[str, list[Problem]]:
    problems: list[Problem] = []
    for beginning, what in _STAND_INS.items():
        if data.startswith(beginning):
            message = f"this is {what}, and not the workflow: gitsync reads what is committed"
            raise invalid_input([Problem(file, 1, 1, "", "INVALID_JSON", message, _UNFILTER)])
    if data.startswith(_BOM):
        data = data.removeprefix(_BOM)
        cure = "save it as UTF-8 without BOM"
        problems.append(Problem(file, 1, 1, "", "INVALID_JSON", "the file starts with a BOM", cure))
    try:
        return data.decode(), problems
    except UnicodeDecodeError as error:
        raise invalid_input([*problems, _not_utf8(data, error, file=file)]) from None


def _not_utf8(data: bytes, error: UnicodeDecodeError, *, file: str) -> Problem:
    before = data[: error.start]
    line = before.count(b"\n") + 1
    column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
    message = f"the byte 0x{data[error.start]:02x} is not UTF-8"
    return Problem(file, line, column, "", "INVALID_JSON", message, "save it as UTF-8")


def _parse_strictly(text: str) -> Json:
    """The value of `text`; raises ValueError for anything that `scan` should look at."""
    if _ESCAPED_HAZARD.search(text):
        found = scan(text)  # a pair of surrogates is fine, a half isn't
        if found.problems:
            raise ValueError(text)
        return found.value
    value: Json = json.loads(
        text,
        object_pairs_hook=_unique,
        parse_int=parse_number,
        parse_float=_parse_fraction,
        parse_constant=_refuse,
    )
    if text.count("[") + text.count("{") > MAX_NESTING and _depth(value) > MAX_NESTING:
        raise ValueError(text)
    return value


def _parse_fraction(text: str) -> int | float | Decimal:
    number = parse_number(text)
    if isinstance(number, Decimal):
        exponent = number.as_tuple().exponent
        if isinstance(exponent, int) and abs(exponent) > MAX_EXPONENT:
            raise ValueError(text)
    return number


def _refuse(text: str) -> Json:
    raise ValueError(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError(pairs)
    return mapping


def _depth(value: Json) -> int:
    """How many containers stand inside one another at the deepest place."""
    depth = 0
    level: list[Any] = [value]
    while containers := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        level = [
            child for item in containers for child in (item.values() if isinstance(item, dict) else item)
        ]
    return depth
