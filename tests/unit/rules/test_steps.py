"""What can be read where, and what has been set by then."""

from __future__ import annotations

from typing import Any

import pytest

from gitsync.rules.walk import walk_definition
from tests.support.documents import definition


def found(*steps: Any, **fields: Any) -> list[tuple[str, str]]:
    """(rule, what of the message stands in quotes or after vars.) of each spot."""
    return [(spot.rule, spot.message) for spot in walk_definition(definition(*steps, **fields), None)]


def rules(*steps: Any, **fields: Any) -> list[str]:
    return [rule for rule, _ in found(*steps, **fields)]


def assign(target: str, expression: str, own_id: str = "a") -> dict[str, Any]:
    config = {"assign": {target: {"$expr": expression}}}
    return {"id": own_id, "type": "transform.assign", "config": config}


def act(expression: str, own_id: str = "act", **config: Any) -> dict[str, Any]:
    mapping = {"input": {"$expr": expression}}
    return {
        "id": own_id,
        "type": "action.call",
        "config": {"actionId": "x", "version": 1, "inputMapping": mapping, **config},
    }


def when(expression: str, then: list[Any], otherwise: list[Any] | None = None, own_id: str = "if") -> Any:
    step = {"id": own_id, "type": "control.if", "condition": {"$expr": expression}, "then": then}
    return step if otherwise is None else {**step, "else": otherwise}


def each(items: str, name: str, body: list[Any], own_id: str = "each") -> Any:
    return {"id": own_id, "type": "control.forEach", "items": {"$expr": items}, "itemVar": name, "body": body}


def call(mapping: dict[str, str], outputs: dict[str, str]) -> Any:
    return {
        "id": "call",
        "type": "control.callWorkflow",
        "workflowId": "key:b",
        "workflowVersion": 1,
        "inputMapping": {name: {"$expr": text} for name, text in mapping.items()},
        "outputMapping": {name: {"$expr": text} for name, text in outputs.items()},
    }


def wait(kind: str, own_id: str = "wait", **config: Any) -> Any:
    return {"id": own_id, "type": kind, "config": config}


@pytest.mark.parametrize(
    "name", ["payload.a", "vars", "meta.state", "error.message", "local", "system.runId"]
)
def test_an_action_reads_all_scopes(name: str) -> None:
    assert found(act(name)) == []


@pytest.mark.parametrize("name", ["local", "system", "event", "childRun", "item"])
def test_an_assignment_reads_four_scopes_only(name: str) -> None:
    assert rules(assign("vars.x", name)) == ["UNKNOWN_NAME"]


@pytest.mark.parametrize(
    "earlier",
    [
        assign("vars.x", "1", "e"),
        act("1", "e", saveAs="x"),
        act("1", "e", saveAs="vars.x.y"),
        act("1", "e", saveAs="meta.x"),
        act("1", "e", saveAs="/x/y"),
        call({}, {"x": "1"}),
        call({}, {"vars.x": "childRun.vars.a"}),
        wait(
            "event.wait", eventName="E", correlationKey={"$expr": "null"}, assign={"x": {"$expr": "event.a"}}
        ),
        wait("time.wait", mode="duration", durationMs=1, assign={"vars.x": {"$expr": "timeWait.dueAt"}}),
        wait("human.task", taskType="t", title={"$expr": "'t'"}, assign={"x": {"$expr": "eventName"}}),
        {"id": "e", "type": "control.tryCatch", "try": [], "catch": [], "captureErrorAs": "x"},
        when("true", [assign("vars.x", "1", "e")]),
        when("true", [], [assign("vars.x", "1", "e")]),
    ],
)
def test_what_may_have_been_set_can_be_read_with_and_without_its_scope(earlier: Any) -> None:
    assert found(earlier, act("vars.x"), act("x", "act2"), assign("vars.y", "vars.x.z", "a2")) == []


@pytest.mark.parametrize(
    "earlier",
    [
        assign("payload.x", "1", "e"),
        assign("meta.x", "1", "e"),
        assign("/x", "1", "e"),
        act("1", "e", saveAs="payload.x"),
        {"id": "e", "type": "state.set", "config": {"state": "x"}},
        each("payload.l", "x", []),
    ],
)
def test_what_sets_no_variable_makes_none_readable(earlier: Any) -> None:
    assert rules(earlier, act("vars.x")) == ["VARIABLE_NOT_SET"]


def test_a_variable_that_is_set_later_is_read_too_early() -> None:
    steps = (act("vars.x"), act("x", "act2"), assign("vars.x", "1"))

    assert [message for _, message in found(*steps)] == [
        "vars.x is read before any step has set it",
        '"x" is read before any step has set it',
    ]


def test_one_branch_does_not_set_for_the_other_but_both_set_for_what_follows() -> None:
    step = when("true", [assign("vars.x", "1")], [assign("vars.y", "vars.x", "b")])

    assert rules(step, act("vars.x & vars.y")) == ["VARIABLE_NOT_SET"]


def test_a_later_round_of_a_loop_reads_what_an_earlier_one_has_set() -> None:
    body = [when("vars.seen = true", []), assign("vars.seen", "true")]

    assert found(each("payload.l", "x", body)) == []


def test_the_names_of_a_loop_exist_inside_it_alone() -> None:
    names = ["x", "vars.x", "item", "index", "length", "isFirst", "isLast"]
    inside = [act(name, f"act-{name}") for name in names]

    assert found(each("payload.l", "x", inside)) == []
    assert rules(each("payload.l", "x", []), act("item"), act("vars.x", "b")) == [
        "UNKNOWN_NAME",
        "VARIABLE_NOT_SET",
    ]


def test_an_assignment_in_a_loop_is_told_to_name_the_scope() -> None:
    (spot,) = walk_definition(definition(each("payload.l", "x", [assign("vars.y", "x.id")])), None)

    assert (spot.rule, spot.cure) == ("UNKNOWN_NAME", "did you mean vars.x?")


def test_a_catch_reads_what_the_try_may_have_set_and_the_error() -> None:
    step = {
        "id": "t",
        "type": "control.tryCatch",
        "try": [act("1", saveAs="x")],
        "catch": [assign("vars.y", "vars.x & error.message & vars.why.message")],
        "captureErrorAs": "why",
    }

    assert found(step) == []


def test_the_run_of_a_call_is_known_to_its_outputs_alone() -> None:
    assert found(call({"a": "payload.b"}, {"vars.r": "childRun.vars.x"})) == []
    assert rules(call({"a": "childRun.x"}, {})) == ["UNKNOWN_NAME"]


def test_a_trigger_reads_the_event_alone_and_its_faults_are_found_at_any_depth() -> None:
    def trigger(value: Any) -> dict[str, Any]:
        return {"type": "event", "eventName": "E", "payloadMapping": {"a": value}}

    good = {"$expr": "event.payload.id & event.name"}
    assert found(trigger=trigger(good)) == found(trigger=trigger({"x": [good]}))
    assert rules({"id": "r", "type": "control.return"}, trigger=trigger({"x": [{"$expr": "vars.a"}]})) == [
        "UNKNOWN_NAME"
    ]


def test_names_inside_filters_and_after_dots_are_fields() -> None:
    assert found(act('payload.lines[kind = "x"].amount')) == []


def test_the_place_is_that_of_the_name() -> None:
    (spot,) = walk_definition(definition(act('"ü" & payload.a & (nobody + 1)')), None)

    assert (spot.rule, spot.offset) == ("UNKNOWN_NAME", 19)


@pytest.mark.parametrize("blocks", [[], [each], [each, each]])
def test_a_return_ends_the_run_from_any_depth(blocks: list[Any]) -> None:
    end: Any = {"id": "r", "type": "control.return"}
    after: Any = {"id": "s", "type": "state.set", "config": {"state": "X"}}
    inner = [end, after, {**after, "id": "s2"}]
    for number, block in enumerate(blocks):
        inner = [block("payload.l", "x", inner, own_id=f"each{number}")]

    assert rules(*inner) == ["UNREACHABLE_STEP"]


def test_a_return_in_one_branch_or_in_a_loop_ends_nothing_for_sure() -> None:
    end = {"id": "r", "type": "control.return"}
    after = {"id": "s", "type": "state.set", "config": {"state": "X"}}
    handled = {"id": "t", "type": "control.tryCatch", "try": [end], "catch": []}

    for before in (when("true", [end]), when("true", [end], []), each("payload.l", "x", [end]), handled):
        assert found(before, after) == []


def test_steps_after_two_returning_branches_are_never_reached() -> None:
    end, other = {"id": "r", "type": "control.return"}, {"id": "r2", "type": "control.return"}
    after = {"id": "s", "type": "state.set", "config": {"state": "X"}}
    handled = {"id": "t", "type": "control.tryCatch", "try": [end], "catch": [other]}

    assert rules(when("true", [end], [other]), after) == ["UNREACHABLE_STEP"]
    assert rules(handled, after) == ["UNREACHABLE_STEP"]
