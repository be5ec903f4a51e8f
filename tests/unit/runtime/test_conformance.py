"""What a run does, row by row of the product's rules: its statuses, order, scopes, paths, blocks, errors, waits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from gitsync.runtime.matching import differences
from gitsync.runtime.model import Budget, Options, Run, StepStatus
from gitsync.runtime.stubs import Answer
from gitsync.workflow.registry import ActionOffer, Registry
from tests.support.runs import (
    END,
    act,
    assign,
    attempt,
    calling,
    e,
    fails,
    loop,
    maps,
    node,
    returns,
    run,
    says,
    when,
)


@dataclass(frozen=True)
class Case:
    """row: what the case is derived from. given: of `run`. expected: of `facts`, partially."""

    row: str
    name: str
    steps: Any
    expected: dict[str, Any]
    given: dict[str, Any] = field(default_factory=dict)


def case(row: str, name: str, steps: Any, expected: dict[str, Any], **given: Any) -> Case:
    return Case(row, name, steps, expected, given)


def facts(done: Run) -> dict[str, Any]:
    """What a case may expect of a run."""
    return done.as_json() | {
        "paths": [step.path for step in done.trace],
        "ids": [step.step_id for step in done.trace],
        "statuses": [str(step.status) for step in done.trace],
        "handled": [step.handled for step in done.trace],
        "inputs": [call.input for call in done.calls],
        "meta": done.meta,
        "warned": "\n".join(done.warnings),
    }


OK: dict[str, Any] = {"status": "SUCCEEDED", "error": None}
ABSENT = {"$absent": True}


def failed(category: str, **more: Any) -> dict[str, Any]:
    return {"status": "FAILED", "error": {"category": category, **more}}


def exactly(value: Any) -> dict[str, Any]:
    return {"$exact": value}


BAD = assign({"vars.x": "payload.missing"}, id="bad")
OFFERS = Registry(
    actions={
        ("x.do", 1): ActionOffer(
            input={
                "type": "object",
                "properties": {"n": {"type": "integer"}, "mode": {"type": "string", "default": "fast"}},
                "required": ["n"],
                "additionalProperties": False,
            },
            output={"type": "object", "properties": {"id": {"type": "string", "format": "uuid"}}},
        ),
        ("x.bare", 1): ActionOffer(),
    },
    schemas={
        "payload.A.v1": {
            "type": "object",
            "properties": {"a": {"type": "string", "enum": ["first", "second"]}},
            "required": ["a"],
            "additionalProperties": False,
        },
        "payload.Empty.v1": {"type": "object", "properties": {}, "additionalProperties": False},
        "payload.Unknown.v1": None,
    },
)
LIFECYCLE = [
    case("5.1 run status", "the end of the steps is a success", [assign({"vars.a": "1"})], OK),
    case("5.1 run status", "an error nobody catches is a failure", [BAD], failed("ExpressionError")),
    case(
        "5.1 run status",
        "a wait without an answer leaves it waiting",
        [node("time.wait", mode="duration", durationMs=5)],
        {"status": "WAITING", "waitingFor": {"type": "time", "dueAt": "2026-01-01T00:00:00.005Z"}},
    ),
    case(
        "5.1 run status",
        "cancelling ends it",
        [assign({"vars.a": "1"}, id="a"), assign({"vars.b": "1"}, id="b")],
        {"status": "CANCELED", "vars": exactly({"a": 1}), "statuses": ["SUCCEEDED", "CANCELED"]},
        script=[says("cancel", "b")],
    ),
    case("5.1 step status", "a failed step is FAILED", [BAD], {"statuses": ["FAILED"]}),
    case(
        "5.1 step status",
        "a step that waits stays STARTED",
        [node("human.task", taskType="t", title=e('"T"'))],
        {"status": "WAITING", "statuses": ["STARTED"]},
    ),
    case(
        "5.1 step status",
        "a block around a failure is FAILED too",
        [when("true", [BAD])],
        {"statuses": ["FAILED", "FAILED"], "error": {"nodePath": "root.steps[0].then.steps[0]"}},
    ),
    case(
        "5.1 payload",
        "it is parsed against the registered schema",
        [],
        failed("ValidationError", code="SCHEMA_VALIDATION_FAILED"),
        registry=OFFERS,
        payload={"a": "third"},
    ),
    case(
        "5.1 payload",
        "unknown keys are accepted, and the raw payload is used",
        [assign({"vars.b": "payload.b"})],
        OK | {"vars": {"b": 2}},
        registry=OFFERS,
        payload={"a": "first", "b": 2},
    ),
    case(
        "5.1 payload",
        "payload.Empty.v1 is strict",
        [],
        failed("ValidationError"),
        registry=OFFERS,
        payload={"b": 2},
        payloadSchemaRef="payload.Empty.v1",
    ),
    case(
        "5.1 payload",
        "a schema the registry lacks is a failure",
        [],
        failed("ValidationError", code="UNKNOWN_PAYLOAD_SCHEMA_REF"),
        registry=OFFERS,
        payloadSchemaRef="payload.Nowhere.v1",
    ),
    case(
        "5.1 payload",
        "a ref without a known schema takes anything",
        [],
        OK,
        registry=OFFERS,
        payload={"b": 2},
        payloadSchemaRef="payload.Unknown.v1",
    ),
]
TWO = [assign({"vars.a": "1"}, id="a"), assign({"vars.b": "vars.a + 1"}, id="b")]
ORDER = [
    case(
        "5.2 order",
        "steps run one after the other",
        TWO,
        OK | {"ids": ["a", "b"], "vars": {"a": 1, "b": 2}},
    ),
    case("5.2 paths", "steps at the top", TWO, {"paths": ["root.steps[0]", "root.steps[1]"]}),
    case(
        "5.2 paths",
        "then",
        [when("true", TWO)],
        {"paths": ["root.steps[0]", "root.steps[0].then.steps[0]", "root.steps[0].then.steps[1]"]},
    ),
    case(
        "5.2 paths",
        "else",
        [when("false", [], TWO)],
        {"paths": ["root.steps[0]", "root.steps[0].else.steps[0]", "root.steps[0].else.steps[1]"]},
    ),
    case(
        "5.2 paths",
        "try and catch",
        [attempt([BAD], [assign({"vars.c": "1"})])],
        {"paths": ["root.steps[0]", "root.steps[0].try.steps[0]", "root.steps[0].catch.steps[0]"]},
    ),
    case(
        "5.2 paths",
        "a body has the same path in each iteration",
        [loop("[1, 2]", [assign({"vars.a": "vars.it"})])],
        {"paths": ["root.steps[0]", "root.steps[0].body.steps[0]", "root.steps[0].body.steps[0]"]},
    ),
    case(
        "5.2 rows",
        "every executed step is recorded once, blocks included",
        [when("true", [loop("[1]", [attempt(TWO)])])],
        {"ids": ["if", "loop", "try", "a", "b"]},
    ),
    case("5.2 rows", "what is not reached is not recorded", [when("false", TWO)], {"ids": ["if"]}),
    case("5.2 return", "it ends the run", [END, *TWO], OK | {"ids": ["end"], "vars": exactly({})}),
    case(
        "5.2 return",
        "it ends the run from any depth",
        [when("true", [loop("[1, 2]", [attempt([END])])]), *TWO],
        OK | {"ids": ["if", "loop", "try", "end"]},
    ),
    case(
        "5.2 return",
        "it is no error that a try would catch",
        [attempt([END], [BAD])],
        OK | {"statuses": ["SUCCEEDED", "SUCCEEDED"]},
    ),
    case(
        "5.2 empty steps",
        "no steps are a success, with a warning",
        [],
        OK | {"warned": {"$matches": "no steps"}},
    ),
    case(
        "5.2 branches in loops",
        "all steps of a branch at the end of a body run",
        [
            loop(
                "[1, 2]",
                [
                    when(
                        "true",
                        [
                            assign({"vars.s": "coalesce(vars.s, 0) + vars.it"}, id="s"),
                            assign({"vars.n": "coalesce(vars.n, 0) + 1"}, id="n"),
                        ],
                    )
                ],
            )
        ],
        OK | {"vars": {"s": 3, "n": 2}},
    ),
]


def probe(expression: str) -> dict[str, Any]:
    """An action that is given what an expression sees."""
    return act(inputMapping={"seen": e(expression)})


def sees(row: str, name: str, expression: str, value: Any, **given: Any) -> Case:
    return case(
        row,
        name,
        [assign({"vars.v": "5", "meta.m": '"M"'}), probe(expression)],
        OK | {"inputs": [{"seen": value}]},
        **given,
    )


SCOPES = [
    sees("5.3 mapping roots", "payload", "payload.a", 1, payload={"a": 1}),
    sees("5.3 mapping roots", "vars", "vars.v", 5),
    sees("5.3 mapping roots", "variables by their bare name", "v", 5),
    sees("5.3 mapping roots", "meta", "meta.m", "M"),
    sees("5.3 mapping roots", "meta has the run's ids", "meta.workflowId", "key:main"),
    sees("5.3 mapping roots", "system.runId", "system.runId", Options().run_id),
    sees("5.3 mapping roots", "system.workflowId", "system.workflowId", "key:main"),
    sees("5.3 mapping roots", "system.workflowVersion", "system.workflowVersion", 1),
    sees("5.3 mapping roots", "system.tenantId", "system.tenantId", Options().tenant),
    sees("5.3 mapping roots", "system.definitionHash", "len(system.definitionHash)", 64),
    sees("5.3 mapping roots", "system.runtimeSemanticsVersion", "system.runtimeSemanticsVersion", "gitsync-1"),
    sees("5.3 mapping roots", "error is null before any", "error", None),
    sees("5.3 mapping roots", "local is empty outside loops", "local", {}),
    case(
        "5.3 mapping roots",
        "a root wins over a variable of its name",
        [assign({"vars.payload": "1"}), probe("payload")],
        {"inputs": [{"seen": {}}]},
    ),
    case(
        "5.3 mapping roots",
        "loop locals by bare name and under local",
        [loop("[7]", [probe("[it, item, index, length, isFirst, isLast, local.it, local.item]")])],
        {"inputs": [{"seen": [7, 7, 0, 1, True, True, 7, 7]}]},
    ),
    case(
        "5.3 mapping roots",
        "local is the innermost loop's, bare names reach the outer ones too",
        [loop("[1]", [loop("[2]", [probe("[local.item, outer, inner]")], id="l2", var="inner")], var="outer")],
        {"inputs": [{"seen": [2, 1, 2]}]},
    ),
    case(
        "5.3 condition roots",
        "conditions see bare names",
        [assign({"vars.v": "5"}), when("v = 5", [END])],
        {"ids": ["assign", "if", "end"]},
    ),
    case(
        "5.3 items roots",
        "items see bare names",
        [assign({"vars.v": "[1, 2]"}), loop("v", [])],
        OK,
    ),
    case(
        "5.3 idempotencyKey roots",
        "the key sees bare names",
        [assign({"vars.v": '"k"'}), act(idempotencyKey=e("v"))],
        {"calls": [{"idempotencyKey": {"$matches": ":k$"}}]},
    ),
    case("5.3 assign roots", "payload", [assign({"vars.x": "payload.a"})], {"vars": {"x": 1}}, payload={"a": 1}),
    case("5.3 assign roots", "vars", [assign({"vars.a": "1", "vars.x": "vars.a"})], {"vars": {"x": 1}}),
    case("5.3 assign roots", "meta", [assign({"meta.a": "1", "vars.x": "meta.a"})], {"vars": {"x": 1}}),
    case(
        "5.3 assign roots",
        "error",
        [attempt([BAD]), assign({"vars.x": "error.category"})],
        {"vars": {"x": "ExpressionError"}},
    ),
    case("5.3 assign roots", "no bare names", [assign({"vars.v": "1", "vars.x": "v"})], failed("ExpressionError")),
    case("5.3 assign roots", "no system", [assign({"vars.x": "system.runId"})], failed("ExpressionError")),
    case("5.3 assign roots", "no locals", [loop("[1]", [assign({"vars.x": "item"})])], failed("ExpressionError")),
    case("5.3 assign roots", "no error before any", [assign({"vars.x": "error"})], failed("ExpressionError")),
    case(
        "5.3 trigger roots",
        "the mapping sees the event",
        [],
        {
            "payload": exactly(
                {"n": "E", "k": "c-1", "d": {"e": 1}, "s": "payload.S.v1", "l": [1]}
            ),
            "meta": {"triggerMappingApplied": True, "sourcePayloadSchemaRef": "payload.S.v1"},
        },
        event={"payload": {"a": 1}, "correlationKey": "c-1"},
        trigger={
            "type": "event",
            "eventName": "E",
            "sourcePayloadSchemaRef": "payload.S.v1",
            "payloadMapping": {
                "n": e("event.name"),
                "k": e("event.correlationKey"),
                "d.e": e("event.payload.a"),
                "s": e("event.payloadSchemaRef"),
                "l": [e("event.payload.a")],
            },
        },
    ),
    case(
        "5.3 trigger roots",
        "nothing but the event",
        [],
        failed("ExpressionError"),
        event={"payload": {"a": 1}},
        trigger={"type": "event", "eventName": "E", "payloadMapping": {"x": e("payload.a")}},
    ),
    case(
        "5.3 trigger roots",
        "without a mapping the event's payload is the payload",
        [],
        {"payload": {"a": 1}, "meta": {"triggerMappingApplied": False}},
        event={"payload": {"a": 1}},
        trigger={"type": "event", "eventName": "E"},
    ),
    case(
        "5.3 outputMapping roots",
        "childRun has five parts, beside the caller's own roots",
        [assign({"vars.mine": "1"}), calling("sub", outputMapping=maps(
            p="childRun.payload.a", v="childRun.vars.out", s="childRun.system.workflowId",
            m="childRun.meta.state", l="childRun.local", o="vars.mine"), inputMapping=maps(a="vars.mine"))],
        OK | {"vars": {"p": 1, "v": 2, "s": "key:sub", "m": "done", "l": {}, "o": 1}},
        others={"sub": [assign({"vars.out": "payload.a + 1"}), node("state.set", state="done")]},
    ),
]  # fmt: skip


def evaluates(text: str, value: Any) -> Case:
    return case("5.4 " + text, "in a run", [probe(text)], OK | {"inputs": [{"seen": value}]}, payload=DATA)


def refuses(text: str) -> Case:
    return case("5.4 " + (text or "empty string"), "is an error in a run", [probe(text)], failed("ExpressionError"), payload=DATA)  # fmt: skip


DATA = {"nullField": None, "list": [{"x": 1}, {"x": 2}], "a": "A", "c": True, "x": 7}
EXPRESSIONS = [
    refuses("payload.missing"),
    evaluates("payload.nullField", None),
    evaluates('{"k": payload.missing}', {}),
    evaluates("[payload.missing]", []),
    evaluates("payload.missing = null", False),
    evaluates("payload.missing != 3", False),
    evaluates("payload.missing = payload.x", False),
    evaluates('coalesce(payload.missing, "d")', "d"),
    evaluates("payload.list.x", [1, 2]),
    evaluates("payload.list[x=2].x", 2),
    evaluates("payload.a & payload.missing", "A"),
    refuses('1 > "x"'),
    refuses("$sum([1])"),
    refuses("$exists(payload)"),
    refuses("not(payload.c)"),
    refuses(""),
    evaluates('payload.c ? payload.a : "b"', "A"),
    evaluates('"A" in ["A"]', True),
    evaluates("[1..3]", [1, 2, 3]),
    evaluates("payload.list^(>x).x", [2, 1]),
    evaluates("payload == payload", True),
    evaluates("len(payload.list[x=2])", 0),
    evaluates("nowIso()", "2026-01-01T00:00:00.000Z"),
]


def assigns(row: str, name: str, values: dict[str, str], expected: dict[str, Any], **given: Any) -> Case:
    return case(row, name, [assign(values)], expected, **given)


def saves(row: str, name: str, target: str, expected: dict[str, Any], **given: Any) -> Case:
    return case(row, name, [act(saveAs=target)], OK | expected, stubs={"act": returns({"k": 1})}, **given)


REJECTED = failed("ValidationError", code="INVALID_ASSIGN_PATH")
ASSIGNMENTS = [
    assigns("5.5 assign", "payload", {"payload.a": "1"}, {"payload": {"a": 1}}),
    assigns("5.5 assign", "vars", {"vars.a.b": "1"}, {"vars": exactly({"a": {"b": 1}})}),
    assigns("5.5 assign", "meta", {"meta.a": "1"}, {"meta": {"a": 1}}),
    assigns("5.5 assign", "error", {"error.a": "1", "vars.x": "error.a"}, {"vars": {"x": 1}}),
    assigns("5.5 assign", "a pointer goes into the payload", {"/a/b": "1"}, {"payload": {"a": {"b": 1}}}),
    assigns("5.5 assign", "~0 and ~1 in a pointer", {"/a~0b~1c": "1"}, {"payload": {"a~b/c": 1}}),
    assigns("5.5 assign", "a dot in a pointer splits", {"/a.b": "1"}, {"payload": {"a": {"b": 1}}}),
    assigns("5.5 assign", "bare payload is rejected", {"payload": "1"}, REJECTED),
    assigns("5.5 assign", "no scope is rejected", {"a": "1"}, REJECTED),
    assigns("5.5 assign", "local is rejected", {"local.a": "1"}, REJECTED),
    assigns("5.5 assign", "__proto__ is rejected", {"vars.__proto__.x": "1"}, REJECTED),
    assigns("5.5 assign", "prototype is rejected", {"vars.a.prototype": "1"}, REJECTED),
    assigns("5.5 assign", "constructor is rejected", {"/constructor": "1"}, REJECTED),
    assigns("5.5 assign", "parents that are missing become objects", {"vars.a.b.c": "1"}, {"vars": {"a": {"b": {"c": 1}}}}),
    assigns("5.5 assign", "a parent that is no object becomes one", {"vars.a": "1", "vars.a.b": "2"}, {"vars": {"a": {"b": 2}}}),
    assigns("5.5 assign", "later entries see earlier ones", {"vars.a": "1", "vars.b": "vars.a + 1"}, {"vars": {"b": 2}}),
    assigns("5.5 assign", "earlier entries stay although a later one fails", {"vars.a": "1", "vars.b": "payload.no"},
            failed("ExpressionError") | {"vars": {"a": 1}}),
    saves("5.5 saveAs", "an unscoped name goes to vars", "a", {"vars": exactly({"a": {"k": 1}})}),
    saves("5.5 saveAs", "vars", "vars.a", {"vars": exactly({"a": {"k": 1}})}),
    saves("5.5 saveAs", "payload", "payload.a", {"payload": {"a": {"k": 1}}}),
    saves("5.5 saveAs", "meta goes to vars", "meta.a", {"vars": exactly({"a": {"k": 1}})}),
    saves("5.5 saveAs", "error goes to vars.error", "error.a", {"vars": exactly({"error": {"a": {"k": 1}}})}),
    saves("5.5 saveAs", "a pointer goes into vars", "/a/b", {"vars": exactly({"a": {"b": {"k": 1}}})}),
    saves("5.5 saveAs", "local outside a loop is vars", "local.a", {"vars": exactly({"a": {"k": 1}})}),
    case(
        "5.5 saveAs",
        "local inside a loop is its scope",
        [loop("[1]", [act("one", saveAs="local.a"), act("two", inputMapping=maps(a="a.k"))])],
        OK | {"inputs": [{}, {"a": 1}], "vars": exactly({})},
        stubs={"one": returns({"k": 1})},
    ),
    case(
        "5.5 scopes kept",
        "meta and error live through an assignment",
        [attempt([BAD]), node("state.set", state="s"), act(saveAs="a"),
         assign({"vars.e": "error.category", "vars.m": "meta.state"}, id="later")],
        OK | {"vars": {"e": "ExpressionError", "m": "s"}},
    ),
]  # fmt: skip

CATCH = [assign({"vars.caught": "error.category"}, id="caught")]
BLOCKS = [
    case("5.6 control.if", "true runs then", [when("true", TWO)], {"ids": ["if", "a", "b"]}),
    case("5.6 control.if", "false runs else", [when("false", [], TWO)], {"ids": ["if", "a", "b"]}),
    case("5.6 control.if", "a missing else is empty", [when("false", TWO)], OK | {"ids": ["if"]}),
    case("5.6 control.if", "a number is no condition", [when("1", TWO)], failed("ExpressionError", code="NOT_BOOLEAN")),
    case("5.6 control.if", "null is no condition", [when("null", TWO)], failed("ExpressionError", code="NOT_BOOLEAN")),
    case("5.6 control.if", "an undefined condition is an error", [when("payload.x", TWO)], failed("ExpressionError")),
    case("5.6 control.forEach", "no items, no iterations", [loop("[]", TWO)], OK | {"ids": ["loop"]}),
    case("5.6 control.forEach", "items must be a list", [loop("1", TWO)], failed("ExpressionError", code="NOT_A_LIST")),
    case(
        "5.6 control.forEach",
        "a filter with one match is no list",
        [loop("payload.l[x=1]", TWO)],
        failed("ExpressionError", code="NOT_A_LIST"),
        payload={"l": [{"x": 1}]},
    ),
    case(
        "5.6 control.forEach",
        "items in order",
        [loop("[3, 1, 2]", [assign({"vars.all": "append(coalesce(vars.all, []), vars.it)"})])],
        {"vars": exactly({"all": [3, 1, 2]})},
    ),
    case(
        "5.6 control.forEach",
        "the books are kept while it runs",
        [loop("[5]", [assign({"vars.b": "vars.__forEach.loop"})])],
        {"vars": {"b": {"index": 0, "length": 1}}},
    ),
    case(
        "5.6 control.forEach",
        "the item variable is gone afterwards",
        [loop("[1]", [])],
        {"vars": exactly({})},
    ),
    case(
        "5.6 control.forEach",
        "the item variable is restored afterwards",
        [assign({"vars.it": '"old"'}), loop("[1]", [])],
        {"vars": exactly({"it": "old"})},
    ),
    case(
        "5.6 control.forEach",
        "on an error that leaves the loop nothing is cleaned up",
        [loop("[1, 2]", [BAD])],
        failed("ExpressionError") | {"vars": {"it": 1, "__forEach": {"loop": {"index": 0}}}},
    ),
    case("5.6 control.forEach", "an item variable must be named", [loop("[1]", [], var="")], failed("ValidationError")),
    case(
        "5.6 onItemError",
        "fail is the default",
        [loop("[1, 2]", [BAD])],
        failed("ExpressionError") | {"ids": ["loop", "bad"]},
    ),
    case(
        "5.6 onItemError",
        "continue goes on with the next step of the same item",
        [loop("[1, 2]", [BAD, assign({"vars.n": "coalesce(vars.n, 0) + 1"})], onItemError="continue")],
        OK | {"vars": {"n": 2}, "ids": ["loop", "bad", "assign", "bad", "assign"]},
    ),
    case(
        "5.6 onItemError",
        "continue records the error",
        [loop("[1]", [BAD], onItemError="continue"), assign({"vars.e": "error.category"})],
        {"vars": {"e": "ExpressionError"}, "handled": [None, "forEach", None]},
    ),
    case(
        "5.6 onItemError",
        "a try inside the body comes first",
        [loop("[1]", [attempt([BAD], CATCH)], onItemError="continue")],
        {"vars": {"caught": "ExpressionError"}, "handled": [None, None, "tryCatch", None]},
    ),
    case(
        "5.6 onItemError",
        "a try around the loop comes first",
        [attempt([loop("[1, 2]", [BAD], onItemError="continue")], CATCH)],
        {"vars": {"caught": "ExpressionError"}, "ids": ["try", "loop", "bad", "caught"]},
    ),
    case(
        "5.6 onItemError",
        "an inner loop that fails is a failed step of the outer one",
        [loop("[1, 2]", [loop("[1, 2]", [BAD], id="inner")], onItemError="continue")],
        OK | {"ids": ["loop", "inner", "bad", "inner", "bad"]},
    ),
    case(
        "5.6 onItemError",
        "an error in a catch is the loop's again",
        [loop("[1]", [attempt([BAD], [BAD])], onItemError="continue")],
        OK | {"handled": [None, None, "tryCatch", "forEach"]},
    ),
    case(
        "5.6 control.tryCatch",
        "without an error the catch does not run",
        [attempt(TWO, CATCH)],
        {"ids": ["try", "a", "b"]},
    ),
    case(
        "5.6 control.tryCatch",
        "an error sets error and runs the catch",
        [attempt([BAD, *TWO], CATCH)],
        OK | {"vars": {"caught": "ExpressionError"}, "ids": ["try", "bad", "caught"]},
    ),
    case(
        "5.6 control.tryCatch",
        "captureErrorAs has the error's fields",
        [attempt([act()], [], captureErrorAs="problem")],
        {
            "vars": {
                "problem": exactly(
                    {
                        "category": "TransientError",
                        "message": "greylisted",
                        "nodePath": "root.steps[0].try.steps[0]",
                        "at": "2026-01-01T00:00:00.000Z",
                        "code": "G",
                        "details": {"n": 1},
                    }
                )
            }
        },
        stubs={"act": fails("TransientError", "greylisted", code="G", details={"n": 1})},
    ),
    case("5.6 control.tryCatch", "an empty catch goes on after the block", [attempt([BAD]), *TWO], OK | {"vars": {"b": 2}}),
    case("5.6 control.tryCatch", "an error in the catch goes outwards", [attempt([BAD], [BAD])], failed("ExpressionError")),
    case(
        "5.6 control.tryCatch",
        "an outer try catches what an inner catch throws",
        [attempt([attempt([BAD], [BAD], id="inner")], CATCH)],
        OK | {"vars": {"caught": "ExpressionError"}},
    ),
    case(
        "5.6 control.tryCatch",
        "a failure deep inside is caught",
        [attempt([when("true", [loop("[1]", [BAD])])], CATCH)],
        OK | {"vars": {"caught": "ExpressionError"}},
    ),
    case(
        "5.6 control.tryCatch",
        "cancellation is never caught",
        [attempt(TWO, CATCH)],
        {"status": "CANCELED", "vars": {"caught": ABSENT}},
        script=[says("cancel", "b")],
    ),
    case(
        "5.6 control.tryCatch",
        "interpreter corruption is never caught",
        [attempt([act()], CATCH)],
        failed("InterpreterCorruption"),
        stubs={"act": fails("InterpreterCorruption")},
    ),
    case(
        "5.6 control.callWorkflow",
        "the payload is the input mapping",
        [calling("sub", inputMapping=maps(a="1 + 1"), outputMapping=maps(p="childRun.payload"))],
        OK | {"vars": {"p": exactly({"a": 2})}},
        others={"sub": []},
    ),
    case(
        "5.6 control.callWorkflow",
        "without a mapping the payload is empty",
        [calling("sub", outputMapping=maps(p="childRun.payload"))],
        {"vars": {"p": exactly({})}},
        others={"sub": []},
    ),
    case(
        "5.6 control.callWorkflow",
        "the payload is not checked against the schema",
        [calling("sub", inputMapping=maps(a='"third"'))],
        OK,
        others={"sub": [act(action="x.bare")]},
        registry=OFFERS,
        payload={"a": "first"},
    ),
    case(
        "5.6 control.callWorkflow",
        "its variables are its own",
        [assign({"vars.mine": "1"}), calling("sub")],
        {"vars": exactly({"mine": 1})},
        others={"sub": [assign({"vars.theirs": "2"})]},
    ),
    case(
        "5.6 control.callWorkflow",
        "a return inside ends the called workflow alone",
        [calling("sub"), *TWO],
        OK | {"vars": {"b": 2}},
        others={"sub": [END, BAD]},
    ),
    case(
        "5.6 control.callWorkflow",
        "its failure is a ChildWorkflowError",
        [calling("sub")],
        failed("ChildWorkflowError", nodePath="root.steps[0]", details={"category": "ExpressionError"}),
        others={"sub": [BAD]},
    ),
    case(
        "5.6 control.callWorkflow",
        "its failure can be caught",
        [attempt([calling("sub")], CATCH)],
        OK | {"vars": {"caught": "ChildWorkflowError"}},
        others={"sub": [BAD]},
    ),
    case(
        "5.6 control.callWorkflow",
        "onError is ignored",
        [calling("sub", onError={"policy": "continue"})],
        failed("ChildWorkflowError"),
        others={"sub": [BAD]},
    ),
    case(
        "5.6 control.callWorkflow",
        "retry is honoured",
        [calling("sub", retry={"maxAttempts": 2, "backoffMs": 10})],
        OK | {"ids": ["call", "act", "act"], "completedAt": "2026-01-01T00:00:00.010Z"},
        others={"sub": [act()]},
        stubs={"act": returns(Answer(error={"message": "no"}), {})},
    ),
    case(
        "5.6 control.callWorkflow",
        "exactly that version",
        [calling("sub", version=2)],
        failed("ChildWorkflowError", code="UNKNOWN_WORKFLOW", message={"$matches": "version 2"}),
        others={"sub": []},
    ),
    case("5.6 control.callWorkflow", "a workflow that is not there", [calling("no")], failed("ChildWorkflowError", code="UNKNOWN_WORKFLOW")),
    case(
        "5.6 control.callWorkflow",
        "a try around the caller does not reach into the called loop",
        [attempt([calling("sub")], CATCH)],
        OK | {"vars": {"caught": ABSENT}},
        others={"sub": [loop("[1]", [BAD], onItemError="continue")]},
    ),
    case(
        "5.6 control.callWorkflow",
        "endless recursion ends by budget and is not caught",
        [attempt([calling("main")], CATCH)],
        failed("BudgetExceeded", code="CALLS"),
    ),
    case("5.6 state.set", "it is meta.state", [node("state.set", state="DONE")], {"state": "DONE", "meta": {"state": "DONE"}}),
    case("5.6 state.set", "a state must be named", [node("state.set")], failed("ValidationError")),
]  # fmt: skip


def event_step(**config: Any) -> dict[str, Any]:
    usual = {"eventName": "E", "correlationKey": e("payload.k")}
    return node("event.wait", "wait", **(usual | config))


def filtered(op: str, value: Any, payload: Any, *, is_passed: bool) -> Case:
    expected = OK if is_passed else {"status": "WAITING"}
    condition = {"path": "a", "op": op} | ({} if value is None else {"value": value})
    name = f"{op} {value!r} {'passes' if is_passed else 'stops'} {payload!r}"
    return case(
        "2.3 filter ops",
        name,
        [event_step(filters=[condition])],
        expected,
        payload={"k": None},
        script=[says("event", "E", payload)],
    )


WAITS = [
    case(
        "5.6 event.wait",
        "it resumes on name and key, and sets event and eventName",
        [event_step()],
        OK | {"vars": exactly({"event": {"a": 1}, "eventName": "E"})},
        payload={"k": "c-1"},
        script=[says("event", "E", {"a": 1}, key="c-1")],
    ),
    case(
        "5.6 event.wait",
        "without an event it waits and says for what",
        [event_step()],
        {"status": "WAITING", "waitingFor": {"type": "event", "name": "E", "correlationKey": "c-1", "stepId": "wait"}},
        payload={"k": "c-1"},
    ),
    case(
        "5.6 event.wait",
        "another name does not resume it",
        [event_step()],
        {"status": "WAITING"},
        payload={"k": None},
        script=[says("event", "F", {})],
    ),
    case(
        "5.6 event.wait",
        "another key does not resume it, and is told",
        [event_step()],
        {"status": "WAITING", "warned": {"$matches": "'c-2'"}},
        payload={"k": "c-1"},
        script=[says("event", "E", {}, key="c-2")],
    ),
    case(
        "5.6 event.wait",
        "a null key matches any event",
        [event_step()],
        OK,
        payload={"k": None},
        script=[says("event", "E", {}, key="c-2")],
    ),
    case(
        "5.6 event.wait",
        "an event without a key does not resume a step with one",
        [event_step()],
        {"status": "WAITING"},
        payload={"k": "c-1"},
        script=[says("event", "E", {})],
    ),
    *(
        case(
            "5.6 event.wait",
            f"the key is found at {name}",
            [event_step()],
            OK,
            payload={"k": "7"},
            script=[says("event", "E", {name: 7})],
        )
        for name in ("ticketId", "clientId", "invoiceId", "projectId", "paymentId")
    ),
    case(
        "5.6 event.wait",
        "assign comes after event, and sees it",
        [event_step(assign=maps(got="vars.event.a", name="eventName"))],
        {"vars": {"got": 1, "name": "E"}},
        payload={"k": None},
        script=[says("event", "E", {"a": 1})],
    ),
    case(
        "5.6 event.wait",
        "a timeout is a TimeoutError that can be caught",
        [attempt([event_step(timeoutMs=1000)], CATCH)],
        OK | {"vars": {"caught": "TimeoutError"}, "completedAt": "2026-01-01T00:00:01.000Z"},
        payload={"k": None},
        script=[says("timeout", "wait")],
    ),
    case(
        "5.6 event.wait",
        "an event that comes too late is a timeout",
        [event_step(timeoutMs=1000)],
        failed("TimeoutError"),
        payload={"k": None},
        script=[says("event", "E", {}, after=1001)],
    ),
    case(
        "5.6 event.wait",
        "the clock moves to the event",
        [event_step(timeoutMs=1000), assign({"vars.t": "nowIso()"})],
        OK | {"vars": {"t": "2026-01-01T00:00:00.500Z"}},
        payload={"k": None},
        script=[says("event", "E", {}, after=500)],
    ),
    case(
        "5.6 event.wait",
        "a wait in a called workflow is the caller's wait",
        [calling("sub")],
        {"status": "WAITING", "waitingFor": {"workflow": "sub"}},
        others={"sub": [event_step(correlationKey=e("null"))]},
    ),
    case(
        "5.6 event.wait",
        "two waits take two events in order",
        [event_step(), assign({"vars.one": "vars.event.n"}, id="one"), event_step(),
         assign({"vars.two": "vars.event.n"}, id="two")],
        OK | {"vars": {"one": 1, "two": 2}},
        payload={"k": None},
        script=[says("event", "E", {"n": 1}), says("event", "E", {"n": 2})],
    ),
    case(
        "5.6 time.wait",
        "a duration sets timeWait and moves the clock",
        [node("time.wait", "nap", mode="duration", durationMs=60_000)],
        OK | {"vars": exactly({"timeWait": {"mode": "duration", "dueAt": "2026-01-01T00:01:00.000Z",
                                            "resumedAt": "2026-01-01T00:01:00.000Z"}})},
        script=[says("time", "nap")],
    ),
    case(
        "5.6 time.wait",
        "until",
        [node("time.wait", "nap", mode="until", until=e('"2026-02-01T00:00:00Z"'))],
        OK | {"vars": {"timeWait": {"dueAt": "2026-02-01T00:00:00.000Z"}}},
        script=[says("time", "*")],
    ),
    case(
        "5.6 time.wait",
        "a time that has passed is not waited for",
        [node("time.wait", "nap", mode="until", until=e('"2025-02-01T00:00:00Z"'))],
        OK,
    ),
    case(
        "5.6 time.wait",
        "assign",
        [node("time.wait", "nap", mode="duration", durationMs=1, assign=maps(due="vars.timeWait.dueAt"))],
        {"vars": {"due": "2026-01-01T00:00:00.001Z"}},
        script=[says("time", "nap")],
    ),
    case("5.6 time.wait", "a mode there is not", [node("time.wait", mode="later")], failed("ValidationError")),
    case("5.6 time.wait", "no time", [node("time.wait", mode="until", until=e('"soon"'))], failed("ValidationError")),
    case("2.3 time.wait", "a duration is above 0", [node("time.wait", mode="duration", durationMs=0)], failed("ValidationError")),
    case(
        "5.6 human.task",
        "the answer is event, the event its completion",
        [node("human.task", "ask", taskType="approval", title=e('"T"'), assign=maps(d="vars.event.decision"))],
        OK | {"vars": {"event": {"decision": "yes"}, "eventName": "HUMAN_TASK_COMPLETED", "d": "yes"}},
        script=[says("task", "approval", {"decision": "yes"})],
    ),
    case(
        "5.6 human.task",
        "without an answer it waits",
        [node("human.task", "ask", taskType="approval", title=e('"T"'))],
        {"status": "WAITING", "waitingFor": {"type": "human", "name": "approval"}},
    ),
    case("5.6 human.task", "its title is evaluated", [node("human.task", taskType="t", title=e("payload.no"))], failed("ExpressionError")),
    filtered("=", 1, {"a": 1}, is_passed=True),
    filtered("=", 1, {"a": 2}, is_passed=False),
    filtered("!=", 1, {"a": 2}, is_passed=True),
    filtered("!=", 1, {"a": 1}, is_passed=False),
    filtered("in", [1, 2], {"a": 2}, is_passed=True),
    filtered("in", [1, 2], {"a": 3}, is_passed=False),
    filtered("not_in", [1, 2], {"a": 3}, is_passed=True),
    filtered("not_in", [1, 2], {"a": 2}, is_passed=False),
    filtered("exists", None, {"a": 0}, is_passed=True),
    filtered("exists", None, {}, is_passed=False),
    filtered("not_exists", None, {}, is_passed=True),
    filtered("not_exists", None, {"a": 0}, is_passed=False),
    filtered(">", 1, {"a": 2}, is_passed=True),
    filtered(">", 2, {"a": 2}, is_passed=False),
    filtered(">=", 2, {"a": 2}, is_passed=True),
    filtered("<", 2, {"a": 1}, is_passed=True),
    filtered("<", 1, {"a": 1}, is_passed=False),
    filtered("<=", 1, {"a": 1}, is_passed=True),
    filtered(">", 1, {"a": "x"}, is_passed=False),
    filtered("contains", "b", {"a": "abc"}, is_passed=True),
    filtered("contains", "d", {"a": "abc"}, is_passed=False),
    filtered("starts_with", "a", {"a": "abc"}, is_passed=True),
    filtered("starts_with", "b", {"a": "abc"}, is_passed=False),
    filtered("ends_with", "c", {"a": "abc"}, is_passed=True),
    filtered("ends_with", "a", {"a": "abc"}, is_passed=False),
]  # fmt: skip


def tries(**policy: Any) -> dict[str, Any]:
    return act(retry={"maxAttempts": 3, "backoffMs": 100, **policy})


FAIL = Answer(error={"category": "TransientError", "message": "no"})
ACTIONS = [
    case(
        "5.7 input",
        "expressions, literals and what is nested in them",
        [act(inputMapping={"a": e("1 + 1"), "b": [e("payload"), "x"], "c": {"d": e("true")}, "n": None})],
        {"inputs": [exactly({"a": 2, "b": [{}, "x"], "c": {"d": True}, "n": None})]},
    ),
    case("2.3 action.call", "no mapping is an empty input", [act()], {"inputs": [exactly({})]}),
    case(
        "2.4 secrets",
        "a secret stands as a placeholder, with a warning",
        [act(inputMapping={"t": [{"$secret": "API_KEY"}]})],
        {"inputs": [{"t": ["[secret API_KEY]"]}], "warned": {"$matches": "API_KEY"}},
    ),
    case("2.4 secrets", "a bad name is an error", [act(inputMapping={"t": {"$secret": "api"}})], failed("ValidationError", code="INVALID_SECRET_NAME")),
    case(
        "2.4 expressions",
        "other keys beside $expr are dropped",
        [act(inputMapping={"a": {"$expr": "1", "note": "x"}})],
        {"inputs": [exactly({"a": 1})]},
    ),
    case(
        "5.7 input",
        "the action's schema adds its defaults",
        [act(inputMapping=maps(n="1"))],
        OK | {"inputs": [exactly({"n": 1, "mode": "fast"})]},
        registry=OFFERS,
        payload={"a": "first"},
    ),
    case(
        "5.7 input",
        "what the action's schema refuses is a ValidationError",
        [act(inputMapping=maps(n='"x"'))],
        failed("ValidationError", code="SCHEMA_VALIDATION_FAILED"),
        registry=OFFERS,
        payload={"a": "first"},
    ),
    case(
        "5.7 input",
        "unknown keys are let through",
        [act(inputMapping=maps(n="1", more="2"))],
        OK,
        registry=OFFERS,
        payload={"a": "first"},
    ),
    case("5.7 unknown action", "it is a failure", [act(action="x.no")], failed("ValidationError", code="UNKNOWN_ACTION"), registry=OFFERS, payload={"a": "first"}),
    case(
        "5.9 no stub",
        "the answer is a sample of the output schema",
        [act(inputMapping=maps(n="1"), saveAs="o")],
        {"vars": {"o": exactly({"id": "00000000-0000-0000-0000-000000000000"})}},
        registry=OFFERS,
        payload={"a": "first"},
    ),
    case("5.9 no stub", "without a schema it is {} and a warning", [act(saveAs="o")], {"vars": {"o": exactly({})}, "warned": {"$matches": "x.do"}}),
    case("5.9 stubs", "by step id", [act(saveAs="o")], {"vars": {"o": 1}}, stubs={"act": returns(1)}),
    case("5.9 stubs", "by action", [act(saveAs="o")], {"vars": {"o": 1}}, stubs={"x.do": returns(1)}),
    case("5.9 stubs", "the step id comes first", [act(saveAs="o")], {"vars": {"o": 2}}, stubs={"x.do": returns(1), "act": returns(2)}),
    case(
        "5.9 stubs",
        "a called workflow",
        [calling("elsewhere", outputMapping=maps(a="childRun.vars.a"))],
        OK | {"vars": {"a": 1}},
        stubs={"workflow:elsewhere": returns({"a": 1})},
    ),
    case("5.9 stubs", "a called workflow that fails", [calling("elsewhere")], failed("ChildWorkflowError"), stubs={"call": fails()}),
    *(
        case("5.7 categories", category, [act()], failed(category, message="no"), stubs={"act": fails(category)})
        for category in ("ValidationError", "ExpressionError", "TransientError", "ActionError", "TimeoutError", "QuotaExceeded")
    ),
    case("5.7 retry", "maxAttempts is the number of all attempts", [tries()], failed("TransientError") | {"calls": [{"attempt": 1}, {"attempt": 2}, {"attempt": 3}]}, stubs={"act": fails("TransientError")}),
    case("5.7 retry", "a success ends it", [tries()], OK | {"calls": [{}, {"error": None}]}, stubs={"act": returns(FAIL, 1)}),
    case(
        "5.7 retry",
        "the backoff doubles by default, without jitter",
        [tries()],
        {"calls": [{"at": "2026-01-01T00:00:00.000Z"}, {"at": "2026-01-01T00:00:00.100Z"}, {"at": "2026-01-01T00:00:00.300Z"}]},
        stubs={"act": fails()},
    ),
    case(
        "5.7 retry",
        "the multiplier",
        [tries(backoffMultiplier=1.5)],
        {"completedAt": "2026-01-01T00:00:00.250Z"},
        stubs={"act": fails()},
    ),
    case("5.7 retry", "maxDelayMs caps it", [tries(maxDelayMs=120)], {"completedAt": "2026-01-01T00:00:00.220Z"}, stubs={"act": fails()}),
    case("5.7 retry", "retryOn names what is tried again", [tries(retryOn=["TransientError"])], {"calls": [{}]}, stubs={"act": fails("ActionError")}),
    case("5.7 retry", "an empty retryOn is always", [tries(retryOn=[])], {"calls": [{}, {}, {}]}, stubs={"act": fails()}),
    case("5.7 retry", "no policy, no retry", [act()], {"calls": [{}]}, stubs={"act": fails()}),
    case("5.7 retry", "it comes before onError", [act(retry={"maxAttempts": 2, "backoffMs": 1}, onError={"policy": "continue"})],
         OK | {"calls": [{}, {}]}, stubs={"act": fails()}),
    case("5.7 retry", "a malformed policy is a ValidationError", [act(retry={"maxAttempts": 0})], failed("ValidationError")),
    case(
        "5.7 onError",
        "continue: the step succeeds and error is set",
        [act(onError={"policy": "continue"}, saveAs="o"), assign({"vars.e": "error.category"})],
        OK | {"statuses": ["SUCCEEDED", "SUCCEEDED"], "handled": ["onError", None], "vars": exactly({"e": "ActionError"})},
        stubs={"act": fails()},
    ),
    case("5.7 onError", "the step's own wins over the config's", [act(onErrorOfStep="fail", onError={"policy": "continue"})], failed("ActionError"), stubs={"act": fails()}),
    case("5.7 onError", "of the step", [act(onErrorOfStep="continue")], OK, stubs={"act": fails()}),
    case("5.7 onError", "it holds for a failing mapping too", [act(onErrorOfStep="continue", inputMapping=maps(a="payload.no"))], OK),
    case(
        "5.7 onError",
        "it comes before a try",
        [attempt([act(onErrorOfStep="continue")], CATCH)],
        {"vars": {"caught": ABSENT}},
        stubs={"act": fails()},
    ),
    case(
        "5.7 onError",
        "other nodes have none",
        [BAD | {"onError": {"policy": "continue"}}],
        failed("ExpressionError"),
    ),
    case(
        "5.7 idempotency",
        "equal input in a loop is called once, with a warning",
        [loop("[1, 2]", [act(saveAs="o")])],
        OK | {"calls": [{}], "warned": {"$matches": "idempotencyKey"}},
    ),
    case("5.7 idempotency", "unlike input is called each time", [loop("[1, 2]", [act(inputMapping=maps(i="item"))])], {"calls": [{}, {}]}),
    case(
        "5.7 idempotency",
        "an explicit key tells calls apart",
        [loop("[1, 2]", [act(idempotencyKey=e("toString(index)"))])],
        {"calls": [{}, {}]},
    ),
    case(
        "5.7 idempotency",
        "one explicit key in two steps is one call, and both have its output",
        [act("one", idempotencyKey=e('"k"'), saveAs="a"), act("two", idempotencyKey=e('"k"'), saveAs="b")],
        {"calls": [{"stepId": "one"}], "vars": {"a": 1, "b": 1}},
        stubs={"x.do": returns(1, 2)},
    ),
    case(
        "5.7 idempotency",
        "the key has the tenant in front",
        [act(idempotencyKey=e('"k"'))],
        {"calls": [{"idempotencyKey": f"{Options().tenant}:k"}]},
    ),
    case(
        "5.7 idempotency",
        "the default has run, path, action, version and a hash",
        [act()],
        {"calls": [{"idempotencyKey": {"$matches": rf"{Options().run_id}:root.steps\[0\]:x.do:1:[0-9a-z]+$"}}]},
    ),
    case("5.7 idempotency", "a failed call has no output to repeat", [attempt([act("a", idempotencyKey=e('"k"'))]), act("b", idempotencyKey=e('"k"'))],
         {"calls": [{}, {}]}, stubs={"a": fails()}),
    case("2.2 steps", "an unknown type is a failure", [node("x.y")], failed("ValidationError", code="UNKNOWN_NODE_TYPE")),
    case("2.2 steps", "no type", [{"id": "a"}], failed("ValidationError")),
    case("2.2 steps", "no id", [{"type": "control.return"}], failed("ValidationError")),
    case("2.2 steps", "a branch that is no list", [{"id": "i", "type": "control.if", "condition": e("true"), "then": 1}], failed("ValidationError")),
    case("2.2 steps", "a literal where an expression is due", [{"id": "i", "type": "control.if", "condition": True, "then": []}], failed("ValidationError", code="INVALID_EXPR")),
    case("2.3 configs", "an action must be named", [act(action="")], failed("ValidationError")),
    case("2.3 configs", "a version is a whole number", [act(version="1")], failed("ValidationError")),
    case("2.3 email.parseBody", "saved as payload.parsedEmail", [node("email.parseBody", text=e('"hi"'))], OK | {"payload": {"parsedEmail": {"text": "hi"}}}),
    case("2.3 email.parseBody", "HTML without its markup", [node("email.parseBody", html=e('"<p>a <b>b</b></p><p>c</p>"'), saveAs="vars.m")], {"vars": {"m": {"text": "a b\nc"}}}),
    case("2.3 email.parseBody", "a stub gives the product's own", [node("email.parseBody", "mail", saveAs="vars.m")], {"vars": {"m": {"x": 1}}}, stubs={"mail": returns({"x": 1})}),
    case("2.3 email.renderCommentBlocks", "saved as payload.commentBlocks", [node("email.renderCommentBlocks", text=e('"a\\nb"'))], OK | {"payload": {"commentBlocks": [{"type": "paragraph"}, {}]}}),
    case("5.8 limits", "the result of an expression", [assign({"vars.x": "[1..70000]"})], failed("ExpressionError", code="TOO_LARGE")),
    case("5.9 budgets", "steps", [loop("[1..50]", TWO)], failed("BudgetExceeded", code="STEPS"), options=Options(budget=Budget(steps=20))),
    case("5.9 budgets", "items", [attempt([loop("[1..50]", TWO)])], failed("BudgetExceeded", code="ITEMS"), options=Options(budget=Budget(items=20))),
    case("5.9 budgets", "payload", TWO, failed("ValidationError", code="PAYLOAD_TOO_LARGE"), payload={"a": "x" * 100}, options=Options(budget=Budget(payload=50))),
    case("5.9 budgets", "time, by the clock handed in", TWO, failed("BudgetExceeded", code="SECONDS"), options=Options(clock=iter(range(0, 10_000, 40)).__next__)),
]  # fmt: skip
TABLE = [*LIFECYCLE, *ORDER, *SCOPES, *EXPRESSIONS, *ASSIGNMENTS, *BLOCKS, *WAITS, *ACTIONS]


@pytest.mark.parametrize("case", TABLE, ids=lambda case: f"{case.row}-{case.name}".replace(" ", "-"))
def test_a_run_does_what_the_product_does(case: Case) -> None:
    done = run(case.steps, **case.given)

    assert list(differences(case.expected, facts(done))) == []


def test_the_table_is_as_large_as_it_has_to_be_and_names_each_case_once() -> None:
    names = [(case.row, case.name) for case in TABLE]

    assert len(names) >= 150
    assert len(set(names)) == len(names)


def test_a_trace_tells_each_step_as_it_begins_and_as_it_ends() -> None:
    told: list[tuple[str, StepStatus]] = []
    options = Options(on_step=lambda step: told.append((step.step_id, step.status)))

    run([when("true", [END])], options=options)

    started, succeeded = StepStatus.STARTED, StepStatus.SUCCEEDED
    assert told == [("if", started), ("end", started), ("end", succeeded), ("if", succeeded)]
