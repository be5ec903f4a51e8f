"""How messages count and list: stated once, for all that gitsync says."""

from __future__ import annotations

import pytest

from gitsync.errors import first_of, listed, noun_for, plural, shortlist


@pytest.mark.parametrize(
    "count, noun, text",
    [
        (0, "workflow", "0 workflows"),
        (1, "workflow", "1 workflow"),
        (2, "uncommitted file", "2 uncommitted files"),
        (1, "dependency", "1 dependency"),
        (2, "dependency", "2 dependencies"),
        (2, "key", "2 keys"),
    ],
)
def test_a_noun_agrees_with_its_count(count: int, noun: str, text: str) -> None:
    assert plural(count, noun) == text
    assert text == f"{count} {noun_for(count, noun)}"


@pytest.mark.parametrize(
    "names, text", [("", ""), ("a", "a"), ("abc", "a, b, c"), ("abcde", "a, b, c and 2 more")]
)
def test_a_list_in_one_line_names_the_first_and_counts_the_rest(names: str, text: str) -> None:
    assert listed([*names], 3) == text


def test_a_list_of_lines_ends_in_how_many_are_left_out() -> None:
    assert shortlist(["a", "b"], 2) == ["a", "b"]
    assert shortlist(["a", "b", "c"], 2) == ["a", "b", "and 1 more"]
    assert shortlist(["a", "b", "c"], 1, rest=" settings") == ["a", "and 2 more settings"]


def test_the_first_fault_stands_for_all() -> None:
    assert first_of(["a"]) == "a"
    assert first_of(["a", "b", "c"]) == "a (and 2 more)"
    assert first_of(["a", "b", "c"], 2) == "a; b (and 1 more)"
