from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gitsync.workflow.document import METADATA_FIELDS, is_key, iter_definitions, make_document, normalise
from gitsync.workflow.types import Key
from tests.support.documents import action, definition, document, metadata


@pytest.mark.parametrize("text", ["a", "0", "a.b_c-d", "system.email-processing", "a" * 200, "a..", "9-"])
def test_these_are_keys(text: str) -> None:
    assert is_key(text)


@pytest.mark.parametrize(
    "text", ["", "A", "-a", ".a", "a b", "a\n", "a/b", "ä", "a" * 201, "a\0", "١", None, 1, b"a"]
)
def test_these_are_no_keys(text: object) -> None:
    assert not is_key(text)


def test_there_are_fourteen_metadata_fields() -> None:
    assert sorted(metadata()) == list(METADATA_FIELDS)
    assert len(METADATA_FIELDS) == 14


def test_a_document_is_made_in_normal_form() -> None:
    made = make_document(
        key=Key("a.b"),
        metadata=metadata(failureRateThreshold="0.50", pinnedPayloadSchemaRef="payload.Pinned.v1"),
        draft_definition=definition(action(), id="3b1d"),
        draft_version=4,
        versions=[(3, definition(), {"type": "object"}), (1, definition(action("b.c")), None)],
    )

    assert (made["format"], made["formatVersion"], made["key"]) == ("gitsync.workflow", 1, "a.b")
    assert made["metadata"]["failureRateThreshold"] == 0.5
    assert made["draft"]["draftVersion"] == 4
    assert [entry["version"] for entry in made["publishedVersions"]] == [1, 3]
    assert made["publishedVersions"][1]["payloadSchemaJson"] == {"type": "object"}
    assert [item["id"] for item in iter_definitions(made)] == ["key:a.b"] * 3
    assert made["dependencies"] == {
        "actions": [{"actionId": "b.c", "version": 1}, {"actionId": "email.send", "version": 1}],
        "nodeTypes": ["action.call"],
        "schemaRefs": ["payload.A.v1", "payload.Pinned.v1"],
    }


@pytest.mark.parametrize(
    "threshold, number",
    [
        (None, None),
        ("0.50", 0.5),
        ("10", 10),
        ("10.00", 10),
        ("-0.25", -0.25),
        (Decimal("0.50"), 0.5),
        (Decimal("3.00"), 3),
        (Decimal("999.99"), 999.99),
        (0.5, 0.5),
        (1, 1),
        ("0.1234567890123456789", Decimal("0.1234567890123456789")),
        ("half", "half"),
        ("NaN", "NaN"),
        (Decimal("NaN"), "NaN"),
        (" 1", " 1"),
        ("1e2", "1e2"),
        (True, True),
    ],
)
def test_a_threshold_becomes_a_number_whatever_the_driver_returned(threshold: Any, number: Any) -> None:
    held = document("a", failureRateThreshold=threshold)["metadata"]["failureRateThreshold"]

    assert held == number
    assert type(held) is type(number)


def test_normalising_replaces_a_stale_dependency_list_and_a_foreign_id() -> None:
    stale = document("a", action())
    stale["dependencies"]["actions"].append({"actionId": "gone", "version": 1})
    stale["draft"]["definition"]["id"] = "0e0c"

    assert normalise(stale) == document("a", action())


def test_a_definition_that_is_no_object_is_left_alone() -> None:
    odd = make_document(
        key=Key("a"), metadata=metadata(), draft_definition=[1], draft_version=1, versions=[(1, "x", None)]
    )

    assert list(iter_definitions(odd)) == [[1], "x"]
