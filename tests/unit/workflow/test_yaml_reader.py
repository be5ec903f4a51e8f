"""YAML from people: each value with its place, and nothing that ends the process."""

from __future__ import annotations

import pytest

from gitsync.errors import ConfigError
from gitsync.workflow.yaml_reader import MAX_NESTING, compose_yaml, read_located

DEEP = b"[" * 100_000


def test_values_and_names_know_their_places() -> None:
    located = read_located(b"a: 1\nb:\n  - on\n  - 2020-01-01\n", file="x.yaml", rule="R")

    assert located.value == {"a": 1, "b": ["on", "2020-01-01"]}
    assert located.places[("b", 1)] == (4, 5)
    assert located.problems == []


@pytest.mark.parametrize(
    "data, message, place",
    [
        (b"a: [1", "is no YAML: did not find expected ',' or ']'", (2, 1)),
        (DEEP, f"is no YAML: nested deeper than {MAX_NESTING} levels", (1, MAX_NESTING + 1)),
        (b"&a [*a]", "the file is too large, or refers to itself", (1, 1)),
        (b"a: .inf", ".inf is no JSON number", (1, 1)),
    ],
    ids=["broken", "deep", "of-itself", "infinite"],
)
def test_a_fault_has_its_place(data: bytes, message: str, place: tuple[int, int]) -> None:
    (problem,) = read_located(data, file="x.yaml", rule="R").problems

    assert (problem.message, problem.rule) == (message, "R")
    assert (problem.line, problem.column) == place


def test_configuration_is_refused_with_the_same_reason() -> None:
    with pytest.raises(ConfigError, match=f"nested deeper than {MAX_NESTING} levels") as caught:
        compose_yaml(DEEP, file="gitsync.yaml")

    assert caught.value.cure == "mend gitsync.yaml"
