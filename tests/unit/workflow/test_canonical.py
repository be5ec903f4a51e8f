from __future__ import annotations

import json
import struct
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gitsync.workflow.canonical import (
    MAX_SAFE_INTEGER,
    canonical_bytes,
    digest_of,
    document_digest,
    is_plain,
)
from gitsync.workflow.parse import parse_json, parse_stored
from tests.support.documents import document

FIXTURES = Path(__file__).parents[2] / "fixtures"


def vectors(name: str) -> list[Any]:
    found: list[Any] = json.loads((FIXTURES / f"javascript_{name}.json").read_bytes())
    return found


def test_numbers_are_printed_as_javascript_prints_them() -> None:
    cases = [(struct.unpack(">d", bytes.fromhex(bits))[0], printed) for bits, printed in vectors("numbers")]

    wrong = [
        (number, printed) for number, printed in cases if canonical_bytes(number) != f"{printed}\n".encode()
    ]

    assert len(cases) >= 5000
    assert wrong == []


def test_strings_are_escaped_as_javascript_escapes_them() -> None:
    cases = [("".join(map(chr, points)), printed) for points, printed in vectors("strings")]

    wrong = [text for text, printed in cases if canonical_bytes(text) != f"{printed}\n".encode()]

    assert len(cases) >= 500
    assert wrong == []


def test_keys_are_ordered_by_utf_16_code_units_even_those_like_numbers() -> None:
    orders = [["".join(map(chr, points)) for points in keys] for keys in vectors("key_orders")]

    wrong = [
        keys for keys in orders if list(json.loads(canonical_bytes(dict.fromkeys(reversed(keys))))) != keys
    ]

    assert ["-1", "01", "1", "10", "4294967294", "4294967295", "9", "a"] in orders
    assert wrong == []


def test_whole_documents_are_written_as_javascript_writes_them() -> None:
    texts = [text.encode() for text in vectors("documents")]

    assert [text for text in texts if canonical_bytes(parse_json(text, file="a.json")) != text] == []
    assert [text for text in texts if canonical_bytes(parse_stored(text)) != text] == []


@pytest.mark.parametrize(
    "value, text",
    [
        (1.0, "1"),
        (-0.0, "0"),
        (1e21, "1e+21"),
        (1e20, "100000000000000000000"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (2**64, "18446744073709551616"),
        (Decimal("1.10"), "1.10"),
        (Decimal("1E+30"), "1" + "0" * 30),
        (Decimal("1E-30"), "0." + "0" * 29 + "1"),
        (Decimal("1E+9999"), "1e+9999"),
        (True, "true"),
        ({}, "{}"),
        ([], "[]"),
        ([[], {}], "[\n  [],\n  {}\n]"),
        ({"b": 1, "a": [None]}, '{\n  "a": [\n    null\n  ],\n  "b": 1\n}'),
        ("\x7f\u2028/é😀", '"\x7f\u2028/é😀"'),
        ('\x00\x1f\b\t\n\f\r"\\', '"\\u0000\\u001f\\b\\t\\n\\f\\r\\"\\\\"'),
        ("a\ud800b", '"a\\ud800b"'),
        ({"\udfff": "é"}, '{\n  "\\udfff": "é"\n}'),
    ],
)  # fmt: skip
def test_a_value_has_one_form(value: Any, text: str) -> None:
    assert canonical_bytes(value) == text.encode() + b"\n"


def test_an_integer_longer_than_python_prints_is_written_digit_for_digit() -> None:
    assert canonical_bytes(-(10**5000)) == b"-1" + b"0" * 5000 + b"\n"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("nan"), Decimal("-Infinity")])
def test_what_is_no_json_number_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="not a JSON number"):
        canonical_bytes([value])


@pytest.mark.parametrize(
    "value, is_regular",
    [
        ({"a": [1, 1.5, "é", None, True]}, True),
        (MAX_SAFE_INTEGER, True),
        (MAX_SAFE_INTEGER + 1, False),
        (-MAX_SAFE_INTEGER - 1, False),
        (1.0, False),
        (0.00001, False),
        (Decimal("1.5"), False),
        ({"日本": 1}, True),
        ({"\U00010000": 1}, False),
        ({"\ue000": 1}, False),
    ],
)
def test_only_what_both_writers_write_alike_takes_the_fast_way(value: Any, is_regular: bool) -> None:
    assert is_plain(value) is is_regular


def test_many_keys_do_not_grow_the_memory_for_ever() -> None:
    from gitsync.workflow import canonical

    for number in range(30_000):
        assert is_plain({f"key-{number}": 1})

    assert len(canonical._vetted_keys) <= canonical._VETTED_LIMIT


def test_a_digest_is_gits_own(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    workflow = document("a")
    file.write_bytes(canonical_bytes(workflow))

    said = subprocess.run(
        ["git", "hash-object", "--no-filters", str(file)], capture_output=True, text=True, check=True
    ).stdout.strip()

    assert digest_of(file.read_bytes()) == said
    assert document_digest(workflow) == said
    assert digest_of(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
