"""A change of one workflow, told in one line, and in several."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from gitsync.render.words import code, explain, trigger_words
from gitsync.workflow.diff import compare_documents
from gitsync.workflow.summary import describe
from gitsync.workflow.types import Document


def make() -> Document:
    """The parts of a document that the words look at."""
    return {
        "key": "refund",
        "dependencies": {"actions": [], "nodeTypes": ["state.set"], "schemaRefs": []},
        "draft": {"definition": {"steps": [step("find"), step("tell")]}, "draftVersion": 3},
        "metadata": {
            "name": "Refund",
            "isPaused": False,
            "trigger": None,
            "payloadSchemaRef": "payload.Empty.v1",
        },
        "publishedVersions": [
            {"definition": {"steps": []}, "payloadSchemaJson": None, "version": 1},
            {"definition": {"steps": []}, "payloadSchemaJson": None, "version": 2},
        ],
    }


def step(name: str, **fields: Any) -> dict[str, Any]:
    return {"id": name, "type": "state.set", **fields}


def change_draft(document: Document) -> None:
    document["draft"]["draftVersion"] = 4


def change_steps(document: Document) -> None:
    steps = document["draft"]["definition"]["steps"]
    steps[0]["config"] = {"state": "FOUND"}
    steps += [step(name) for name in "abcde"]


def publish(document: Document) -> None:
    definition = {"steps": [step("find")]}
    document["publishedVersions"].append({"definition": definition, "payloadSchemaJson": None, "version": 5})


def rewrite(document: Document) -> None:
    document["publishedVersions"][0]["definition"] = {"steps": [1]}
    document["publishedVersions"].pop()


def pause(document: Document) -> None:
    document["metadata"] |= {"isPaused": True, "payloadSchemaRef": "payload.Other.v1"}


def listen(document: Document) -> None:
    document["metadata"]["trigger"] = {"type": "event", "eventName": "PAID"}
    document["draft"]["definition"]["trigger"] = document["metadata"]["trigger"]


def changed(*changes: Callable[[Document], Any]) -> Document:
    document = copy.deepcopy(make())
    for change in changes:
        change(document)
    return document


@pytest.mark.parametrize(
    "change,words",
    [
        (change_draft, "draft: version 3 → 4"),
        (change_steps, "draft: 5 steps added (a, b, c and 2 more), 1 step changed (find)"),
        (publish, "version 5 published"),
        (rewrite, "version 1 rewritten; version 2 removed"),
        (pause, 'isPaused: false → true; payloadSchemaRef: "payload.Empty.v1" → "payload.Other.v1"'),
        (listen, "trigger changed"),
        (dict.copy, "the form alone"),
    ],
)
def test_a_change_is_told_in_one_line(change: Callable[[dict[str, Any]], None], words: str) -> None:
    assert describe(compare_documents(make(), changed(change))) == words


def test_several_changes_stand_in_one_line() -> None:
    delta = compare_documents(make(), changed(change_draft, publish, pause))

    assert describe(delta) == (
        "draft: version 3 → 4; version 5 published; isPaused: false → true; "
        'payloadSchemaRef: "payload.Empty.v1" → "payload.Other.v1"'
    )


def test_a_workflow_that_comes_or_goes_is_named() -> None:
    assert describe(compare_documents(None, make())) == "new: 'Refund', 2 published versions"
    assert describe(compare_documents(make(), None)) == "deleted: 'Refund', 2 published versions"


def test_each_change_is_explained_with_its_values() -> None:
    lines = list(explain(compare_documents(make(), changed(change_steps, publish, pause, listen))))

    assert lines == [
        "version 5 published, against version 2:",
        "  1 step added: `find` (`state.set`)",
        "draft:",
        "  5 steps added: `a` (`state.set`), `b` (`state.set`), `c` (`state.set`), `d` (`state.set`), `e` (`state.set`)",
        '  step `find` changed: `config` added: `{"state": "FOUND"}`',
        "trigger: `none` → `event PAID`",
        "`isPaused`: `false` → `true`",
        '`payloadSchemaRef`: `"payload.Empty.v1"` → `"payload.Other.v1"`',
        '`trigger`: `null` → `{"type": "event", "eventName": "PAID"}`',
    ]


def test_a_new_workflow_is_portrayed() -> None:
    assert list(explain(compare_documents(None, changed(listen)))) == [
        "`Refund`, trigger: `event PAID`",
        "published versions 1, 2; 0 steps in the newest",
        "needs node type `state.set`",
    ]


def test_long_values_are_cut_around_what_differs() -> None:
    def edit(document: Document) -> None:
        document["metadata"]["name"] = "x" * 500 + "NEW" + "y" * 500

    before = changed(lambda document: document["metadata"].update(name="x" * 500 + "OLD" + "y" * 500))
    (line,) = explain(compare_documents(before, changed(edit)))

    assert "OLDy" in line
    assert "NEWy" in line
    assert len(line) < 200


@pytest.mark.parametrize(
    "text,span",
    [
        ("plain", "`plain`"),
        ("a`b", "``a`b``"),
        ("`a", "`` `a ``"),
        ("a``b", "```a``b```"),
        ("two\nlines", "`two lines`"),
        ("", "`  `"),
    ],
)
def test_a_code_span_holds_whatever_there_is(text: str, span: str) -> None:
    assert code(text) == span


@pytest.mark.parametrize(
    "trigger,words",
    [
        (None, "none"),
        (
            {"type": "recurring", "cron": "0 9 * * *", "timezone": "Europe/Berlin"},
            "recurring 0 9 * * * Europe/Berlin",
        ),
        ({"type": "schedule", "runAt": "2030-01-01T00:00:00Z"}, "schedule 2030-01-01T00:00:00Z"),
        ({}, "of an unknown type"),
    ],
)
def test_a_trigger_is_named(trigger: Any, words: str) -> None:
    assert trigger_words(trigger) == words
