from __future__ import annotations

from pathlib import Path

import pytest

from gitsync.render.rules import explain_text, rules_page
from gitsync.rules.catalogue import RULES, find_rule, suggest_rule
from gitsync.rules.rule import Example, Rule, Severity
from tests.support.examples import check_example
from tests.support.write_golden import MESSAGES, RULES_PAGE, messages

STALE = "stale: `python -m tests.support.write_golden` writes it, for you to read the difference"
BAD = [
    pytest.param(rule, example, id=f"{rule.id}-{number}")
    for rule in RULES.values()
    for number, example in enumerate(rule.bad)
]
GOOD = [
    pytest.param(rule, example, id=f"{rule.id}-{number}")
    for rule in RULES.values()
    for number, example in enumerate(rule.good)
]


@pytest.mark.parametrize("rule, example", BAD)
def test_a_rule_finds_what_its_examples_say_is_wrong(rule: Rule, example: Example, tmp_path: Path) -> None:
    problems = check_example(example, tmp_path).problems

    found = [problem for problem in problems if problem.rule == rule.id]
    assert found, problems
    severities = {rule.draft, rule.published} if rule.draft is not rule.published else {rule.draft}
    assert {problem.severity for problem in found} <= severities


@pytest.mark.parametrize("rule, example", GOOD)
def test_nothing_is_wrong_with_what_the_examples_say_is_right(
    rule: Rule, example: Example, tmp_path: Path
) -> None:
    assert check_example(example, tmp_path).problems == ()


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_a_rule_has_a_title_of_one_line_a_reason_and_examples_both_ways(rule: Rule) -> None:
    assert rule.title
    assert "\n" not in rule.title
    assert not rule.title.endswith(".")
    assert rule.why.endswith(".")
    assert rule.bad
    assert rule.good
    assert rule.draft is not Severity.OFF or rule.published is not Severity.OFF
    assert explain_text(rule).startswith(f"{rule.id}: {rule.title}\n")


def test_a_rule_is_found_by_either_spelling_and_a_mistyped_one_is_told_the_nearest() -> None:
    assert find_rule("secrets") is find_rule("SECRETS") is RULES["SECRETS"]
    assert find_rule("number-not-portable") is find_rule("NUMBER_NOT_PORTABLE")
    assert find_rule("secret") is None
    assert suggest_rule("secret") == "secrets"
    assert suggest_rule("UNKNOWN_NAMES") == "unknown-name"


def test_the_page_about_rules_is_what_the_rules_say() -> None:
    assert RULES_PAGE.read_text(encoding="utf-8") == rules_page(RULES.values()), STALE


def test_the_messages_are_those_that_were_reviewed() -> None:
    assert MESSAGES.read_text(encoding="utf-8") == messages(), STALE
