"""The JSON Schemas of a registry: patterns that would take hours end at once, and those that can't are named."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from gitsync.rules.inputs import check_inputs
from gitsync.runtime.model import RunFault
from gitsync.runtime.schema import accept
from gitsync.workflow import json_schema
from gitsync.workflow.json_schema import iter_faults, iter_unchecked
from gitsync.workflow.registry import ActionOffer, Registry

EVIL = "^(([a-z])+.)+[A-Z]([a-z])+$"
LOOKS_AHEAD = "^(?!x)"
LONG = "a" * 40 + "!"


def messages(schema: Any, value: Any) -> list[str]:
    return [str(fault) for fault in iter_faults(schema, value)]


def test_a_pattern_that_a_backtracking_engine_needs_hours_for_ends_at_once() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": EVIL}}}

    assert [spot.rule for spot in check_inputs("x@1", schema, {"a": LONG}, {})] == ["INPUT_TYPE"]
    with pytest.raises(RunFault, match="does not match"):
        accept(schema, {"a": LONG}, what="the input")


@pytest.mark.parametrize("pattern", [LOOKS_AHEAD, r"(a)\1", "(?<=a)b", "a{1000}{1000}{1000}"])
def test_a_pattern_that_the_engine_cannot_take_is_left_out_and_the_rest_is_checked(pattern: str) -> None:
    schema = {"type": "string", "pattern": pattern, "maxLength": 3}

    assert messages(schema, "x") == []
    assert len(messages(schema, "long")) == 1


def test_properties_that_such_a_pattern_may_name_are_not_refused() -> None:
    schema = {
        "patternProperties": {LOOKS_AHEAD: {"type": "string"}, "^n": {"type": "integer"}},
        "additionalProperties": False,
    }

    assert messages(schema, {"a": 1, "n": "text"}) == ['n: "text" is not of type "integer"']


def test_a_value_that_looks_like_a_pattern_is_none() -> None:
    schema = {
        "properties": {"pattern": {"enum": [{"pattern": LOOKS_AHEAD}]}, "other": {"pattern": LOOKS_AHEAD}}
    }

    assert messages(schema, {"pattern": {"pattern": LOOKS_AHEAD}, "other": "x"}) == []
    assert len(messages(schema, {"pattern": {}})) == 1


def test_places_are_told_as_paths() -> None:
    schema = {"properties": {"a": {"items": {"properties": {"b": {"type": "integer"}}}}}}

    assert messages(schema, {"a": [{}, {"b": "x"}]}) == ['a[1].b: "x" is not of type "integer"']


@pytest.mark.parametrize(
    "schema", [{"type": 5}, {"$ref": "https://example.com/schema.json"}, {"$ref": "#/nowhere"}, "text", None]
)
def test_what_is_no_schema_or_stands_elsewhere_finds_nothing(schema: Any) -> None:
    assert messages(schema, {"a": 1}) == []


def test_an_integer_of_any_size_may_be_a_bound() -> None:
    assert messages({"maximum": 10**30}, 5) == []


def test_equal_schemas_share_one_validator_and_no_more_than_a_thousand_are_kept() -> None:
    schema = {"properties": {"a": {"type": "string", "title": "shared by equal schemas"}}}
    list(check_inputs("x@1", schema, {"a": "b"}, {}))
    before = json_schema._compile.cache_info().misses

    for _ in range(400):
        list(check_inputs("x@1", copy.deepcopy(schema), {"a": "b"}, {}))

    assert json_schema._compile.cache_info().misses == before
    assert json_schema._compile.cache_info().maxsize == 1024


def test_each_unchecked_pattern_of_a_registry_is_named_once() -> None:
    shared: dict[str, Any] = {"items": {"pattern": LOOKS_AHEAD}}
    registry = Registry(
        {("x", 1): ActionOffer(input=shared, output={"patternProperties": {r"(a)\1": shared}})},
        frozenset(),
        {"known": {"pattern": EVIL}, "not known": None},
    )

    assert list(iter_unchecked(registry)) == [LOOKS_AHEAD, r"(a)\1"]
