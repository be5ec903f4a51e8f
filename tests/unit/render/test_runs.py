"""A run for people: its tree as it happens, and the form of what stands at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitsync.render.run import Tree, markdown_lines, text_lines
from gitsync.render.tests import render_junit
from gitsync.runtime.model import Options
from gitsync.runtime.redact import MASK, Redactor
from gitsync.runtime.start import Start
from gitsync.testing.coverage import percent
from gitsync.testing.record import record
from gitsync.testing.suite import Result, Verdict
from gitsync.testing.testfile import Setting, read_test_file
from tests.support.runs import END, act, assign, attempt, calling, fails, loop, node, returns, run, says, when


def tree_of(steps: Sequence[Any], **given: Any) -> list[str]:
    tree, lines = Tree(), list[str]()
    run(steps, options=Options(on_step=lambda step: lines.extend(tree.lines(step))), **given)
    return lines


def test_a_tree_shows_blocks_as_they_begin_and_steps_as_they_end() -> None:
    lines = tree_of(
        [when("true", [loop("[1, 2]", [assign({"vars.a": "1"})])]), calling("sub"), END],
        others={"sub": [act(onErrorOfStep="continue")]},
        stubs={"act": fails()},
    )

    assert lines == [
        "if  control.if",
        "  loop  control.forEach",
        "    ok assign  transform.assign",
        "    ok assign  transform.assign",
        "call  control.callWorkflow",
        "  ok act  action.call  (ActionError: no, went on (onError))",
        "ok end  control.return",
    ]


def test_an_error_is_told_once_at_the_step_that_failed() -> None:
    lines = tree_of([when("true", [act(retry={"maxAttempts": 2, "backoffMs": 1})])], stubs={"act": fails()})

    assert lines == [
        "if  control.if",
        "  XX act  action.call  (2 attempts; ActionError: no)",
        "XX if  control.if",
    ]


def test_a_caught_error_says_so() -> None:
    lines = tree_of([attempt([act()])], stubs={"act": fails()})

    assert lines[1] == "  XX act  action.call  (ActionError: no)"


def test_a_step_that_waits_says_so() -> None:
    assert tree_of([node("time.wait", mode="duration", durationMs=5)]) == [".. node  time.wait  (waits)"]


def test_an_error_that_nothing_catches_names_the_called_workflow_that_it_comes_from() -> None:
    done = run([calling("outer")], others={"outer": [calling("inner")], "inner": [act()]}, stubs={"act": returns(1, 2)},
               script=())  # fmt: skip
    lacking = run(
        [calling("outer"), calling("outer", id="again"), calling("outer", id="third")],
        others={"outer": [calling("inner")], "inner": [act()]},
        stubs={"act": returns(1, 2)},
    )

    assert done.error is None
    assert lacking.error is not None
    assert lacking.error["message"] == "the stub 'act' has no answer after 2 calls (in inner)"


def test_text_and_markdown_hold_what_markup_would_break() -> None:
    done = run([assign({"vars.a": '"|<b>`x`"'})]).as_json()

    assert '  a: "|<b>`x`"' in list(text_lines(done))
    assert "| `a` | `\"\\|<b>'x'\"` |" in list(markdown_lines(done))


def test_names_that_tell_a_secret_are_masked_and_others_are_not() -> None:
    masked = Redactor({"K": "canary"}).value(
        {
            "password": "p",
            "apiKey": "k",
            "Authorization": "a",
            "secretRef": "s",
            "token": None,
            "tokens": ["a"],
            "hasToken": True,
            "x": "a canary b",
            "canary": 1,
            "in": {"$secret": "NAME"},
        }
    )

    assert masked == {
        "password": MASK,
        "apiKey": MASK,
        "Authorization": MASK,
        "secretRef": MASK,
        "token": None,
        "tokens": MASK,
        "hasToken": True,
        "x": f"a {MASK} b",
        MASK: 1,
        "in": {"$secret": MASK},
    }


def test_junit_holds_what_xml_cannot() -> None:
    text = 'workflow: a\ncases: [ { name: "a\\u0001<&\\"", expect: { status: FAILED } } ]'
    (case,) = read_test_file(text.encode(), file="t.yaml").cases

    xml = render_junit([Result(case, Verdict.FAILED, ("x\x00<",))])

    assert "a\N{REPLACEMENT CHARACTER}&lt;&amp;" in xml
    assert 'message="x\N{REPLACEMENT CHARACTER}&lt;"' in xml


def test_a_share_is_rounded_down() -> None:
    assert [percent(share) for share in (0, 0.295, 0.999, 1)] == ["  0%", " 29%", " 99%", "100%"]


def test_a_recorded_run_tells_steps_of_one_id_in_two_workflows_apart() -> None:
    given: dict[str, Any] = {
        "steps": [calling("sub", id="send"), act("other")],
        "others": {"sub": [act("send")]},
    }
    done = run(given["steps"], others=given["others"], stubs={"x.do": returns(1, 2)})

    text = record(done, Start(payload={}), Setting(), name="r", redactor=Redactor({}))
    (case,) = read_test_file(text.encode(), file="r.yaml").cases
    again = run(given["steps"], others=given["others"], stubs=case.setting.stubs)

    assert sorted(case.setting.stubs) == ["other", "sub/send"]
    assert [step.as_json() for step in again.trace] == [step.as_json() for step in done.trace]


def test_a_recorded_run_has_every_time_that_came() -> None:
    nap = node("time.wait", "nap", mode="duration", durationMs=5)
    done = run([loop("[1, 2]", [nap])], script=[says("time", "*")])

    assert done.script == [{"time": "nap"}, {"time": "nap"}]
