"""Many cases: what each comes to, in which processes, and what ends those that would not end."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from typing import Any

import pytest

from gitsync.runtime.limits import Stopped, held
from gitsync.runtime.model import Budget
from gitsync.testing.coverage import CoverageItem, cover, iter_items, share_of
from gitsync.testing.suite import Result, Suite, Verdict, run_case, run_suite
from gitsync.testing.testfile import Case, Setting, read_test_file
from gitsync.workflow.types import Document, Key
from tests.support.runs import END, act, assign, attempt, calling, loop, maps, run, when, workflow

MAIN = workflow("main", [assign({"vars.a": "payload.a"}), act(inputMapping=maps(a="payload.a"), saveAs="o")])


def pids() -> dict[str, Any]:
    """Actions that answer with the process they run in."""
    return {"x.do": lambda _given: {"pid": os.getpid()}}


def wrong() -> dict[str, Any]:
    def hang(_given: Any) -> None:
        while True:
            with contextlib.suppress(Exception):  # an action that holds on to everything
                time.sleep(0.01)

    return {"x.do": hang, "x.eat": lambda _given: [bytearray(2**29) for _ in range(100)]}


def suite(*documents: Document, **more: Any) -> Suite:
    return Suite({Key(d["key"]): d for d in documents or (MAIN,)}, **more)


def cases(text: str) -> tuple[Case, ...]:
    read = read_test_file(f"workflow: main\ncases:\n{text}".encode(), file="t.yaml")
    assert not read.problems
    return read.cases


def judged(text: str, *documents: Document, functions: Mapping[str, Any] | None = None) -> Result:
    (case,) = cases(text)
    return run_case(suite(*documents), case, functions or {})


@pytest.mark.parametrize(
    "expect, reasons",
    [
        ("{status: SUCCEEDED, vars: {a: 1}}", []),
        ("{vars: {a: 2}}", ["vars.a: expected 2, got 1"]),
        ("{status: FAILED}", ["status: expected FAILED, got SUCCEEDED"]),
        ("{state: DONE}", ['state: expected "DONE", got null']),
        ("{error: {category: ActionError}}", ['error: expected {"category": "ActionError"}, got null']),
        ("{error: null}", []),
        ("{waitingFor: {type: time}}", ['waitingFor: expected {"type": "time"}, got null']),
        ("{payload: {a: 1}}", []),
        ("{steps: {executed: [act], notExecuted: [assign]}}", ["steps: assign was executed"]),
        ("{steps: {executed: [no]}}", ["steps: no was not executed"]),
        ("{calls: [{action: x.do}]}", []),
        ("{calls: [{action: x.do, times: 1, input: {a: 1}}]}", []),
        ("{calls: [{step: act, output: {}}]}", []),
        ("{calls: [{action: x.do, times: 2}]}", ["calls[0]: expected 2 calls of x.do, got 1"]),
        ("{calls: [{action: x.do, times: 0}]}", ["calls[0]: expected 0 calls of x.do, got 1"]),
        ("{calls: {$exact: [{action: x.do}]}}", []),
        ("{calls: {$exact: []}}", ["calls: expected exactly 0, got 1: x.do"]),
        ("{calls: {$exact: [{action: y.do}]}}", ["calls[0]: expected y.do, got x.do at act"]),
        (
            "{calls: [{action: x.do, input: {a: 2}}]}",
            [
                'calls[0]: expected a call of x.do with input {"a": 2}, got 0',
                "  x.do at act: input.a: expected 2, got 1",
            ],
        ),
        (
            "{calls: [{action: y.do}]}",
            ["calls[0]: expected a call of y.do, got 0", "  the run called x.do"],
        ),
    ],
)  # fmt: skip
def test_a_case_is_judged_by_what_it_expects(expect: str, reasons: list[str]) -> None:
    result = judged(f"  - {{name: c, payload: {{a: 1}}, expect: {expect}}}")

    assert list(result.reasons) == reasons
    assert result.verdict is (Verdict.FAILED if reasons else Verdict.PASSED)


def test_a_run_that_fails_without_being_expected_to_says_why() -> None:
    result = judged("  - {name: c, payload: {}, expect: {steps: {executed: [assign]}}}")

    assert result.reasons[0] == "status: the run failed, and the case expects no error"
    assert "payload.a" in result.reasons[1]


def test_a_case_may_be_skipped_with_a_reason() -> None:
    result = judged("  - {name: c, skip: later, expect: {status: SUCCEEDED}}")

    assert (result.verdict, result.reasons) == (Verdict.SKIPPED, ("later",))


def test_a_python_action_that_never_ends_is_stopped() -> None:
    result = judged(
        "  - {name: c, payload: {a: 1}, budget: {seconds: 0.05}, expect: {status: SUCCEEDED}}",
        functions=wrong(),
    )

    assert result.verdict is Verdict.FAILED
    assert "took longer than 0.05 seconds" in result.reasons[0]


def test_a_python_action_that_eats_memory_is_stopped() -> None:
    result = judged(
        "  - {name: c, payload: {a: 1}, expect: {status: SUCCEEDED}}",
        workflow("main", [act(action="x.eat")]),
        functions=wrong(),
    )

    assert result.verdict is Verdict.FAILED
    assert "memory" in " ".join(result.reasons).lower()


def test_what_never_ends_outside_a_suite_is_stopped_as_well() -> None:
    with pytest.raises(Stopped, match=r"the run took longer than 0\.01 seconds; it was stopped"), held(0.01):
        wrong()["x.do"](None)


def test_a_billion_retries_without_a_pause_end_by_budget() -> None:
    endless = act(retry={"maxAttempts": 10**9, "backoffMs": 0})

    result = judged(
        "  - {name: c, payload: {}, stubs: {x.do: {error: {category: TransientError, message: no}}},"
        " expect: {error: {category: BudgetExceeded, code: STEPS}}}",
        workflow("main", [endless]),
    )

    assert (result.verdict, result.reasons) == (Verdict.PASSED, ())


def test_an_endless_recursion_ends_by_budget() -> None:
    result = judged(
        "  - {name: c, payload: {}, budget: {calls: 5}, expect: {error: {category: BudgetExceeded, code: CALLS}}}",
        workflow("main", [calling("main")]),
    )

    assert result.verdict is Verdict.PASSED


def test_a_thousand_cases_start_no_more_processes_than_asked_for() -> None:
    many = "".join(
        f"  - {{name: c{n}, payload: {{a: {n}}}, expect: {{vars: {{a: {n}, o: {{pid: 0}}}}}}}}\n"
        for n in range(1000)
    )

    results = list(run_suite(suite(load_functions=pids), cases(many), processes=2))

    assert [result.case.name for result in results] == [f"c{n}" for n in range(1000)]
    processes = {result.reasons[0].rpartition(" ")[2] for result in results}
    assert all(result.reasons[0].startswith("vars.o.pid: expected 0, got ") for result in results)
    assert len(processes) <= 2
    assert str(os.getpid()) not in processes


def test_few_cases_start_no_process() -> None:
    some = "".join(
        f"  - {{name: c{n}, payload: {{a: 1}}, expect: {{vars: {{o: {{pid: {os.getpid()}}}}}}}}}\n"
        for n in range(20)
    )

    results = list(run_suite(suite(load_functions=pids), cases(some), processes=8))

    assert {result.verdict for result in results} == {Verdict.PASSED}


def test_secrets_are_in_no_text_of_a_result() -> None:
    given = "  - name: c\n    secrets: {API_KEY: hunter2-canary}\n    payload: {a: hunter2-canary}\n    expect: {vars: {a: no}}"
    result = judged(
        given,
        workflow(
            "main",
            [
                assign({"vars.a": "payload.a"}),
                act(inputMapping={"k": {"$secret": "API_KEY"}}),
                assign({"vars.b": "vars.a + 1"}),
            ],
        ),
    )

    assert result.verdict is Verdict.FAILED
    told = repr((result.reasons, result.warnings, result.run))
    assert "hunter2-canary" not in told
    assert "[REDACTED]" in told


PLACES = [
    CoverageItem("root.steps[0]", "if"),
    CoverageItem("root.steps[0].then", "if", "then"),
    CoverageItem("root.steps[0].then.steps[0]", "end"),
    CoverageItem("root.steps[0].else", "if", "else"),
    CoverageItem("root.steps[1]", "loop"),
    CoverageItem("root.steps[1].body", "loop", "body"),
    CoverageItem("root.steps[1].body.steps[0]", "try"),
    CoverageItem("root.steps[1].body.steps[0].try.steps[0]", "assign"),
    CoverageItem("root.steps[1].body.steps[0].catch", "try", "catch"),
]
COVERED = [when("payload.a = 1", [END]), loop("[1]", [attempt([assign({"vars.a": "1"})])])]


def test_the_places_of_a_definition_are_its_steps_and_branches_in_order() -> None:
    document = workflow("main", COVERED)

    assert list(iter_items(document["publishedVersions"][0]["definition"])) == PLACES


@pytest.mark.parametrize(
    "payloads, missed",
    [
        ([], PLACES),
        ([{"a": 2}], [PLACES[1], PLACES[2], PLACES[8]]),
        ([{"a": 1}], PLACES[3:]),
        ([{"a": 1}, {"a": 2}], [PLACES[8]]),
    ],
)
def test_the_coverage_is_what_some_case_reached(payloads: list[Any], missed: list[CoverageItem]) -> None:
    reached = {point for payload in payloads for point in run(COVERED, payload=payload).reached}

    covered = cover(workflow("main", COVERED), None, reached)

    assert list(covered.missed) == missed
    assert covered.share == share_of([covered]) == pytest.approx(1 - len(missed) / 9)


def test_a_budget_of_the_suite_holds_for_every_case() -> None:
    (case,) = cases("  - {name: c, payload: {a: 1}, expect: {error: {code: STEPS}}}")

    assert run_case(suite(budget=Budget(steps=1)), case, {}).verdict is Verdict.PASSED
    assert case.setting == Setting()
