"""Test files: what they may say, and that every problem is told at once with its place."""

from __future__ import annotations

from typing import Any

import pytest

from gitsync.runtime.matching import differences
from gitsync.runtime.model import START
from gitsync.runtime.start import Start
from gitsync.runtime.stubs import ScriptKind
from gitsync.testing.selection import selector
from gitsync.testing.testfile import read_outside, read_test_file

GOOD = b"""
workflow: billing.dunning
stubs:
  tickets.add_comment: { returns: { comment_id: c-1 } }
cases:
  - name: a first reminder is sent
    payload: { invoiceId: inv-1, on: 2026-01-01 }
    stubs:
      email.send: [ { error: { category: TransientError, message: "greylisted" } }, { returns: { id: m-1 } } ]
    script: [ { event: PAID, correlationKey: inv-1, payload: { a: 1 }, afterMs: 5 }, { task: ask, returns: yes } ]
    expect:
      status: SUCCEEDED
      calls: [ { action: email.send, times: 2, input: { to: "kim@example.com" } } ]
  - name: another
    version: draft
    now: 2026-02-01
    expect: { error: { category: ActionError } }
"""


def problems_of(text: str) -> list[str]:
    """Line and message of each problem."""
    return [f"{p.line}: {p.message}" for p in read_test_file(text.encode(), file="t.yaml").problems]


def test_a_file_holds_its_cases_with_what_the_file_says_for_all() -> None:
    read = read_test_file(GOOD, file="tests/a.yaml")

    first, second = read.cases
    assert read.problems == ()
    assert (first.title, first.line, first.file) == (
        "billing.dunning::a first reminder is sent",
        6,
        "tests/a.yaml",
    )
    assert first.start == Start(None, {"invoiceId": "inv-1", "on": "2026-01-01"})
    assert sorted(first.setting.stubs) == ["email.send", "tickets.add_comment"]
    assert first.setting.stubs["email.send"].is_sequence
    assert [entry.kind for entry in first.setting.script] == [ScriptKind.EVENT, ScriptKind.TASK]
    assert first.setting.script[1].payload == "yes"  # only true and false are booleans, as in YAML 1.2
    assert second.start.version == "draft"
    assert second.setting.now.isoformat() == "2026-02-01T00:00:00+00:00"
    assert first.setting.now == START


HEAD = "workflow: a\ncases:\n"


@pytest.mark.parametrize(
    "text, problem",
    [
        pytest.param("a: [", "is no YAML", id="no-yaml"),
        pytest.param("", "expected object, got null", id="empty"),
        pytest.param("workflow: a\n", '1: the field "cases" is missing', id="no-cases"),
        pytest.param("workflow: a\ncases: []\n", "2: must not be empty", id="no-case"),
        pytest.param("workflow: A b\ncases: [{name: x, expect: {status: FAILED}}]", "1: ", id="no-key"),
        pytest.param(HEAD + "  - name: x\n", '3: the field "expect" is missing', id="no-expectation"),
        pytest.param(HEAD + "  - {name: x, expect: {}}\n", "3: ", id="nothing-expected"),
        pytest.param(
            HEAD + "  - name: x\n    expect: {status: SUCEEDED}\n", '4: expected ["SUCCEEDED"', id="status"
        ),
        pytest.param(
            HEAD + "  - name: x\n    exepct: {status: FAILED}\n    expect: {status: FAILED}\n",
            '4: unknown field "exepct"; did you mean "expect"?',
            id="misspelt",
        ),
        pytest.param(
            HEAD + "  - name: x\n    stubs:\n      a.b: {return: 1}\n    expect: {status: FAILED}\n",
            '5: unknown field "return"; did you mean "returns"?',
            id="misspelt-in-a-stub",
        ),
        pytest.param(
            HEAD + "  - name: x\n    stubs:\n      a.b: {delayMs: 1}\n    expect: {status: FAILED}\n",
            "5: an answer has either",
            id="no-answer",
        ),
        pytest.param(
            HEAD
            + "  - name: x\n    stubs:\n      a.b: {returns: 1, error: {}}\n    expect: {status: FAILED}\n",
            "5: an answer has either",
            id="two-answers",
        ),
        pytest.param(
            HEAD
            + "  - name: x\n    stubs:\n      a.b: {returns: 1, when: 'a +'}\n    expect: {status: FAILED}\n",
            "5: the expression fails",
            id="when",
        ),
        pytest.param(
            HEAD + "  - name: x\n    script: [{event: a, task: b}]\n    expect: {status: FAILED}\n",
            "4: must have exactly one of",
            id="two-happenings",
        ),
        pytest.param(
            HEAD + "  - name: x\n    script: [{time: a, payload: 1}]\n    expect: {status: FAILED}\n",
            "4: payload and correlationKey are an event's",
            id="payload-of-a-time",
        ),
        pytest.param(
            HEAD + "  - name: x\n    payload: 1\n    event: {payload: 1}\n    expect: {status: FAILED}\n",
            "5: a case has a payload or an event",
            id="two-starts",
        ),
        pytest.param(
            HEAD + "  - {name: x, expect: {status: FAILED}}\n  - {name: x, expect: {status: FAILED}}\n",
            "4: there are two cases named 'x'",
            id="name-twice",
        ),
        pytest.param(
            HEAD + "  - name: x\n    expect: {vars: {a: {$matches: '('}}}\n",
            "4: '(' is no regular expression",
            id="regular-expression",
        ),
        pytest.param(
            HEAD + "  - name: x\n    now: 2026-02-31\n    expect: {status: FAILED}\n",
            "4: '2026-02-31'",
            id="now",
        ),
        pytest.param(
            HEAD + "  - name: x\n    payload: {a: 1, a: 2}\n    expect: {status: FAILED}\n",
            '4: "a" is there twice',
            id="member-twice",
        ),
        pytest.param(
            HEAD + "  - name: x\n    payload: {a: .inf}\n    expect: {status: FAILED}\n",
            "4: .inf is no JSON number",
            id="infinity",
        ),
        pytest.param(
            HEAD + "  - name: x\n    payload: !!binary aGk=\n    expect: {status: FAILED}\n",
            "4: ",
            id="binary",
        ),
    ],
)
def test_a_problem_has_its_line_and_says_what_is_wrong(text: str, problem: str) -> None:
    found = problems_of(text)

    assert any(problem in line for line in found), found


def test_all_problems_are_told_at_once() -> None:
    found = problems_of(HEAD + "  - name: x\n    expekt: 1\n  - name: y\n    expect: {status: NO, sate: x}\n")

    assert len(found) == 4
    assert [line.partition(":")[0] for line in found] == ["3", "4", "6", "6"]


def test_a_file_that_refers_to_itself_without_end_is_a_problem() -> None:
    bomb = "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
    for number in range(8):
        name, inner = chr(98 + number), chr(97 + number)
        bomb += f"{name}: &{name} [{','.join([f'*{inner}'] * 10)}]\n"

    assert any("too large" in problem for problem in problems_of(bomb))


@pytest.mark.parametrize(
    "text, names",
    [
        ("email.send: { returns: { id: m-1 } }", ["email.send"]),
        ("stubs: { email.send: { returns: 1 } }\nscript: [ { time: '*' } ]", ["email.send"]),
        ("", []),
    ],
)
def test_a_stubs_file_is_stubs_alone_or_with_a_script(text: str, names: list[str]) -> None:
    setting, problems = read_outside(text.encode(), file="s.yaml")

    assert problems == ()
    assert list(setting.stubs) == names


def test_the_problems_of_a_stubs_file_have_their_lines() -> None:
    _, problems = read_outside(b"a.b:\n  retuns: 1\n", file="s.yaml")

    assert any((p.line, p.rule) == (2, "INVALID_STUBS") and "returns" in p.message for p in problems)


@pytest.mark.parametrize(
    "expected, actual, lines",
    [
        ({"a": 1}, {"a": 1, "b": 2}, []),
        ({"$exact": {"a": 1}}, {"a": 1, "b": 2}, ["b: not expected, got 2"]),
        ({"a": {"$exact": {"b": 1}}}, {"a": {"b": 1, "c": 2}}, ["a.c: not expected, got 2"]),
        ({"a": 1}, {}, ["a: expected 1, and it is not there"]),
        ({"a": {"$absent": True}}, {"a": 1}, ["a: expected nothing, got 1"]),
        ({"a": {"$absent": True}}, {}, []),
        ({"a": {"$matches": "^x"}}, {"a": "xy"}, []),
        ({"a": {"$matches": "^x"}}, {"a": 1}, ["a: expected text that matches ^x, got 1"]),
        ([1, 2], [1, 2], []),
        ([1, 2], [1], ["value: expected 2 items, got 1 item: [1]"]),
        ([{"a": 1}], [{"a": 2}], ["[0].a: expected 1, got 2"]),
        (1, 1.0, []),
        (True, 1, ["value: expected true, got 1"]),
        (None, False, ["value: expected null, got false"]),
        ("[REDACTED]", {"what": "ever"}, []),
        ("a [REDACTED] b", "a secret b", []),
        ("a [REDACTED] b", "a secret", ['value: expected "a [REDACTED] b", got "a secret"']),
        ({"a": 1, "b": 2}, {"a": 2, "b": 1}, ["a: expected 1, got 2", "b: expected 2, got 1"]),
    ],
)
def test_a_difference_is_told_with_its_place(expected: Any, actual: Any, lines: list[str]) -> None:
    assert list(differences(expected, actual)) == lines


@pytest.mark.parametrize(
    "expression, chosen",
    [
        ("dunning", True),
        ("DUNNING and first", True),
        ("dunning and not first", False),
        ("no or first", True),
        ("not (no or first)", False),
        ("not no", True),
    ],
)
def test_cases_are_chosen_by_words(expression: str, chosen: bool) -> None:
    assert selector(expression)("billing.dunning::a first reminder") is chosen


@pytest.mark.parametrize("expression", ["", "a b", "(a", "and a", "a or", "not"])
def test_words_that_make_no_sense_are_refused(expression: str) -> None:
    from gitsync.errors import InvalidInput

    with pytest.raises(InvalidInput) as caught:
        selector(expression)

    assert caught.value.code == "INVALID_SELECTION"
