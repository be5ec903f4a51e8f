"""The tests in front of a deploy: what fails its tests is not written."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.git import TestRepository, make_repository
from tests.support.loop import Ran, gitsync

Typed = Callable[..., Ran]


@pytest.fixture
def example(tmp_path: Path) -> TestRepository:
    """The example repository, deployed; what a test changes in it is one commit more."""
    repository = make_repository(tmp_path / "repository")
    for words in (["init", "--example"], ["db", "init"], ["push"]):
        assert gitsync("-C", str(repository.path), *words).code == 0
    return repository


@pytest.fixture
def typed(example: TestRepository) -> Typed:
    """Runs a command line in the example repository."""
    return lambda *words: gitsync("-C", str(example.path), "--yes", *words)


def rows(example: TestRepository) -> list[Any]:
    """Everything in the database that a push writes."""
    with sqlite3.connect(example.path / "gitsync.db") as database:
        tables = ("workflow_definitions", "workflow_definition_versions", "gitsync_deployments")
        found = [row for table in tables for row in database.execute(f"SELECT * FROM {table}")]
    database.close()
    return found


def change(example: TestRepository, key: str, old: str, new: str) -> None:
    path = example.path / "workflows" / f"{key}.json"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    example.commit("Change a workflow")


def configure(example: TestRepository, facts: str) -> None:
    path = example.path / "gitsync.yaml"
    path.write_text(path.read_text().replace('dev: { database: "sqlite:///gitsync.db" }', f'dev: {{ database: "sqlite:///gitsync.db", {facts} }}'))  # fmt: skip


def break_the_mail(example: TestRepository) -> None:
    """The greeting goes to an address that is not there."""
    change(example, "onboarding.send-welcome", '"payload.email"', '"payload.mail"')


FORCE = ("--force", "--in-place")


def test_a_push_whose_tests_pass_is_written_and_says_so(typed: Typed, example: TestRepository) -> None:
    change(example, "reports.daily-digest", '"Daily digest"', '"Digest of the day"')

    ran = typed("push", *FORCE, "--test")

    assert ran.code == 0
    assert "tests: 1 passed; 100% of steps and branches reached" in ran.out


def test_a_push_whose_tests_fail_writes_nothing_and_exits_4(typed: Typed, example: TestRepository) -> None:
    break_the_mail(example)
    before = rows(example)

    ran = typed("push", *FORCE, "--test")

    assert (ran.code, ran.out) == (4, "")
    assert "[TESTS_FAILED]" in ran.err
    assert "onboarding.send-welcome::a mail that is put off is sent again: vars.result" in ran.err
    assert rows(example) == before


def test_the_tests_of_the_callers_are_run_too(typed: Typed, example: TestRepository) -> None:
    break_the_mail(example)
    (example.path / "tests" / "send-welcome.yaml").unlink()
    example.commit("Take its own tests away")

    ran = typed("push", *FORCE, "--test")

    assert ran.code == 4
    assert "onboarding.client::a client that logs in is greeted once" in ran.err
    assert "ticket-triage::a calm ticket goes to the standard queue" in ran.err
    assert "daily-digest" not in ran.err


def test_the_tests_are_those_of_the_commit_and_not_of_the_work_tree(
    typed: Typed, example: TestRepository
) -> None:
    change(example, "reports.daily-digest", '"Daily digest"', '"Digest of the day"')
    (example.path / "tests" / "daily-digest.yaml").write_text("workflow: reports.daily-digest\ncases: []\n")

    assert typed("push", *FORCE, "--test").code == 0


def test_a_plan_tells_the_verdict_and_as_json_every_case(typed: Typed, example: TestRepository) -> None:
    break_the_mail(example)

    text = typed("plan", *FORCE, "--test", "--exit-code")
    value = json.loads(typed("plan", *FORCE, "--test", "-o", "json").out)

    assert text.code == 4
    assert "a push would stop: " in text.out
    assert "tests: 5 passed, 6 failed" in text.out
    assert value["wouldFail"]["code"] == "TESTS_FAILED"
    assert (value["tests"]["passed"], value["tests"]["failed"]) == (5, 6)
    assert value["tests"]["coverage"]["workflows"][0]["workflow"] == "onboarding.send-welcome"


def test_a_plan_as_a_page_has_the_verdict_of_the_tests(typed: Typed, example: TestRepository) -> None:
    break_the_mail(example)

    page = typed("plan", *FORCE, "--test", "-o", "markdown").out

    assert "tests: 5 passed, 6 failed" in page
    assert "TESTS_FAILED" in page


def test_without_being_asked_no_test_is_run(typed: Typed, example: TestRepository) -> None:
    break_the_mail(example)

    value = json.loads(typed("push", *FORCE, "-o", "json").out)

    assert "tests" not in value
    assert [change["key"] for change in value["changes"]] == ["onboarding.send-welcome"]


def test_a_test_file_with_a_problem_stops_the_push(typed: Typed, example: TestRepository) -> None:
    change(example, "reports.daily-digest", '"Daily digest"', '"Digest of the day"')
    (example.path / "tests" / "bad.yaml").write_text("workflow: reports.daily-digest\n")
    example.commit("A test file that is none")
    before = rows(example)

    ran = typed("push", *FORCE, "--test")

    assert ran.code == 4
    assert "tests/bad.yaml:1:1" in ran.err
    assert rows(example) == before


def test_an_environment_may_require_tests_to_pass(typed: Typed, example: TestRepository) -> None:
    configure(example, "require_tests: true")
    break_the_mail(example)

    assert "[TESTS_FAILED]" in typed("push", *FORCE).err


def test_an_environment_may_require_that_there_are_tests(typed: Typed, example: TestRepository) -> None:
    configure(example, "require_tests: true")
    (example.path / "tests" / "daily-digest.yaml").unlink()
    change(example, "reports.daily-digest", '"Daily digest"', '"Digest of the day"')

    ran = typed("push", *FORCE)

    assert ran.code == 4
    assert "1 workflow without a test, which dev requires; nothing was written [TESTS_MISSING]" in ran.err
    assert "  reports.daily-digest: no test" in ran.err


@pytest.mark.parametrize("least, code", [("80%", 0), ("90%", 4)])
def test_an_environment_may_require_coverage(
    typed: Typed, example: TestRepository, least: str, code: int
) -> None:
    configure(example, f"require_coverage: {least}")
    tests = example.path / "tests" / "ticket-triage.yaml"
    head, _, _ = tests.read_text().partition("  - name: a comment says")
    tests.write_text(head)
    change(example, "ticket-triage", '"Ticket triage"', '"Triage of tickets"')

    ran = typed("push", *FORCE)

    assert ran.code == code
    assert ("[COVERAGE_TOO_LOW]" in ran.err) == (code == 4)
    if code:
        assert "ticket-triage, version 2:" in ran.err


@pytest.mark.parametrize(
    "facts, told",
    [
        ("require_tests: maybe", "require_tests is `true` or `false`"),
        ("require_coverage: 80", "require_coverage is a share such as 80%"),
        ("require_coverage: 120%", "require_coverage is a share such as 80%"),
        ("require_test: true", "did you mean 'require_tests'?"),
    ],
)
def test_a_requirement_that_is_none_is_a_fault_of_the_configuration(
    typed: Typed, example: TestRepository, facts: str, told: str
) -> None:
    configure(example, facts)

    ran = typed("status")

    assert ran.code == 4
    assert told in ran.err


def test_a_saved_plan_is_held_to_what_its_environment_requires(typed: Typed, example: TestRepository) -> None:
    break_the_mail(example)
    assert typed("plan", *FORCE, "--out", "plan.json").code == 0
    configure(example, "require_tests: true")

    ran = typed("apply", "plan.json")

    assert ran.code == 4
    assert "[TESTS_FAILED]" in ran.err
