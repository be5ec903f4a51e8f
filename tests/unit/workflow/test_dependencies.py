from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gitsync.workflow.dependencies import derive_dependencies
from tests.support.documents import action, call, definition


def actions_of(*steps: Any) -> list[tuple[str, int | float]]:
    derived = derive_dependencies(None, [definition(*steps)])
    return [(entry["actionId"], entry["version"]) for entry in derived["actions"]]


@pytest.mark.parametrize(
    "version, number",
    [
        (1, 1),
        ("1", 1),
        (" 2 ", 2),
        ("\ufeff3\u2003", 3),
        ("0x1F", 31),
        ("0b11", 3),
        ("0o17", 15),
        ("1e0", 1),
        ("+4", 4),
        ("5.", 5),
        (".5", 0.5),
        (2.0, 2),
        (1.5, 1.5),
        (Decimal(3), 3),
        (2**53 - 1, 2**53 - 1),
        (2**53 + 1, float(2**53)),
    ],
)
def test_a_version_is_what_javascript_makes_of_it(version: Any, number: float) -> None:
    assert actions_of(action("a", version)) == [("a", number)]


@pytest.mark.parametrize(
    "version",
    ["", " ", "abc", "1_000", "-1", "-0x1", "0x", "Infinity", "1e999", "١", "\x1c1", 0, -1, True, None, [1], {},
     10**400, Decimal("1e999")],
)  # fmt: skip
def test_a_version_that_is_no_number_above_zero_names_no_action(version: Any) -> None:
    assert actions_of(action("a", version)) == []


def test_names_are_trimmed_and_deduplicated_as_the_product_does() -> None:
    steps = [action(" a "), action("a", "1"), action("a", 2), action("\x85b"), action(" "), action(5)]

    assert actions_of(*steps) == [("a", 1), ("a", 2), ("\x85b", 1)]


def test_steps_are_found_in_every_branch_and_nowhere_else() -> None:
    inner = {
        "id": "f",
        "type": "control.forEach",
        "body": [
            {"id": "t", "type": "control.tryCatch", "try": [action("in.try")], "catch": [action("in.catch")]}
        ],
        "then": [action("not.here")],
    }
    outer = {"id": "i", "type": "control.if", "then": [inner, action("in.then")], "else": [action("in.else")]}
    hidden = {
        "id": "x",
        "type": "custom",
        "steps": [action("nor.here")],
        "config": {"body": [action("nor.there")]},
    }

    derived = derive_dependencies(
        None, [definition(outer, hidden, call("id"), {"id": "e", "type": ""}, None, 5)]
    )

    assert [entry["actionId"] for entry in derived["actions"]] == ["in.catch", "in.else", "in.then", "in.try"]
    assert derived["nodeTypes"] == ["action.call", "custom"]


def test_schema_refs_come_from_definitions_event_triggers_and_the_pinned_column() -> None:
    event = {"type": "event", "sourcePayloadSchemaRef": " payload.Source.v1 "}
    clock = {"type": "recurring", "sourcePayloadSchemaRef": "payload.Clock.v1"}

    derived = derive_dependencies(
        " pinned ",
        [
            definition(trigger=event),
            definition(trigger=clock, payloadSchemaRef="  "),
            {"payloadSchemaRef": 5},
            None,
            [],
        ],
    )

    assert derived["schemaRefs"] == [" pinned ", "payload.A.v1", "payload.Source.v1"]
    assert derive_dependencies("", [])["schemaRefs"] == []


def test_names_are_sorted_by_code_point() -> None:
    steps = [{"id": "s", "type": name} for name in ("b", "B", "a_", "a-", "a.", "a1", "\U00010000", "\uffff")]

    assert derive_dependencies(None, [definition(*steps)])["nodeTypes"] == [
        "B", "a-", "a.", "a1", "a_", "b", "\uffff", "\U00010000"
    ]  # fmt: skip


def test_nesting_deeper_than_pythons_stack_is_walked() -> None:
    step: Any = action("deep")
    for _ in range(5000):
        step = {"id": "i", "type": "control.if", "then": [step]}

    assert actions_of(step) == [("deep", 1)]
