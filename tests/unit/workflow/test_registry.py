from __future__ import annotations

import pytest

from gitsync.errors import ConfigError
from gitsync.workflow.registry import ActionOffer, Registry, read_registry
from gitsync.workflow.types import Json


def test_a_registry_lists_actions_node_types_and_schemas() -> None:
    text = """
actions:
  - email.send@1
  - odd@name@12
  - { actionId: tickets.find, version: 2 }
nodeTypes: [action.call]
schemaRefs:
  - payload.A.v1
"""

    assert read_registry(text.encode(), file="registry.yaml") == Registry(
        actions={
            ("email.send", 1): ActionOffer(),
            ("odd@name", 12): ActionOffer(),
            ("tickets.find", 2): ActionOffer(),
        },
        node_types=frozenset({"action.call"}),
        schemas={"payload.A.v1": None},
    )


def test_an_action_and_a_schema_ref_may_carry_their_schemas() -> None:
    text = """
actions:
  - actionId: tickets.find
    version: 2
    input: &input
      type: object
      required: [ticket_id]
      properties: { ticket_id: { type: string, default: 2024-01-01, examples: [1, 0.5, yes, ~] } }
    output: *input
  - { actionId: tickets.close, version: 1, output: { type: object } }
schemaRefs:
  - { ref: payload.A.v1, schema: { type: object } }
  - { ref: payload.B.v1 }
  - payload.C.v1
"""
    schema: Json = {
        "type": "object",
        "required": ["ticket_id"],
        "properties": {
            "ticket_id": {"type": "string", "default": "2024-01-01", "examples": [1, 0.5, True, None]}
        },
    }

    registry = read_registry(text.encode(), file="registry.yaml")

    assert registry.actions == {
        ("tickets.find", 2): ActionOffer(schema, schema),
        ("tickets.close", 1): ActionOffer(None, {"type": "object"}),
    }
    assert registry.schemas == {
        "payload.A.v1": {"type": "object"},
        "payload.B.v1": None,
        "payload.C.v1": None,
    }


@pytest.mark.parametrize(
    "text", ["", "actions:\n", "# nothing\n", "actions: []\nnodeTypes: []\nschemaRefs: []"]
)
def test_a_runtime_may_offer_nothing(text: str) -> None:
    assert read_registry(text.encode(), file="r.yaml") == Registry()


@pytest.mark.parametrize(
    "text, message",
    [
        ("actions: a: b", "r.yaml:1:11"),
        ("- x", "r.yaml:1:1: expected a mapping"),
        ("\nnodeType: []", 'r.yaml:2:1: nodeType: unknown key "nodeType"; did you mean "nodeTypes"?'),
        ("actions: x", "r.yaml:1:10: actions: expected a list"),
        ("actions:\n  - email.send", "r.yaml:2:5: actions[0]: expected an action and its version"),
        ("actions: [a@0]", "expected an action and its version"),
        ("actions: [a@1.5]", "expected an action and its version"),
        ("actions: [[a@1]]", "expected"),
        ("actions: [{actionId: a}]", "expected an action and its version"),
        ("actions: [{actionID: a, version: 1}]", 'did you mean "actionId"?'),
        ("actions: [{actionId: a, version: 1, inptu: {}}]", 'did you mean "input"?'),
        ("actions: [{actionId: a, version: 1, input: []}]", "actions[0].input: expected a JSON Schema"),
        ("actions: [{actionId: a, version: 1, input: {a: .inf}}]", "actions[0].input.a: .inf is no number"),
        ("actions: [{actionId: a, version: 1, input: {a: 1, a: 2}}]", '"a" is there twice'),
        ("actions: [{actionId: a, version: 1, input: &x {a: [*x]}}]", "an alias that contains itself"),
        ("schemaRefs: [{ref: a, shcema: {}}]", 'did you mean "schema"?'),
        ("schemaRefs: [{schema: {}}]", "schemaRefs[0]: expected a name"),
        ("nodeTypes: [a, {}]", "r.yaml:1:16: nodeTypes[1]: expected a name"),
        ("nodeTypes: [~]", "expected a name"),
        ("actions: []\nactions: []", 'r.yaml:2:1: actions: "actions" is there twice'),
    ],
)
def test_a_fault_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_registry(text.encode(), file="r.yaml")

    assert message in caught.value.message


def test_all_faults_are_reported_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        read_registry(b"actions: [a]\nnodes: []\nschemaRefs: 1\n", file="r.yaml")

    assert [problem["line"] for problem in caught.value.details["problems"]] == [1, 2, 3]
