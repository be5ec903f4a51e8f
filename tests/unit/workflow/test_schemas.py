from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import jsonschema
import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsync.workflow.schema import accepts, is_date_time, iter_faults, load_schema
from tests.support.documents import action, call, definition, document
from tests.support.strategies import documents, json_values

NAMES = sorted(
    path.name.removesuffix(".schema.json")
    for path in files("gitsync.schemas").iterdir()
    if path.name.endswith(".schema.json")
)


def test_every_format_has_a_schema() -> None:
    assert NAMES == [
        "adopt",
        "apply",
        "bundle.v1",
        "db",
        "definition",
        "diff",
        "doctor",
        "error",
        "export",
        "fmt",
        "import",
        "plan",
        "pull",
        "push",
        "registry",
        "run",
        "saved-plan",
        "server",
        "split",
        "status",
        "test",
        "test-report",
        "token",
        "validate",
        "workflow",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_draft_07_and_avoids_what_validators_see_differently(name: str) -> None:
    schema = load_schema(name)
    text = json.dumps(schema)

    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema_rs.validator_for(schema)

    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert "multipleOf" not in text
    assert "\\\\d" not in text
    assert not [found for found in text.split('"pattern": "')[1:] if found.partition('"')[0].endswith("$")]


@given(documents())
def test_every_document_satisfies_the_schema_of_its_file(value: Any) -> None:
    assert accepts("workflow", value)
    assert list(iter_faults("workflow", value)) == []


@given(st.data())
def test_the_fast_validator_and_the_slow_one_agree(data: st.DataObject) -> None:
    value: Any = data.draw(documents())
    for _ in range(data.draw(st.integers(1, 3))):
        target: Any = value
        while isinstance(target, (dict, list)) and target and data.draw(st.booleans()):
            choices: Any = sorted(target) if isinstance(target, dict) else range(len(target))
            step = data.draw(st.sampled_from(choices))
            if not isinstance(target[step], (dict, list)):
                break
            target = target[step]
        if isinstance(target, dict):
            target[data.draw(st.sampled_from([*sorted(target), "new"]))] = data.draw(json_values)
        elif isinstance(target, list):
            target.append(data.draw(json_values))

    assert accepts("workflow", value) == (not list(iter_faults("workflow", value)))


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T03:04:05Z",
        "2026-01-02t03:04:05.123456789z",
        "2026-01-02 03:04:05+0200",
        "2026-01-02T03:04:05-02",
        "2024-02-29T23:59:60Z",
        "2024-03-01T01:59:60+02:00",
        "2026-01-02T03:04:05+23:59",
    ],
)
def test_these_are_times(text: str) -> None:
    assert is_date_time(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "2026-01-02T03:04Z",
        "2026-02-30T03:04:05Z",
        "2025-02-29T03:04:05Z",
        "2026-13-01T03:04:05Z",
        "2026-00-01T03:04:05Z",
        "2026-01-02T24:00:00Z",
        "2026-01-02T03:60:00Z",
        "2026-01-02T03:04:60Z",
        "2026-01-02T03:04:05+24:00",
        "2026-01-02T03:04:05Z\n",
        "٢٠٢٦-01-02T03:04:05Z",
    ],
)
def test_these_are_no_times(text: str) -> None:
    assert not is_date_time(text)


EXPRESSION = {"$expr": "payload.x"}
STEPS: dict[str, Any] = {
    "an action": action(name="Send"),
    "a call": call("key:b"),
    "a mapped call": call("key:b") | {"inputMapping": {"a": EXPRESSION}, "retry": {"maxAttempts": 1, "backoffMs": 0}},
    "a return": {"id": "r", "type": "control.return"},
    "an empty branch": {"id": "i", "type": "control.if", "condition": EXPRESSION, "then": []},
    "a loop": {"id": "f", "type": "control.forEach", "items": EXPRESSION, "itemVar": "x", "body": [action()]},
    "a try": {"id": "t", "type": "control.tryCatch", "try": [], "catch": [{"id": "r", "type": "control.return"}]},
    "a custom node": {"id": "n", "type": "vendor.node", "config": 5, "onError": {"policy": "continue"}},
    "a wait": {"id": "w", "type": "event.wait", "config": {"eventName": "E", "correlationKey": EXPRESSION}},
    "a pause": {"id": "p", "type": "time.wait", "config": {"mode": "until", "until": EXPRESSION}},
    "a filter": {
        "id": "w",
        "type": "event.wait",
        "config": {"eventName": "E", "correlationKey": EXPRESSION, "filters": [{"path": "a", "op": "in", "value": []}]},
    },
}  # fmt: skip
BAD_STEPS: dict[str, Any] = {
    "no id": {"type": "control.return"},
    "an unknown block": {"id": "x", "type": "control.while"},
    "a name on a block": {"id": "r", "type": "control.return", "name": "x"},
    "a condition that is text": {"id": "i", "type": "control.if", "condition": "x", "then": []},
    "no branch": {"id": "i", "type": "control.if", "condition": EXPRESSION},
    "a bad step in a branch": {"id": "i", "type": "control.if", "condition": EXPRESSION, "then": [{"id": "x"}]},
    "a parallel loop": {"id": "f", "type": "control.forEach", "items": EXPRESSION, "itemVar": "x", "body": [],
                        "concurrency": 2},
    "a call without a version": {"id": "c", "type": "control.callWorkflow", "workflowId": "x"},
    "a literal in a call": call("b") | {"inputMapping": {"a": 1}},
    "an unknown field": action() | {"comment": "x"},
    "an action without an id": {"id": "a", "type": "action.call", "config": {"version": 1}},
    "a bad secret": {"id": "a", "type": "action.call",
                     "config": {"actionId": "a", "version": 1, "inputMapping": {"a": [{"$secret": "lower"}]}}},
    "a wait without config": {"id": "w", "type": "event.wait"},
    "a pause without a length": {"id": "p", "type": "time.wait", "config": {"mode": "duration"}},
    "a filter with a wrong value": {
        "id": "w", "type": "event.wait", "config": {"eventName": "E", "correlationKey": EXPRESSION,
                                                    "filters": [{"path": "a", "op": "exists", "value": 1}]}},
}  # fmt: skip


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
def test_the_definition_language_has_this_step(step: Any) -> None:
    assert list(iter_faults("definition", definition(step, id="key:a"))) == []
    assert accepts("definition", definition(step, id="key:a"))


@pytest.mark.parametrize("step", BAD_STEPS.values(), ids=BAD_STEPS.keys())
def test_the_definition_language_has_not_this_step(step: Any) -> None:
    assert not accepts("definition", definition(step, id="key:a"))
    assert list(iter_faults("definition", definition(step, id="key:a")))


@pytest.mark.parametrize(
    "trigger, is_valid",
    [
        ({"type": "event", "eventName": "E", "payloadMapping": {"a": {"$secret": "KEY"}}}, True),
        ({"type": "recurring", "cron": "0 1 * * *", "timezone": "UTC"}, True),
        ({"type": "schedule", "runAt": "2026-01-01T00:00:00Z"}, True),
        ({"type": "event"}, False),
        ({"type": "webhook"}, False),
        ({"type": "schedule", "runAt": "x", "cron": "x"}, False),
        (None, False),
    ],
)
def test_a_trigger_is_an_event_or_a_time(trigger: Any, is_valid: bool) -> None:
    assert accepts("definition", definition(id="x", trigger=trigger)) is is_valid


def test_a_bundle_entry_is_a_file_without_its_header() -> None:
    file, entry = load_schema("workflow"), load_schema("bundle.v1")["properties"]["workflows"]["items"]

    assert set(file["properties"]) - set(entry["properties"]) == {"format", "formatVersion"}
    assert set(file["properties"]["metadata"]["properties"]) == set(
        entry["properties"]["metadata"]["properties"]
    )
    assert set(entry["properties"]) == set(document("a")) - {"format", "formatVersion"}
