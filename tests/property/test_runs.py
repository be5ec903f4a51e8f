"""Laws of the interpreter: it is deterministic, a recorded run replays, and nothing that it is given breaks it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gitsync.runtime.interpreter import STEP_TYPES, run_workflow
from gitsync.runtime.model import Budget, Options, Run, RunStatus
from gitsync.runtime.redact import Redactor
from gitsync.runtime.start import Start
from gitsync.runtime.stubs import Answer, Outside, ScriptEntry, ScriptKind, Stub
from gitsync.testing.record import record
from gitsync.testing.suite import Suite, Verdict, run_case
from gitsync.testing.testfile import Setting, read_test_file
from gitsync.workflow.types import Document, Key
from tests.support.runs import workflow
from tests.support.strategies import json_objects, json_values

IDS = ("a", "b", "c", "d", "e")
BRANCHES = ("then", "else", "body", "try", "catch")
NAMES = ("x", "y", "z")
ACTIONS = ("x.do", "y.do")
CANARY = "canary-5e1f-of-a-secret"
OPTIONS = Options(budget=Budget(steps=200, items=20, calls=3), secrets={"API_KEY": CANARY})

expressions = st.sampled_from(
    [
        "1", "true", "false", "null", '"text"', "[1, 2, 3]", "[]", "{}", '{"k": 1}', "payload", "vars", "x", "vars.x",
        "vars.y", "payload.x", "error", "error.category", "meta.state", "len(vars.x)", "coalesce(vars.x, 1)",
        "append(coalesce(vars.x, []), 1)", "toString(vars.y)", "nowIso()", "index", "item", "local", "system.runId",
        "vars.x = 1", "len(payload.x) > 0", "payload.x & vars.y", "childRun.vars.x", "1 +", "$sum([1])", "",
    ]
)  # fmt: skip
paths = st.sampled_from(
    ["vars.x", "vars.y", "vars.z", "payload.x", "meta.m", "error.e", "/x/y", "x", "local.x", "vars.__proto__", "", "y.0"]
)  # fmt: skip
exprs = st.one_of(expressions.map(lambda text: {"$expr": text}), json_values)
mapped = st.one_of(
    exprs,
    st.just({"$secret": "API_KEY"}),
    st.just({"$secret": "OTHER"}),
    st.lists(expressions.map(lambda text: {"$expr": text}), max_size=2),
)
ids = st.sampled_from(IDS)


def fields(**strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any of these members, each there or not."""
    return st.fixed_dictionaries({}, optional=strategies)


configs: Mapping[str, st.SearchStrategy[Any]] = {
    "state.set": fields(state=st.sampled_from(["S", "", 1])),
    "transform.assign": fields(assign=st.dictionaries(paths, exprs, max_size=3)),
    "action.call": st.fixed_dictionaries(
        {"actionId": st.sampled_from(ACTIONS), "version": st.just(1)},
        optional={
            "inputMapping": st.dictionaries(st.sampled_from(NAMES), mapped, max_size=2),
            "saveAs": paths,
            "idempotencyKey": exprs,
            "onError": st.just({"policy": "continue"}),
        },
    ),
    "event.wait": fields(
        eventName=st.just("E"),
        correlationKey=exprs,
        timeoutMs=st.sampled_from([1, 0, "x"]),
        filters=st.lists(
            fields(path=st.just("x"), op=st.sampled_from(["=", "in", "exists", ">", "?"]), value=json_values),
            max_size=1,
        ),
        assign=st.dictionaries(paths, exprs, max_size=2),
    ),
    "time.wait": fields(mode=st.sampled_from(["duration", "until"]), durationMs=st.just(5), until=exprs),
    "human.task": fields(
        taskType=st.just("t"), title=exprs, assign=st.dictionaries(paths, exprs, max_size=1)
    ),
    "email.parseBody": fields(text=exprs, html=exprs, saveAs=paths),
    "email.renderCommentBlocks": fields(text=exprs, html=exprs, saveAs=paths),
}
retries = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {"maxAttempts": st.sampled_from([1, 2, 3, 0]), "backoffMs": st.sampled_from([0, 10])}
    ),
)


def plain_step(kind: str) -> st.SearchStrategy[Any]:
    parts: dict[str, Any] = {
        "id": ids,
        "type": st.just(kind),
        "config": st.one_of(configs[kind], json_values),
    }
    return st.fixed_dictionaries(
        parts, optional={"retry": retries, "onError": st.just({"policy": "continue"})}
    )


leaves = st.one_of(
    *(plain_step(kind) for kind in configs),
    st.fixed_dictionaries({"id": ids, "type": st.sampled_from(["control.return", "x.unknown"])}),
    st.fixed_dictionaries(
        {
            "id": ids,
            "type": st.just("control.callWorkflow"),
            "workflowId": st.sampled_from(["key:main", "key:sub", "key:nowhere", "raw"]),
            "workflowVersion": st.sampled_from([1, 2]),
        },
        optional={
            "inputMapping": st.dictionaries(st.sampled_from(NAMES), exprs, max_size=2),
            "outputMapping": st.dictionaries(paths, exprs, max_size=2),
            "retry": retries,
        },
    ),
    json_values,
)


def blocks(lists: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.fixed_dictionaries(
            {"id": ids, "type": st.just("control.if"), "condition": exprs, "then": lists},
            optional={"else": lists},
        ),
        st.fixed_dictionaries(
            {
                "id": ids,
                "type": st.just("control.forEach"),
                "items": exprs,
                "itemVar": st.sampled_from(NAMES),
                "body": lists,
            },
            optional={"onItemError": st.sampled_from(["continue", "fail"])},
        ),
        st.fixed_dictionaries(
            {"id": ids, "type": st.just("control.tryCatch"), "try": lists, "catch": lists},
            optional={"captureErrorAs": st.sampled_from(NAMES)},
        ),
    )


def programs(depth: int) -> st.SearchStrategy[Any]:
    """Lists of steps with blocks inside one another at most so deep."""
    inner = leaves if depth == 0 else st.one_of(leaves, blocks(programs(depth - 1)))
    return st.lists(inner, max_size=3)


steps = programs(2)
errors = st.fixed_dictionaries(
    {"category": st.sampled_from(["TransientError", "ActionError", "Cancellation"]), "message": st.just("no")}
)
answers = st.one_of(
    json_values.map(lambda value: Answer(returns=value)), errors.map(lambda error: Answer(error=error))
)
stubs = st.dictionaries(
    st.sampled_from([*ACTIONS, *IDS, "workflow:sub"]),
    st.builds(Stub, st.lists(answers, min_size=1, max_size=3).map(tuple), is_sequence=st.booleans()),
    max_size=3,
)
scripts = st.lists(
    st.builds(
        ScriptEntry,
        st.sampled_from(list(ScriptKind)),
        st.sampled_from([*IDS, "E", "t", "*"]),
        json_values,
        st.sampled_from([None, "k"]),
        st.sampled_from([0, 2]),
    ),
    max_size=3,
).map(tuple)


def numbered(program: Any, ids: Iterator[str]) -> Any:
    """The program with an id of its own for each step, as the product wants it."""
    if isinstance(program, list):
        return [numbered(item, ids) for item in program]
    if not isinstance(program, dict) or "type" not in program:
        return program
    inner = {name: numbered(program[name], ids) for name in BRANCHES if name in program}
    return {**program, "id": next(ids), **inner}


def names() -> Iterator[str]:
    """a, b, c, d, e, a1, b1, …"""
    return (letter + (str(number) if number else "") for number in itertools.count() for letter in IDS)


def runs(
    main: Any, sub: Any, payload: Any, given_stubs: Mapping[str, Stub], script: Any
) -> tuple[Run, dict[str, Document]]:
    documents = {
        "main": workflow("main", numbered(main, names())),
        "sub": workflow("sub", numbered(sub, names())),
    }
    done = run_workflow(
        documents["main"],
        Start(payload=payload),
        library=documents.get,
        outside=Outside(given_stubs, {}, script),
        options=OPTIONS,
    )
    return done, documents


@given(steps, steps, json_objects, stubs, scripts)
def test_whatever_it_is_given_a_run_ends_in_a_state_and_never_in_a_traceback(
    main: Any, sub: Any, payload: Any, given_stubs: Any, script: Any
) -> None:
    done, _ = runs(main, sub, payload, given_stubs, script)

    assert done.status is not RunStatus.RUNNING
    assert (done.error is None) == (done.status in (RunStatus.SUCCEEDED, RunStatus.WAITING))
    assert (done.wait is not None) == (done.status is RunStatus.WAITING)
    assert {step.type for step in done.trace} <= STEP_TYPES | {"x.unknown"} | {
        s.type for s in done.trace if s.error
    }
    json.dumps(done.as_json(), allow_nan=False)


@given(steps, steps, json_objects, stubs, scripts)
def test_a_run_is_the_same_each_time(
    main: Any, sub: Any, payload: Any, given_stubs: Any, script: Any
) -> None:
    first, _ = runs(main, sub, payload, given_stubs, script)
    second, _ = runs(main, sub, payload, given_stubs, script)

    assert first == second


@given(steps, steps, json_objects, stubs, scripts)
def test_a_secret_is_in_nothing_that_is_shown(
    main: Any, sub: Any, payload: Any, given_stubs: Any, script: Any
) -> None:
    done, _ = runs(main, sub, payload, given_stubs, script)
    redactor = Redactor(OPTIONS.secrets)
    setting = Setting(given_stubs, script, OPTIONS.secrets)

    shown = json.dumps(redactor.value(done.as_json()))
    recorded = record(done, Start(payload=payload), setting, name="r", redactor=redactor)

    assert CANARY not in shown + recorded


@given(steps, steps, json_objects, stubs, scripts)
def test_a_recorded_run_replays_to_the_same_trace(
    main: Any, sub: Any, payload: Any, given_stubs: Any, script: Any
) -> None:
    done, documents = runs(main, sub, payload, given_stubs, script)
    if done.error is not None and done.error["category"] in ("StubError", "BudgetExceeded"):
        return  # what a stub lacks, or a budget ends, is no answer that could be given again
    plain = Redactor({})
    start = Start(payload=payload)
    text = record(done, start, Setting(given_stubs, script), name="r", redactor=plain)

    read = read_test_file(text.encode(), file="r.yaml")
    assert read.problems == (), text
    (case,) = read.cases
    again = run_workflow(
        documents["main"],
        case.start,
        library=documents.get,
        outside=Outside(case.setting.stubs, {}, case.setting.script),
        options=OPTIONS,
    )

    assert [step.as_json() for step in again.trace] == [step.as_json() for step in done.trace]
    assert again.vars == done.vars


@given(st.binary(max_size=200))
def test_any_bytes_are_a_test_file_or_problems(data: bytes) -> None:
    read = read_test_file(data, file="t.yaml")

    assert read.cases or read.problems


@given(json_values)
def test_any_yaml_is_a_test_file_or_problems(value: Any) -> None:
    text = json.dumps({"workflow": "a", "cases": [{"name": "x", "stubs": value, "expect": value}]})

    read = read_test_file(text.encode(), file="t.yaml")

    for case in read.cases:
        assert run_case(Suite({Key("a"): workflow("a", [])}), case, {}).verdict in set(Verdict)
