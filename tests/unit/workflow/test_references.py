from __future__ import annotations

from typing import Any

import pytest

from gitsync.workflow.references import (
    call_steps,
    called_keys,
    iter_calls,
    may_call,
    raw_calls,
    to_ids,
    to_references,
)
from gitsync.workflow.types import Key
from tests.support.documents import call, definition, document

A, B = Key("a"), Key("b")
ID_A, ID_B, ID_C = (f"{letter * 8}-0000-4000-8000-000000000000" for letter in "abc")


def test_known_ids_become_references_in_any_case_and_unknown_ones_stay() -> None:
    value: Any = definition(call(ID_B.upper()), call(ID_A), call(ID_C), call(ID_C), call(None), id=ID_A)

    left = to_references(value, key=A, keys_by_id={ID_A: A, ID_B: B})

    assert value["id"] == "key:a"
    assert [step["workflowId"] for step in value["steps"]] == ["key:b", "key:a", ID_C, ID_C, None]
    assert left == [ID_C]


def test_an_id_is_added_where_a_definition_has_none() -> None:
    value: Any = definition()

    to_references(value, key=A, keys_by_id={})

    assert value["id"] == "key:a"


def test_references_become_ids_also_of_the_workflow_itself() -> None:
    value: Any = definition(call("key:a"), call("key:b"), call("key:gone"), call(ID_C), id="key:a")

    to_ids(value, own_id=ID_A, ids_by_key={B: ID_B})

    assert value["id"] == ID_A
    assert [step["workflowId"] for step in value["steps"]] == [ID_A, ID_B, "key:gone", ID_C]


def test_a_workflow_id_outside_a_call_is_nobodys_reference() -> None:
    step: Any = {"id": "x", "type": "action.call", "workflowId": ID_B, "config": {"workflowId": ID_B}}
    value: Any = definition(step)

    to_references(value, key=A, keys_by_id={ID_B: B})

    assert value["steps"][0] == {
        "id": "x", "type": "action.call", "workflowId": ID_B, "config": {"workflowId": ID_B}
    }  # fmt: skip


def test_calls_are_found_with_their_paths_in_document_order() -> None:
    nested = {"id": "i", "type": "control.if", "then": [call("1")], "else": [None, call("2")]}

    found = [(path, step["workflowId"]) for path, step in iter_calls(definition(nested, call("3")))]

    assert found == [
        (("steps", 0, "then", 0), "1"),
        (("steps", 0, "else", 1), "2"),
        (("steps", 1), "3"),
    ]


def test_a_document_knows_whom_it_calls() -> None:
    value = document(
        "a", call("key:b"), call(ID_C), versions=((1, definition(call("key:a"), call(7)), None),)
    )

    assert called_keys(value) == {A, B}
    assert raw_calls(value) == {ID_C}


def test_what_is_no_object_is_passed_over() -> None:
    assert to_references([], key=A, keys_by_id={}) == []
    to_ids(None, own_id=ID_A, ids_by_key={})
    assert list(iter_calls("steps")) == []


@pytest.mark.parametrize(
    "text, answer",
    [
        ('{"steps": [{"type": "control.callWorkflow"}]}', True),
        ('{"steps": [{"type": "control.c\\u0061llWorkflow"}]}', True),
        ('{"steps": [{"type": "control.return"}]}', False),
        ('{"steps": [], "name": "a\\n\\tb"}', False),
    ],
)
def test_text_may_have_a_call_where_its_type_stands_or_is_spelt_with_escapes(text: str, answer: bool) -> None:
    assert may_call(text) is may_call(text.encode()) is answer


def test_a_call_is_sure_where_nothing_decides_about_it() -> None:
    value: Any = definition(
        call("1"),
        {"id": "t", "type": "control.tryCatch", "try": [call("2")], "catch": [call("3")]},
        {"id": "i", "type": "control.if", "then": [{"type": "control.tryCatch", "try": [call("4")]}]},
        call(None),
    )

    found = {step["workflowId"]: is_sure for step, is_sure in call_steps(value)}

    assert found == {"1": True, "2": True, "3": False, "4": False}
