from __future__ import annotations

import pytest

from gitsync.errors import ConfigError
from gitsync.workflow.registry import Registry, read_registry


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
        actions=frozenset({("email.send", 1), ("odd@name", 12), ("tickets.find", 2)}),
        node_types=frozenset({"action.call"}),
        schema_refs=frozenset({"payload.A.v1"}),
    )


@pytest.mark.parametrize(
    "text", ["", "actions:\n", "# nothing\n", "actions: []\nnodeTypes: []\nschemaRefs: []"]
)
def test_a_runtime_may_offer_nothing(text: str) -> None:
    assert read_registry(text.encode(), file="r.yaml") == Registry(frozenset(), frozenset(), frozenset())


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
