"""What leads from one document to another, step by step."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from gitsync.workflow.diff import Place, compare_definitions, compare_documents
from gitsync.workflow.types import Document, Json
from gitsync.workflow.values import MISSING, is_equal, iter_values

TOP = Place(None, "steps")


def step(own_id: str, kind: str = "state.set", **fields: Any) -> dict[str, Any]:
    return {"id": own_id, "type": kind, **fields}


def block(name: str, *then: dict[str, Any], otherwise: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    return step(name, "control.if", condition={"$expr": "true"}, then=[*then], **{"else": [*otherwise]})


def of(*steps: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"steps": [*steps], **fields}


def test_steps_are_told_by_their_ids_wherever_they_stand() -> None:
    before = of(step("a"), block("b", step("c"), step("d")), step("gone"))
    after = of(step("new"), step("a"), block("b", step("c", config={"state": "X"}), otherwise=(step("d"),)))

    delta = compare_definitions(before, after)

    assert [(found.id, found.place) for found in delta.added] == [("new", TOP)]
    assert [found.id for found in delta.removed] == ["gone"]
    assert [(found.step.id, [v.path for v in found.values]) for found in delta.changed] == [("c", ["config"])]
    assert [(m.step.id, m.before, m.step.place) for m in delta.moved] == [
        ("d", Place("b", "then"), Place("b", "else"))
    ]
    assert not delta.values


def test_a_block_does_not_change_with_what_is_inside_it() -> None:
    before, after = of(block("b", step("c"))), of(block("b", step("c", name="C")))

    delta = compare_definitions(before, after)

    assert [change.step.id for change in delta.changed] == ["c"]
    assert not delta.moved


@pytest.mark.parametrize(
    "order,moved",
    [
        ("abcd", ""),
        ("bcda", "a"),
        ("dabc", "d"),
        ("acbd", "c"),
        ("dcba", "dcb"),
    ],
)
def test_the_fewest_steps_are_said_to_have_moved(order: str, moved: str) -> None:
    delta = compare_definitions(of(*map(step, "abcd")), of(*map(step, order)))

    assert len(delta.moved) == len(moved)
    assert not delta.added
    assert not delta.removed
    if len(moved) == 1:
        assert delta.moved[0].step.id in {moved, "b"}
        assert delta.moved[0].before == delta.moved[0].step.place == TOP


def test_inserting_a_step_moves_none() -> None:
    delta = compare_definitions(of(*map(step, "abc")), of(*map(step, "xaybzc")))

    assert [found.id for found in delta.added] == ["x", "y", "z"]
    assert not delta.moved


def test_steps_without_an_id_or_with_the_same_one_are_told_apart_by_their_number() -> None:
    before = of({"type": "state.set"}, step("a"), step("a", config=1))

    delta = compare_definitions(before, of({"type": "state.set"}, step("a"), step("a", config=2), step("a")))

    assert [found.id for found in delta.added] == ["a"]
    assert [(c.values[0].before, c.values[0].after) for c in delta.changed] == [(1, 2)]


@pytest.mark.parametrize(
    "before,after",
    [
        (of(step("a")), None),
        (of(step("a")), []),
        (of(step("a")), {"steps": "none"}),
        (of(step("a"), 1), of(step("a"))),  # type: ignore[arg-type]
        (of(block("b")), of(block("b") | {"then": {}})),
        (of(trigger=1), of(trigger=True)),
        (of(version=1), of(version=2)),
    ],
)
def test_no_difference_is_passed_over_whatever_its_shape(before: Any, after: Any) -> None:
    assert not compare_definitions(before, after).is_empty
    assert not compare_definitions(after, before).is_empty
    assert compare_definitions(after, copy.deepcopy(after)).is_empty


def test_values_are_named_by_their_path_and_arrays_are_one_value() -> None:
    before: Json = {"a": {"b": 1, "c": [1, 2]}, "d": None, "same": {"x": 0.5}}
    after: Json = {"a": {"b": 2, "c": [2, 1]}, "e": None, "same": {"x": 0.5}}

    found = [(value.path, value.before, value.after) for value in iter_values(before, after)]

    assert found == [
        ("a.b", 1, 2),
        ("a.c", [1, 2], [2, 1]),
        ("d", None, MISSING),
        ("e", MISSING, None),
    ]


def test_true_is_not_1_at_any_depth() -> None:
    assert not is_equal({"a": [1, {"b": True}]}, {"a": [1, {"b": 1}]})
    assert is_equal({"a": [1, {"b": True}]}, {"a": [1.0, {"b": True}]})


def make() -> Document:
    """The parts of a document that a comparison looks at."""
    definition = of(step("a"), id="key:refund", version=1, trigger={"type": "event", "eventName": "PAID"})
    return {
        "key": "refund",
        "dependencies": {"actions": [], "nodeTypes": ["state.set"], "schemaRefs": ["payload.Empty.v1"]},
        "draft": {"definition": definition, "draftVersion": 3},
        "metadata": {"name": "Refund", "isPaused": False, "trigger": definition["trigger"]},
        "publishedVersions": [
            {"definition": of(step("a"), version=1), "payloadSchemaJson": None, "version": 1},
            {"definition": of(step("a"), version=2), "payloadSchemaJson": None, "version": 2},
        ],
    }


def changed(change: Callable[[Document], None]) -> Document:
    document = copy.deepcopy(make())
    change(document)
    return document


def test_a_new_version_is_compared_with_the_newest_before_it() -> None:
    def publish(document: Document) -> None:
        document["draft"]["definition"] = of(step("a"), step("b"), version=4, id="key:refund")
        version = {"definition": of(step("a"), step("b"), version=4), "payloadSchemaJson": {}, "version": 4}
        document["publishedVersions"].append(version)

    (version,) = compare_documents(make(), changed(publish)).versions

    assert (version.number, version.what, version.since, version.is_draft) == (4, "published", 2, True)
    assert [found.id for found in version.definition.added] == ["b"]
    assert not version.definition.values
    assert version.is_schema_changed


def test_a_version_that_is_rewritten_or_gone_is_told() -> None:
    def rewrite(document: Document) -> None:
        document["publishedVersions"].pop()
        document["publishedVersions"][0]["definition"]["version"] = 7

    first, second = compare_documents(make(), changed(rewrite)).versions

    assert (first.number, first.what) == (1, "rewritten")
    assert [value.path for value in first.definition.values] == ["version"]
    assert (second.number, second.what) == (2, "removed")


def test_a_trigger_that_changed_in_both_places_is_told_once() -> None:
    def listen(document: Document) -> None:
        document["draft"]["definition"]["trigger"] = {"type": "event", "eventName": "REFUSED"}
        document["metadata"]["trigger"] = {"type": "event", "eventName": "REFUSED"}

    delta = compare_documents(make(), changed(listen))

    assert [value.path for value in delta.settings] == ["trigger.eventName"]
    assert delta.draft.is_empty


def test_a_trigger_that_changed_in_one_place_only_is_told_there() -> None:
    def listen(document: Document) -> None:
        document["draft"]["definition"]["trigger"] = {"type": "event", "eventName": "REFUSED"}

    delta = compare_documents(make(), changed(listen))

    assert not delta.settings
    assert [value.path for value in delta.draft.values] == ["trigger.eventName"]


def test_what_a_workflow_needs_is_gained_and_lost_by_kind() -> None:
    def need(document: Document) -> None:
        document["dependencies"] = {
            "actions": [{"actionId": "email.send", "version": 1}],
            "nodeTypes": ["action.call", "state.set"],
            "schemaRefs": [],
        }
        document["draft"]["definition"]["steps"] = [
            step("a", "action.call", config={"inputMapping": {"key": [{"$secret": "MAIL_KEY"}]}}),
            step("b", "control.callWorkflow", workflowId="key:billing"),
            step("c", "control.callWorkflow", workflowId="key:refund"),
        ]

    delta = compare_documents(make(), changed(need))

    assert delta.gained == {
        "action": ("email.send@1",),
        "node type": ("action.call",),
        "secret": ("MAIL_KEY",),
        "workflow": ("billing",),
    }
    assert delta.lost == {"schema": ("payload.Empty.v1",)}


def test_a_workflow_that_comes_gains_all_and_one_that_goes_loses_all() -> None:
    comes, goes = compare_documents(None, make()), compare_documents(make(), None)

    assert comes.gained == goes.lost == {"node type": ("state.set",), "schema": ("payload.Empty.v1",)}
    assert [(version.number, version.what) for version in goes.versions] == [(1, "removed"), (2, "removed")]
