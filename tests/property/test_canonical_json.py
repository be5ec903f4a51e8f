from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import orjson
import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from gitsync.errors import InvalidInput
from gitsync.workflow.canonical import _write as write_slowly
from gitsync.workflow.canonical import canonical_bytes, dump_plain, is_plain
from gitsync.workflow.parse import parse_json, parse_plain, parse_stored, parse_stored_judged
from tests.support.strategies import json_values

TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[^"\s]+|\s+')


def without_layout(data: bytes) -> bytes:
    return b"".join(token for token in TOKEN.findall(data) if not token.isspace())


@given(json_values)
@example({"\ue000": 1, "\U00010000": 2, "\uffff": 3})
@example([1.0, -0.0, 1e16, 5e-324, 1e-7, 1e-6, 123456789012345.6])
def test_order_numbers_and_strings_are_those_of_an_independent_rfc_8785(value: Any) -> None:
    assert without_layout(canonical_bytes(value)) == rfc8785.dumps(value)


@given(json_values)
def test_the_fast_writer_and_our_own_agree_wherever_the_fast_one_is_used(value: Any) -> None:
    if is_plain(value):
        assert canonical_bytes(value) == write_slowly(value).encode() + b"\n"


@given(json_values, st.sampled_from([None, 0, 3, "\t"]), st.booleans())
@example({"\ue000": 1, "\U00010000": 2}, None, False)
@example({"\ue000": 1, "\U00010000": 2}, None, True)
@example({"key": "\U0001f514 in a value, then a key:", "b": '2026-01-0, ": '}, 2, False)
@example([1.0, -0.0, 1e16, 5e-324, 1e-7, 0.00001, 1e300, -0], None, False)
@example([9007199254740992, 9007199254740991, 123456789.12345678], None, False)
def test_what_the_text_shows_to_be_plain_is_plain(value: Any, indent: int | str | None, ascii_: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_, sort_keys=True)

    parsed, is_known_plain = parse_stored_judged(text)

    assert not is_known_plain or is_plain(parsed)
    assert not is_known_plain or canonical_bytes(parsed, known_plain=True) == canonical_bytes(parsed)


@given(json_values)
@example({"\ue000": 1, "\U00010000": 2})
@example({'\U00010000"b': 1, "\ue000": 2})
@example([1.0, -0.0])
@example([1e16])
@example([0.00001])
@example([2**53, 2**63])
def test_no_file_that_is_not_canonical_takes_the_fast_way(value: Any) -> None:
    try:
        data = orjson.dumps(
            value, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        )
        is_accepted = (parsed := parse_plain(data)) is not None and dump_plain(parsed) == data
    except TypeError:
        return

    assert not is_accepted or data == canonical_bytes(value)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [1, 2, "1.2.3", "2026-01-05", "8e12", 0.25], "é": "x: y"}',
        '{"a": "\U0001f514 here", "b": {"c": [true, null, -5]}}',
        '{\n  "version": 12,\n  "name": "契約、更新"\n}\n',
    ],
)
def test_ordinary_text_is_seen_to_be_plain(text: str) -> None:
    assert parse_stored_judged(text)[1]


@given(json_values)
def test_the_layout_is_that_of_an_indented_json_dump(value: Any) -> None:
    data = canonical_bytes(value)

    assert len(data.splitlines()) == len(json.dumps(value, indent=2).splitlines())
    assert data.endswith(b"\n")
    assert not data.endswith(b"\n\n")


@given(json_values)
def test_parsing_undoes_writing(value: Any) -> None:
    data = canonical_bytes(value)

    assert parse_json(data, file="a.json") == value
    assert parse_stored(data) == value
    assert canonical_bytes(parse_json(data, file="a.json")) == data


@given(json_values, st.sampled_from([None, 0, 3, "\t"]), st.booleans())
def test_layout_and_escapes_of_the_input_change_nothing(
    value: Any, indent: int | str | None, ascii_: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_)

    assert canonical_bytes(parse_json(text.encode(), file="a.json")) == canonical_bytes(value)
    assert canonical_bytes(parse_stored(text)) == canonical_bytes(value)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 9)), st.randoms())
def test_key_order_is_irrelevant(mapping: dict[str, int], random: Any) -> None:
    items = list(mapping.items())
    random.shuffle(items)

    assert canonical_bytes(dict(items)) == canonical_bytes(dict(mapping.items()))


@given(st.decimals(allow_nan=False, allow_infinity=False, places=30), st.integers())
def test_numbers_that_no_double_holds_keep_every_digit(fraction: Decimal, whole: int) -> None:
    text = f'{{"fraction": {fraction:f}, "whole": {whole}}}'

    for value in (parse_stored(text), parse_json(text.encode(), file="a.json")):
        assert isinstance(value, dict)
        written = json.loads(canonical_bytes(value), parse_float=Decimal, parse_int=Decimal)

        assert written == {"fraction": fraction, "whole": Decimal(whole)}


NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)


@given(NUMBERS)
@example("1e400")
@example("1e-400")
@example("123456789012345678")
@example("0.1000000000000000055511151231257827")
def test_a_stored_number_is_never_changed(text: str) -> None:
    value = parse_stored(f'{{"a": [{text}], "uuid": "8e123-4e5678"}}')

    assert isinstance(value, dict)
    number: Any = value["a"][0]  # type: ignore[index]
    exact = Decimal(repr(number)) if isinstance(number, float) else Decimal(number)
    assert exact == Decimal(text)


def refusal(data: bytes) -> InvalidInput | None:
    try:
        parse_json(data, file="a.json")
    except InvalidInput as error:
        return error
    return None


@given(st.binary(max_size=60))
def test_any_bytes_are_a_value_or_an_error_with_a_place(data: bytes) -> None:
    error = refusal(data)

    assert error is None or error.problems
    assert error is None or all(problem.line >= 1 and problem.column >= 1 for problem in error.problems)


TOKENS = [
    "[",
    "]",
    "{",
    "}",
    '"a"',
    '"b"',
    ":",
    ",",
    "1",
    "-",
    "0",
    "1.5",
    "1e5",
    "true",
    "null",
    " ",
    "\n",
    "NaN",
    '"\\',
    "u",
    "\t",
]


@given(st.lists(st.sampled_from(TOKENS), max_size=12).map("".join))
@example('{"a": 1, "a": 1}')
@example("[1, 2, {}]")
def test_the_strict_reader_refuses_what_json_refuses_and_what_it_takes_too_lightly(text: str) -> None:
    def lightly(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError(pairs)
        return dict(pairs)

    def constant(name: str) -> Any:
        raise ValueError(name)

    try:
        json.loads(text, object_pairs_hook=lightly, parse_constant=constant)
        is_valid = True
    except ValueError:
        is_valid = False

    assert (refusal(text.encode()) is None) is is_valid


@pytest.mark.parametrize("depth", [150, 254, 255, 1023, 1024, 1500])
def test_any_depth_out_of_a_database_is_read_and_written_without_recursion(depth: int) -> None:
    text = "[" * depth + "1" + "]" * depth

    value = parse_stored(text)

    assert without_layout(canonical_bytes(value)) == text.encode()
