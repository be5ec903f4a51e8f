from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from gitsync.errors import InvalidInput, Problem
from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.reading import read_stored_document, read_workflow
from gitsync.workflow.types import Key
from tests.support.documents import action, definition, document

A, B = Key("a"), Key("b")
FILE = "workflows/a.json"


def valid() -> dict[str, Any]:
    return document("a", action(), versions=((1, definition(), None), (3, definition(), {"type": "object"})))


def faults_of(value: Any, *, file: str = FILE, key: Key | None = None) -> list[tuple[str, str]]:
    return [(problem.rule, problem.path) for problem in problems_of(value, file=file, key=key)]


def problems_of(value: Any, *, file: str = FILE, key: Key | None = None) -> list[Problem]:
    data = value if isinstance(value, bytes) else canonical_bytes(value)
    with pytest.raises(InvalidInput) as caught:
        read_workflow(data, file=file, key=key)
    assert caught.value.exit_code == 4
    return list(caught.value.problems)


def test_a_valid_file_comes_back_in_normal_form() -> None:
    messy = valid()
    messy["publishedVersions"].reverse()
    messy["metadata"]["failureRateThreshold"] = "0.50"
    messy["draft"]["definition"]["id"] = "something"
    messy["dependencies"]["nodeTypes"] = []

    assert read_workflow(json.dumps(messy, indent=1).encode(), file=FILE) == valid()


def _set(*path: Any) -> Callable[[dict[str, Any]], None]:
    *parents, last, new = path

    def change(value: dict[str, Any]) -> None:
        target: Any = value
        for step in parents:
            target = target[step]
        if new is KeyError:
            del target[last]
        else:
            target[last] = new

    return change


@pytest.mark.parametrize(
    "change, rule, path",
    [
        (_set("format", "gitsync.other"), "UNSUPPORTED_FORMAT", "$.format"),
        (_set("format", KeyError), "UNSUPPORTED_FORMAT", "$.format"),
        (_set("formatVersion", 2), "UNSUPPORTED_FORMAT_VERSION", "$.formatVersion"),
        (_set("formatVersion", "1"), "UNSUPPORTED_FORMAT_VERSION", "$.formatVersion"),
        (_set("formatVersion", True), "UNSUPPORTED_FORMAT_VERSION", "$.formatVersion"),
        (_set("formatVersion", KeyError), "UNSUPPORTED_FORMAT_VERSION", "$.formatVersion"),
        (_set("key", "b"), "KEY_MISMATCH", "$.key"),
        (_set("key", "A"), "INVALID_KEY", "$.key"),
        (_set("key", "a\n"), "INVALID_KEY", "$.key"),
        (_set("key", "a" * 201), "INVALID_KEY", "$.key"),
        (_set("key", 5), "INVALID_KEY", "$.key"),
        (_set("key", KeyError), "SCHEMA_VALIDATION_FAILED", "$"),
        (_set("metadata", KeyError), "SCHEMA_VALIDATION_FAILED", "$"),
        (_set("extra", 1), "SCHEMA_VALIDATION_FAILED", "$.extra"),
        (_set("metadata", "naem", 1), "SCHEMA_VALIDATION_FAILED", "$.metadata.naem"),
        (_set("metadata", "name", ""), "SCHEMA_VALIDATION_FAILED", "$.metadata.name"),
        (_set("metadata", "trigger", KeyError), "SCHEMA_VALIDATION_FAILED", "$.metadata"),
        (_set("metadata", "trigger", "event"), "SCHEMA_VALIDATION_FAILED", "$.metadata.trigger"),
        (_set("metadata", "isPaused", 0), "SCHEMA_VALIDATION_FAILED", "$.metadata.isPaused"),
        (_set("metadata", "payloadSchemaMode", None), "SCHEMA_VALIDATION_FAILED", "$.metadata.payloadSchemaMode"),
        (_set("metadata", "concurrencyLimit", 2**31), "SCHEMA_VALIDATION_FAILED", "$.metadata.concurrencyLimit"),
        (_set("metadata", "concurrencyLimit", 1.5), "SCHEMA_VALIDATION_FAILED", "$.metadata.concurrencyLimit"),
        (_set("metadata", "concurrencyLimit", 2**60), "NUMBER_NOT_PORTABLE", "$.metadata.concurrencyLimit"),
        (_set("metadata", "failureRateMinRuns", -(2**31) - 1), "SCHEMA_VALIDATION_FAILED",
         "$.metadata.failureRateMinRuns"),
        (_set("metadata", "failureRateThreshold", 0.333), "NUMBER_NOT_PORTABLE", "$.metadata.failureRateThreshold"),
        (_set("metadata", "failureRateThreshold", "0.333"), "NUMBER_NOT_PORTABLE",
         "$.metadata.failureRateThreshold"),
        (_set("metadata", "failureRateThreshold", 1000), "NUMBER_NOT_PORTABLE", "$.metadata.failureRateThreshold"),
        (_set("metadata", "failureRateThreshold", "half"), "SCHEMA_VALIDATION_FAILED",
         "$.metadata.failureRateThreshold"),
        (_set("metadata", "failureRateThreshold", True), "SCHEMA_VALIDATION_FAILED",
         "$.metadata.failureRateThreshold"),
        (_set("draft", "draftVersion", 2**31), "SCHEMA_VALIDATION_FAILED", "$.draft.draftVersion"),
        (_set("draft", "definition", []), "SCHEMA_VALIDATION_FAILED", "$.draft.definition"),
        (_set("draft", "definition", "big", 2**53), "NUMBER_NOT_PORTABLE", "$.draft.definition.big"),
        (_set("draft", "definition", "big", -(2**53)), "NUMBER_NOT_PORTABLE", "$.draft.definition.big"),
        (_set("draft", "definition", "big", 1e300), "NUMBER_NOT_PORTABLE", "$.draft.definition.big"),
        (_set("draft", "definition", "a b", [{}, {"é": 10**30}]), "NUMBER_NOT_PORTABLE",
         '$.draft.definition["a b"][1]["é"]'),
        (_set("draft", "definition", "steps", 0, "config", "version", 1.5), "SCHEMA_VALIDATION_FAILED",
         "$.draft.definition"),
        (_set("publishedVersions", 0, "version", 3), "DUPLICATE_VERSION", "$.publishedVersions[1].version"),
        (_set("publishedVersions", 0, "payloadSchemaJson", []), "SCHEMA_VALIDATION_FAILED",
         "$.publishedVersions[0].payloadSchemaJson"),
        (_set("publishedVersions", 0, "payloadSchemaJson", KeyError), "SCHEMA_VALIDATION_FAILED",
         "$.publishedVersions[0]"),
        (_set("publishedVersions", {}), "SCHEMA_VALIDATION_FAILED", "$.publishedVersions"),
        (_set("dependencies", "actions", [{"actionId": "", "version": 1}]), "SCHEMA_VALIDATION_FAILED",
         "$.dependencies.actions[0].actionId"),
        (_set("dependencies", "nodeTypes", ["x", "x"]), "SCHEMA_VALIDATION_FAILED", "$.dependencies.nodeTypes"),
    ],
)  # fmt: skip
def test_one_fault_is_one_problem(change: Callable[[dict[str, Any]], None], rule: str, path: str) -> None:
    value = valid()
    change(value)

    assert faults_of(value) == [(rule, path)]


@pytest.mark.parametrize("data", [b"[]", b"1", b"null", b'"x"'])
def test_a_file_that_holds_no_object_says_so(data: bytes) -> None:
    assert faults_of(data) == [("INVALID_WORKFLOW", "$")]


def test_a_bundle_in_a_workflow_file_is_sent_to_import() -> None:
    (problem,) = problems_of({"format": "alga-psa.workflow-bundle", "workflows": []})

    assert "gitsync import" in problem.cure


@pytest.mark.parametrize(
    "number", ["9007199254740993", "0.10000000000000000001", "1e400", "1e-400", "12345678901234567890123.5"]
)
def test_a_number_that_no_double_holds_is_an_error_on_the_way_into_a_database(number: str) -> None:
    data = canonical_bytes(valid()).replace(b'"steps"', b'"odd": ' + number.encode() + b', "steps"', 1)

    assert [rule for rule, _ in faults_of(data)] == ["NUMBER_NOT_PORTABLE"]


@pytest.mark.parametrize("number", [2**53 - 1, -(2**53) + 1, 0.1, 5e-324, 1e-300, 4.0])
def test_these_numbers_are_portable(number: float) -> None:
    value = valid()
    value["draft"]["definition"]["odd"] = number

    assert read_workflow(canonical_bytes(value), file=FILE)["draft"]["definition"]["odd"] == number


@pytest.mark.parametrize("threshold", [None, 0, 0.5, 999.99, -1.25, "0.50", "12"])
def test_these_thresholds_fit_the_column(threshold: Any) -> None:
    value = valid()
    value["metadata"]["failureRateThreshold"] = threshold

    read_workflow(canonical_bytes(value), file=FILE)


def test_all_faults_of_a_file_are_reported_with_their_places() -> None:
    value = valid()
    value["key"] = "Wrong Key"
    value["metadata"]["naem"] = value["metadata"].pop("name")
    value["metadata"]["failureRateThreshold"] = 1234.567
    value["draft"]["definition"]["big"] = 2**70
    value["publishedVersions"][1]["version"] = 1
    data = canonical_bytes(value)
    lines = data.decode().splitlines()

    problems = problems_of(data)

    assert [(problem.rule, problem.path) for problem in problems] == [
        ("NUMBER_NOT_PORTABLE", "$.draft.definition.big"),
        ("INVALID_KEY", "$.key"),
        ("SCHEMA_VALIDATION_FAILED", "$.metadata"),
        ("NUMBER_NOT_PORTABLE", "$.metadata.failureRateThreshold"),
        ("SCHEMA_VALIDATION_FAILED", "$.metadata.naem"),
        ("DUPLICATE_VERSION", "$.publishedVersions[1].version"),
    ]
    for problem in problems:
        name = problem.path.rpartition(".")[2]
        assert f'"{name}": ' in lines[problem.line - 1][: problem.column]
        assert problem.key == "a"
    assert 'did you mean "name"?' in problems[4].message
    assert 'the field "name" is missing' in problems[2].message


def test_the_key_that_the_caller_knows_outranks_the_files_name() -> None:
    data = canonical_bytes(valid())

    assert read_workflow(data, file="9f2c1e", key=A)["key"] == "a"
    assert read_workflow(data, file="standard input")["key"] == "a"
    assert faults_of(data, file="a.json", key=B) == [("KEY_MISMATCH", "$.key")]
    assert faults_of(data, file="workflows/b.json") == [("KEY_MISMATCH", "$.key")]


def test_broken_json_names_the_workflow_it_was_meant_to_be() -> None:
    (problem,) = problems_of(b"{")

    assert (problem.rule, problem.key, problem.line) == ("INVALID_JSON", "a", 1)


def test_the_error_carries_the_code_that_its_problems_share() -> None:
    value = valid()
    value["key"] = "b"
    with pytest.raises(InvalidInput) as one:
        read_workflow(canonical_bytes(value), file=FILE)
    value["extra"] = 1
    with pytest.raises(InvalidInput) as several:
        read_workflow(canonical_bytes(value), file=FILE)

    assert one.value.code == "KEY_MISMATCH"
    assert several.value.code == "INVALID_WORKFLOW"
    assert len(several.value.details["problems"]) == 2


def test_a_stored_file_needs_no_more_than_the_shape_of_a_workflow() -> None:
    value = valid()
    value["metadata"] = {"name": 5, "failureRateThreshold": "1.50"}
    value["draft"]["definition"]["big"] = 2**80
    value["extra"] = True
    value["publishedVersions"].append(copy.deepcopy(value["publishedVersions"][0]))

    stored = read_stored_document(canonical_bytes(value), file="9f2c")

    assert stored["metadata"] == {"name": 5, "failureRateThreshold": 1.5}
    assert stored["draft"]["definition"]["big"] == 2**80
    assert [entry["version"] for entry in stored["publishedVersions"]] == [1, 1, 3]


@pytest.mark.parametrize(
    "change",
    [
        _set("key", "A"),
        _set("format", "x"),
        _set("metadata", []),
        _set("draft", None),
        _set("draft", {}),
        _set("publishedVersions", None),
        _set("publishedVersions", [1]),
        _set("publishedVersions", 0, "version", "1"),
        _set("publishedVersions", 0, "definition", KeyError),
    ],
)
def test_what_has_no_shape_of_a_workflow_is_refused_even_when_stored(
    change: Callable[[dict[str, Any]], None],
) -> None:
    value = valid()
    change(value)

    with pytest.raises(InvalidInput, match="no workflow file"):
        read_stored_document(canonical_bytes(value), file="9f2c")
