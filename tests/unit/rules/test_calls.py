from __future__ import annotations

from gitsync.rules.calls import check_dependencies, check_references
from gitsync.workflow.registry import ActionOffer, Registry
from gitsync.workflow.types import Key
from tests.support.documents import action, call, definition, document

A, B = Key("a"), Key("b")
FILE = "workflows/a.json"


def test_a_reference_must_lead_to_a_workflow() -> None:
    nested = {"id": "i", "type": "control.if", "then": [call("key:b-lang")]}
    documents = {
        A: document(
            "a", call("key:a"), call("key:b"), nested, versions=((1, definition(call("x-1")), None),)
        ),
        B: document("b", call("x-1"), call("key:gone")),
    }

    problems = check_references(
        documents, known_keys=[A, B, Key("b-long")], held_raw_ids={B: ["x-1", "key:gone"]}
    )

    assert [(problem.key, problem.rule, problem.path) for problem in problems] == [
        ("a", "UNRESOLVED_REFERENCE", "$.draft.definition.steps[2].then[0].workflowId"),
        ("a", "UNRESOLVED_REFERENCE", "$.publishedVersions[0].definition.steps[0].workflowId"),
    ]
    assert "did you mean key:b-long?" in problems[0].message
    assert "x-1" in problems[1].message
    assert (
        check_references(
            documents, known_keys=[A, B, Key("b-lang")], held_raw_ids={A: ["x-1"], B: ["x-1", "key:gone"]}
        )
        == []
    )


def test_everything_the_runtime_lacks_is_reported_with_its_place_and_the_nearest_name() -> None:
    registry = Registry(
        actions={("email.send", 1): ActionOffer()},
        node_types=frozenset({"action.call"}),
        schemas={"payload.A.v1": None},
    )
    wrong = document(
        "a",
        action("email.sent"),
        action("email.send", 2),
        {"id": "w", "type": "event.wait"},
        versions=((1, definition(payloadSchemaRef="payload.B.v1"), None),),
        pinnedPayloadSchemaRef="other",
    )

    problems = check_dependencies({B: document("b", action()), A: wrong}, registry, files={A: "flows/a.json"})

    assert {problem.rule for problem in problems} == {"MISSING_DEPENDENCIES"}
    assert {problem.file for problem in problems} == {"flows/a.json"}
    assert [(problem.path, problem.message) for problem in problems] == [
        ("$.draft.definition.steps[1].config.actionId",
         "the runtime does not offer the action email.send@2; did you mean email.send@1?"),
        ("$.draft.definition.steps[0].config.actionId",
         "the runtime does not offer the action email.sent@1; did you mean email.send@1?"),
        ("$.draft.definition.steps[2].type", "the runtime does not offer the node type event.wait"),
        ("$.metadata.pinnedPayloadSchemaRef", "the runtime does not offer the schema other"),
        ("$.publishedVersions[0].definition.payloadSchemaRef",
         "the runtime does not offer the schema payload.B.v1; did you mean payload.A.v1?"),
    ]  # fmt: skip
