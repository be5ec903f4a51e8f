from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from gitsync.errors import InvalidInput, Problem
from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.parse import parse_json, parse_stored, scan_bytes


def problems(data: bytes) -> list[Problem]:
    with pytest.raises(InvalidInput) as caught:
        parse_json(data, file="workflows/a.json")
    return list(caught.value.problems)


@pytest.mark.parametrize(
    "data, line, column, rule, words",
    [
        (b"", 1, 1, "INVALID_JSON", "expected a value, got the end of the file"),
        (b"\n\n", 3, 1, "INVALID_JSON", "expected a value"),
        (b'{"a": 1,}', 1, 9, "INVALID_JSON", 'a comma before "}"'),
        (b"[\n  1,\n]", 3, 1, "INVALID_JSON", 'a comma before "]"'),
        (b"[1 2]", 1, 4, "INVALID_JSON", 'expected "," or "]", got "2"'),
        (b'{"a" 1}', 1, 6, "INVALID_JSON", 'expected ":"'),
        (b"{a: 1}", 1, 2, "INVALID_JSON", "expected a key in double quotes"),
        (b"{\"a\": 'b'}", 1, 7, "INVALID_JSON", "expected a value"),
        (b'{"a": 1', 1, 8, "INVALID_JSON", "got the end of the file"),
        (b"{} x", 1, 4, "INVALID_JSON", "expected the end of the file"),
        (b'["a\nb"]', 1, 4, "INVALID_JSON", "control character"),
        (b'["\\x"]', 1, 3, "INVALID_JSON", "invalid \\escape"),
        (b'["abc]', 1, 2, "INVALID_JSON", "without its closing quote"),
        (b"[01]", 1, 3, "INVALID_JSON", 'expected "," or "]"'),
        (b"[.5]", 1, 2, "INVALID_JSON", "expected a value"),
        (b"[1.]", 1, 3, "INVALID_JSON", 'expected "," or "]"'),
        (b"[+1]", 1, 2, "INVALID_JSON", "expected a value"),
        (b"[True]", 1, 2, "INVALID_JSON", "expected a value"),
        (b"// a comment\n{}", 1, 1, "INVALID_JSON", "expected a value"),
        (b"\xef\xbb\xbf{}", 1, 1, "INVALID_JSON", "BOM"),
        (b'{\n "a": "\xc3\xa9\xff"}', 2, 9, "INVALID_JSON", "0xff is not UTF-8"),
        (b'"\xed\xa0\x80"', 1, 2, "INVALID_JSON", "not UTF-8"),
        ('{"é": 1, "é": 2}'.encode(), 1, 10, "DUPLICATE_JSON_KEY", "stands twice"),
        (b'{\n "a": {"b": 1,\n  "b": 1}}', 3, 3, "DUPLICATE_JSON_KEY", "first on line 2"),
        (b'{"\\u0061": 1, "a": 2}', 1, 15, "DUPLICATE_JSON_KEY", "stands twice"),
        (b"[NaN]", 1, 2, "INVALID_JSON", "NaN is not JSON"),
        (b"[1, -Infinity]", 1, 5, "INVALID_JSON", "-Infinity is not JSON"),
        (b'["\\ud83d"]', 1, 2, "INVALID_JSON", "surrogate"),
        (b'["\\ude00\\ud83d"]', 1, 2, "INVALID_JSON", "surrogate"),
        (b'{"\\u0000": 1}', 1, 2, "INVALID_JSON", "\\u0000"),
        (b'[\n"a\\u0000"\n]', 2, 1, "INVALID_JSON", "\\u0000"),
        (b"[1e1001]", 1, 2, "NUMBER_NOT_PORTABLE", "exponent"),
        (b"[1e-99999999999999999999]", 1, 2, "NUMBER_NOT_PORTABLE", "exponent"),
        (b'{"a": 1,\n<<<<<<< HEAD\n"b": 2}', 2, 1, "INVALID_JSON", "merge conflict marker"),
        (b'{"a": 1\n=======\n}', 2, 1, "INVALID_JSON", "merge conflict marker"),
    ],
)
def test_a_fault_is_named_with_its_place(data: bytes, line: int, column: int, rule: str, words: str) -> None:
    first = problems(data)[0]

    assert (first.file, first.line, first.column, first.rule) == ("workflows/a.json", line, column, rule)
    assert words in first.message


def test_all_hazards_of_a_file_are_reported_at_once() -> None:
    found = problems(b'{"a": NaN,\n "b": 1, "b": "\\u0000",\n "c": ["\\ud800", 1e5000], "d": oops}')

    assert [(problem.line, problem.column, problem.rule) for problem in found] == [
        (1, 7, "INVALID_JSON"),
        (2, 10, "DUPLICATE_JSON_KEY"),
        (2, 15, "INVALID_JSON"),
        (3, 8, "INVALID_JSON"),
        (3, 18, "NUMBER_NOT_PORTABLE"),
        (3, 32, "INVALID_JSON"),
    ]
    assert [problem.path for problem in found] == ["$.a", "$.b", "$.b", "$.c[0]", "$.c[1]", ""]


@pytest.mark.parametrize("opening, closing", [("[", "]"), ('{"a":', "}")])
def test_two_hundred_levels_are_read_and_one_more_is_not(opening: str, closing: str) -> None:
    def nested(levels: int) -> bytes:
        return (opening * levels + "1" + closing * levels).encode()

    value = parse_json(nested(200), file="a.json")

    assert parse_json(canonical_bytes(value), file="a.json") == value
    for deep in (nested(201), canonical_bytes(parse_stored(nested(201))), nested(100_000)):
        assert "deeper than 200" in problems(deep)[0].message


def test_empty_containers_count_as_levels_too() -> None:
    data = canonical_bytes(parse_stored("[" * 201 + "]" * 201))

    assert "deeper than 200" in problems(data)[0].message


@pytest.mark.parametrize(
    "text, value",
    [
        ("1.0", 1.0),
        ("-0", 0),
        ("9007199254740993", 9007199254740993),
        ("9007199254740993.0", Decimal("9007199254740993.0")),
        ("18446744073709551617", 18446744073709551617),
        ("0.1", 0.1),
        ("0.10000000000000000001", Decimal("0.10000000000000000001")),
        ("1e400", Decimal("1e400")),
        ("1e-400", Decimal("1e-400")),
        ("0e5000", 0.0),
        ("5e-324", 5e-324),
        ("9" * 5000, Decimal("9" * 5000)),
    ],
)
def test_a_number_is_what_it_says(text: str, value: Any) -> None:
    for parsed in (parse_json(f"[ {text}]".encode(), file="a.json"), parse_stored(f"[ {text}]")):
        assert isinstance(parsed, list)
        assert parsed[0] == value
        assert type(parsed[0]) is type(value) or isinstance(value, int)


def test_what_a_database_holds_is_taken_as_it_is() -> None:
    text = '{"a": 1, "a": 2, "half": "\\ud800", "zero": "\\u0000", "huge": 1e400, "far": 1e99999}'

    value = parse_stored(text)

    assert value == {
        "a": 2,
        "half": "\ud800",
        "zero": "\0",
        "huge": Decimal("1e400"),
        "far": Decimal("1e99999"),
    }
    assert canonical_bytes(value) == canonical_bytes(parse_stored(text.encode()))


def test_a_column_that_is_no_json_is_an_error() -> None:
    for text in ("{", "[NaN]", "[1e999999999999999999999]", b'"\xff"'):
        with pytest.raises(InvalidInput, match="database"):
            parse_stored(text)


@pytest.mark.parametrize(
    "path, place",
    [
        ((), (1, 1)),
        (("a",), (2, 8)),
        (("b", 1, "c"), (5, 18)),
        (("b", 1, "missing", 4), (5, 12)),
        (("nowhere",), (1, 1)),
    ],
)
def test_a_path_has_a_position_or_that_of_what_is_around_it(
    path: tuple[str | int, ...], place: tuple[int, int]
) -> None:
    data = json.dumps({"a": 1, "b": ["é", {"c": 2}]}, indent=2, ensure_ascii=False).encode()
    data = data.replace(b'{\n      "c": 2\n    }', b'       {"c": 2}')

    assert scan_bytes(data).locate(path) == place
