from __future__ import annotations

import copy
from typing import Any

import pytest

from gitsync.errors import InvalidInput
from gitsync.workflow.bundle import iter_loose_calls, make_bundle, offline_id, read_bundle
from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.schema import accepts
from gitsync.workflow.types import Key
from tests.support.documents import action, call, definition, document

AT = "2026-01-02T03:04:05.678Z"
ID_A, ID_B, ID_C = (f"{letter * 8}-0000-4000-8000-000000000000" for letter in "abc")


def bundle(*documents: dict[str, Any]) -> Any:
    return make_bundle(documents, exported_at=AT, id_of=offline_id)


def entry(key: str, own_id: str, *steps: Any) -> dict[str, Any]:
    found: dict[str, Any] = bundle(document(key, *steps, versions=((2, definition(*steps), None),)))[
        "workflows"
    ][0]
    found["draft"]["definition"]["id"] = own_id
    found["publishedVersions"][0]["definition"]["id"] = own_id
    return found


def wrap(*entries: dict[str, Any]) -> bytes:
    return canonical_bytes(
        {
            "format": "alga-psa.workflow-bundle",
            "formatVersion": 1,
            "exportedAt": AT,
            "workflows": list(entries),
        }
    )


def refusal(data: bytes) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        read_bundle(data, file="bundle.json")
    return caught.value


def test_a_bundle_is_files_put_together() -> None:
    a, b = (
        document("a", call("key:b"), call("key:a")),
        document("b", action(), versions=((4, definition(), None),)),
    )

    made = bundle(b, a)

    assert accepts("bundle.v1", made)
    assert list(made) == ["format", "formatVersion", "exportedAt", "workflows"]
    assert made["exportedAt"] == AT
    assert [item["key"] for item in made["workflows"]] == ["a", "b"]
    first = made["workflows"][0]
    assert first["draft"]["definition"]["id"] == offline_id(Key("a"))
    assert [step["workflowId"] for step in first["draft"]["definition"]["steps"]] == [
        offline_id(Key("b")),
        offline_id(Key("a")),
    ]
    assert a["draft"]["definition"]["id"] == "key:a"  # the documents stay as they are


def test_ids_of_entries_become_references_between_them() -> None:
    data = wrap(entry("b", ID_B, call(ID_A.upper())), entry("a", ID_A, call(ID_B), call(ID_C), call(ID_A)))

    read = read_bundle(data, file="bundle.json")

    assert list(read.documents) == ["b", "a"]
    called = [
        [step["workflowId"] for step in held["draft"]["definition"]["steps"]]
        for held in read.documents.values()
    ]
    assert called == [["key:a"], ["key:b", ID_C, "key:a"]]
    assert read.documents[Key("b")]["publishedVersions"][0]["definition"]["id"] == "key:b"
    assert not read.warnings
    assert list(iter_loose_calls(read.documents, where="the bundle")) == [
        f"a calls the workflow {ID_C}, which is not in the bundle"
    ]


def test_an_id_that_two_entries_share_links_nothing_and_is_a_warning() -> None:
    data = wrap(entry("a", ID_A), entry("b", ID_A), entry("c", ID_C, call(ID_A)))

    read = read_bundle(data, file="bundle.json")

    assert read.documents[Key("c")]["draft"]["definition"]["steps"][0]["workflowId"] == ID_A
    assert read.warnings[0] == f"the id {ID_A} is shared by a, b; calls of it stay as they are"


def test_dependencies_are_derived_whatever_the_bundle_declares() -> None:
    over = entry("a", ID_A, action())
    over["dependencies"]["nodeTypes"] = ["control.if", "other"]

    read = read_bundle(wrap(over), file="bundle.json")

    assert read.documents[Key("a")]["dependencies"]["nodeTypes"] == ["action.call"]
    assert read.declared[Key("a")]["nodeTypes"] == ["control.if", "other"]


def test_a_threshold_as_text_becomes_a_number() -> None:
    text = entry("a", ID_A)
    text["metadata"]["failureRateThreshold"] = "0.50"

    read = read_bundle(wrap(text), file="bundle.json")

    assert read.documents[Key("a")]["metadata"]["failureRateThreshold"] == 0.5


@pytest.mark.parametrize(
    "data, code, details",
    [
        (b"{", "INVALID_BUNDLE", None),
        (b'{"format": 1, "format": 2}', "INVALID_BUNDLE", None),
        (b"[]", "INVALID_BUNDLE", {}),
        (b"null", "INVALID_BUNDLE", {}),
        (b"{}", "UNSUPPORTED_FORMAT",
         {"expectedFormat": "alga-psa.workflow-bundle", "receivedFormat": None}),
        (b'{"format": "zip", "formatVersion": 9}', "UNSUPPORTED_FORMAT",
         {"expectedFormat": "alga-psa.workflow-bundle", "receivedFormat": "zip"}),
        (b'{"format": "alga-psa.workflow-bundle", "formatVersion": 999, "workflows": []}',
         "UNSUPPORTED_FORMAT_VERSION", {"expectedFormatVersion": 1, "receivedFormatVersion": 999}),
        (b'{"format": "alga-psa.workflow-bundle", "formatVersion": "1"}',
         "UNSUPPORTED_FORMAT_VERSION", {"expectedFormatVersion": 1, "receivedFormatVersion": "1"}),
        (b'{"format": "alga-psa.workflow-bundle", "formatVersion": true}',
         "UNSUPPORTED_FORMAT_VERSION", {"expectedFormatVersion": 1, "receivedFormatVersion": True}),
    ],
)  # fmt: skip
def test_the_header_is_checked_first(data: bytes, code: str, details: dict[str, Any] | None) -> None:
    error = refusal(data)

    assert (error.code, error.exit_code) == (code, 4)
    assert details is None or error.details == details


def test_schema_faults_come_all_together_as_a_javascript_validator_reports_them() -> None:
    wrong = entry("a", ID_A)
    wrong["extra"] = 1
    del wrong["metadata"]["name"]
    wrong["metadata"]["isPaused"] = "no"
    value: Any = {
        "format": "alga-psa.workflow-bundle",
        "formatVersion": 1,
        "exportedAt": "today",
        "workflows": [wrong],
    }

    error = refusal(canonical_bytes(value))

    assert error.code == "SCHEMA_VALIDATION_FAILED"
    assert sorted(
        (item["instancePath"], item["keyword"], item["params"]) for item in error.details["errors"]
    ) == [
        ("/exportedAt", "format", {"format": "date-time"}),
        ("/workflows/0", "additionalProperties", {"additionalProperty": "extra"}),
        ("/workflows/0/metadata", "required", {"missingProperty": "name"}),
        ("/workflows/0/metadata/isPaused", "type", {"type": "boolean"}),
    ]
    assert all(item["schemaPath"].startswith("#/properties/") for item in error.details["errors"])
    assert all(problem.line for problem in error.problems)


def test_a_bundle_of_nothing_but_faults_lists_some_of_them() -> None:
    data = wrap(*[{}] * 3000)

    with pytest.raises(InvalidInput) as caught:
        read_bundle(data, file="b.json")

    assert caught.value.code == "SCHEMA_VALIDATION_FAILED"
    assert len(caught.value.problems) == len(caught.value.details["errors"]) == 1000


def test_an_empty_bundle_is_refused() -> None:
    error = refusal(wrap())

    assert error.code == "SCHEMA_VALIDATION_FAILED"
    assert error.details["errors"][0]["keyword"] == "minItems"


@pytest.mark.parametrize("version", [1, 1.0])
def test_a_version_written_as_a_fraction_is_still_one(version: float) -> None:
    data = wrap(entry("a", ID_A)).replace(b'"formatVersion": 1', f'"formatVersion": {version}'.encode(), 1)

    assert list(read_bundle(data, file="bundle.json").documents) == ["a"]


def test_what_the_schema_lets_pass_and_a_database_would_not_is_an_error_too() -> None:
    first = entry("a", ID_A)
    first["metadata"]["payloadSchemaMode"] = None
    first["metadata"]["concurrencyLimit"] = 2**31
    first["metadata"]["failureRateThreshold"] = "0.333"
    second = entry("b", ID_B)
    second["publishedVersions"].append(copy.deepcopy(second["publishedVersions"][0]))
    second["draft"]["definition"]["big"] = 2**60
    second["draft"]["definition"]["steps"] = [action(version=1.5)]

    error = refusal(wrap(first, second, entry("a", ID_C)))

    assert [(problem.path, problem.rule) for problem in error.problems] == [
        ("$.workflows[0].metadata.concurrencyLimit", "SCHEMA_VALIDATION_FAILED"),
        ("$.workflows[0].metadata.failureRateThreshold", "NUMBER_NOT_PORTABLE"),
        ("$.workflows[0].metadata.payloadSchemaMode", "SCHEMA_VALIDATION_FAILED"),
        ("$.workflows[1].draft.definition", "SCHEMA_VALIDATION_FAILED"),
        ("$.workflows[1].draft.definition.big", "NUMBER_NOT_PORTABLE"),
        ("$.workflows[1].publishedVersions[1].version", "DUPLICATE_VERSION"),
        ("$.workflows[2].key", "DUPLICATE_KEY"),
    ]


def test_a_key_with_a_line_feed_is_refused() -> None:
    assert refusal(wrap(entry("a", ID_A) | {"key": "a\n"})).details["errors"][0]["keyword"] == "pattern"


def test_offline_ids_are_the_same_every_time_and_differ_by_key() -> None:
    assert offline_id(Key("a")) == offline_id(Key("a")) == "6d7ad59d-fdb9-5927-b970-5ceda3f8c757"
    assert offline_id(Key("a")) != offline_id(Key("b"))
