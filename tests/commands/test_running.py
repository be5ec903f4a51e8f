"""``gitsync run`` and ``gitsync test`` as a person types them."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from gitsync.workflow.yaml_reader import read_located
from tests.support.git import TestRepository, make_repository
from tests.support.loop import Ran, gitsync

Typed = Callable[..., Ran]
CANARY = "canary-7f3a-secret"


@pytest.fixture
def example(tmp_path: Path) -> TestRepository:
    """The example repository, committed."""
    repository = make_repository(tmp_path / "repository")
    assert gitsync("-C", str(repository.path), "init", "--example").code == 0
    return repository


@pytest.fixture
def typed(example: TestRepository) -> Typed:
    """Runs a command line in the example repository."""
    return lambda *words: gitsync("-C", str(example.path), "--yes", *words)


def write(example: TestRepository, name: str, value: Any) -> str:
    path = example.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), encoding="utf-8"
    )
    return name


def schema_of(name: str) -> Any:
    return json.loads((files("gitsync.schemas") / f"{name}.schema.json").read_text())


def checked(ran: Ran, name: str) -> Any:
    value = json.loads(ran.out)
    jsonschema.Draft7Validator(schema_of(name)).validate(value)
    assert value["format"] == f"gitsync.{name}"
    return value


STUBS = """
email.send:
  - { error: { category: TransientError, message: greylisted } }
  - { returns: { id: m-1 } }
"""
PAYLOAD = {"name": "Kim", "email": "kim@example.com"}


def test_a_run_ends_with_status_calls_and_variables(typed: Typed, example: TestRepository) -> None:
    write(example, "s.yaml", STUBS)
    write(example, "p.json", PAYLOAD)

    ran = typed("run", "onboarding.send-welcome", "--payload", "p.json", "--stubs", "s.yaml")

    assert ran.code == 0
    assert ran.out.splitlines() == [
        "onboarding.send-welcome, version 5: SUCCEEDED",
        "calls:",
        '  mail  email.send  {"body": "Hello Kim", "subject": "Welcome", "to": "kim@example.com"} -> TransientError: greylisted',
        '  mail  email.send (attempt 2)  {"body": "Hello Kim", "subject": "Welcome", "to": "kim@example.com"} -> {"id": "m-1"}',
        "variables:",
        '  result: "sent"',
        '  sent: {"id": "m-1"}',
    ]


def test_a_run_as_json_is_one_object_that_fits_its_schema(typed: Typed, example: TestRepository) -> None:
    write(example, "s.yaml", STUBS)
    write(example, "p.yaml", "name: Kim\nemail: kim@example.com\n")

    value = checked(
        typed("run", "onboarding.send-welcome", "--payload", "p.yaml", "--stubs", "s.yaml", "-o", "json"),
        "run",
    )

    assert (value["status"], value["vars"]["result"], len(value["calls"])) == ("SUCCEEDED", "sent", 2)
    assert [step["stepId"] for step in value["trace"]] == ["send", "mail", "done"]


def test_a_run_as_markdown_has_a_headline_and_tables(typed: Typed, example: TestRepository) -> None:
    write(example, "p.json", PAYLOAD)

    ran = typed("run", "onboarding.send-welcome", "--payload", "p.json", "-o", "markdown")

    assert ran.out.startswith("## onboarding.send-welcome, version 5: SUCCEEDED\n")
    assert "| `mail` | action.call | SUCCEEDED |" in ran.out


def test_a_run_that_waits_exits_4_and_says_for_what_and_how_to_answer(
    typed: Typed, example: TestRepository
) -> None:
    write(example, "p.json", {"orderId": "po-1", "orderNumber": 1, "amount": 1, "summary": "s"})

    ran = typed("run", "purchasing.approval", "--payload", "p.json")

    assert ran.code == 4
    assert "waits for a person's answer to the task approval (step ask)" in ran.out
    assert "- { task: approval, returns: {} }" in ran.out


@pytest.mark.parametrize(
    "words, code, exit_code",
    [
        (["run", "onboarding.send-welcom"], "UNKNOWN_WORKFLOW", 4),
        (["run", "onboarding.send-welcome", "--version", "2"], "UNKNOWN_VERSION", 4),
        (["run", "ticket-triage", "--payload", "nowhere.json"], "CANNOT_READ", 1),
        (["run", "ticket-triage", "--stubs", "bad.yaml"], "INVALID_STUBS", 4),
        (["run", "ticket-triage", "--event", "bad.yaml"], "INVALID_PAYLOAD", 4),
        (["run", "ticket-triage", "--actions", "no_such_module"], "INVALID_ACTIONS", 4),
        (["run", "ticket-triage", "--record", "bad.yaml"], "ALREADY_THERE", 4),
        (["run", "ticket-triage", "--ref", "nowhere"], "UNKNOWN_REVISION", 1),
        (["run", "ticket-triage", "--draft", "--version", "1"], "", 64),
        (["run", "ticket-triage", "-e", "dev", "--ref", "HEAD"], "", 64),
        (["run", "ticket-triage", "--payload", "a", "--event", "b"], "", 64),
        (["test", "nowhere.yaml"], "CANNOT_READ", 1),
        (["test", "-k", "a b"], "INVALID_SELECTION", 4),
        (["test", "bad.yaml"], "INVALID_TEST", 4),
        (["test", "--changed-since", "nowhere"], "UNKNOWN_REVISION", 1),
        (["test", "tests", "--ref", "HEAD"], "", 64),
    ],
)
def test_what_cannot_be_done_is_said_with_a_code(
    typed: Typed, example: TestRepository, words: list[str], code: str, exit_code: int
) -> None:
    write(example, "bad.yaml", "a: { retuns: 1 }\n")

    ran = typed(*words)

    assert (ran.code, ran.out) == (exit_code, "")
    assert f"[{code}]" in ran.err or not code


def test_an_unknown_workflow_has_a_suggestion(typed: Typed) -> None:
    assert "did you mean onboarding.send-welcome?" in typed("run", "onboarding.send-welcom").err


def test_a_recorded_run_is_a_test_that_passes(typed: Typed, example: TestRepository) -> None:
    write(example, "s.yaml", STUBS)
    write(example, "p.json", PAYLOAD)

    recorded = typed(
        "run",
        "onboarding.send-welcome",
        "--payload",
        "p.json",
        "--stubs",
        "s.yaml",
        "--record",
        "tests/new/r.yaml",
    )
    tested = typed("test", "tests/new")

    assert recorded.code == tested.code == 0
    assert tested.out == "ok    onboarding.send-welcome::recorded: SUCCEEDED\n1 passed\n"
    jsonschema.Draft7Validator(schema_of("test")).validate(
        yaml.safe_load((example.path / "tests/new/r.yaml").read_text())
    )


def test_python_functions_answer_calls(typed: Typed, example: TestRepository) -> None:
    write(
        example,
        "my_actions.py",
        "def send(given):\n    return {'to': given['to']}\nACTIONS = {'email.send': send}\n",
    )
    write(example, "p.json", PAYLOAD)

    ran = typed(
        "run", "onboarding.send-welcome", "--payload", "p.json", "--actions", "my_actions", "-o", "json"
    )

    assert json.loads(ran.out)["vars"]["sent"] == {"to": "kim@example.com"}


def test_a_secret_is_in_no_output_and_in_no_recorded_test(typed: Typed, example: TestRepository) -> None:
    write(
        example,
        "s.yaml",
        f"secrets: {{ WAREHOUSE_TOKEN: {CANARY} }}\n"
        f"stubs: {{ inventory.get_availability: {{ returns: {{ echo: 'x {CANARY} y' }} }} }}\n",
    )
    write(example, "p.json", {"clientId": "c", "assetName": CANARY, "replacementSku": "s"})
    words = ["run", "assets.warranty-check", "--payload", "p.json", "--stubs", "s.yaml"]

    told = [
        typed(*words, *more) for more in (["-o", "json"], ["-o", "markdown"], ["--record", "tests/r.yaml"])
    ]

    assert {ran.code for ran in told} == {0}
    assert CANARY not in "".join(ran.out + ran.err for ran in told)
    assert CANARY not in (example.path / "tests/r.yaml").read_text()
    assert typed("test", "tests/r.yaml").code == 0


def test_a_step_named_after_a_secret_can_be_recorded(typed: Typed, example: TestRepository) -> None:
    path = example.path / "workflows" / "onboarding.send-welcome.json"
    path.write_text(path.read_text().replace('"id": "mail"', '"id": "send-token"'))
    write(example, "p.json", PAYLOAD)

    recorded = typed("run", "onboarding.send-welcome", "--payload", "p.json", "--record", "tests/new/r.yaml")

    assert recorded.code == 0
    assert typed("test", "tests/new").code == 0


@pytest.mark.parametrize("source", [["--ref", "HEAD"], ["-e", "dev"]], ids=["commit", "database"])
def test_a_run_and_what_it_calls_come_from_one_source(
    typed: Typed, example: TestRepository, source: list[str]
) -> None:
    assert typed("db", "init").code == typed("push").code == 0
    for path in (example.path / "workflows").glob("*.json"):
        path.write_text("no longer a workflow")
    write(example, "p.json", {"clientId": "c-1"})
    write(
        example,
        "s.yaml",
        "stubs: { clients.find: { returns: { name: Kim, email: k@x.de, firstLogin: a, contacts: [] } } }\n"
        "script: [ { time: '*' } ]\n",
    )

    ran = typed("run", "onboarding.client", "--payload", "p.json", "--stubs", "s.yaml", *source, "-o", "json")

    assert checked(ran, "run")["status"] == "SUCCEEDED"
    assert {step["workflow"] for step in json.loads(ran.out)["trace"]} == {
        "onboarding.client",
        "onboarding.send-welcome",
    }


# ---------------------------------------------------------------- gitsync test


def test_the_tests_of_the_example_pass_and_reach_all_that_is_published(typed: Typed) -> None:
    ran = typed("test", "--coverage", "-o", "json")

    value = checked(ran, "test-report")
    assert (ran.code, value["failed"]) == (0, 0)
    newest: dict[str, float] = {}
    for item in value["coverage"]["workflows"]:
        newest[item["workflow"]] = item["reached"] / item["total"]
    assert len(newest) == 8
    assert set(newest.values()) == {1.0}


def test_the_test_files_of_the_example_fit_the_schema_that_editors_use(example: TestRepository) -> None:
    for path in sorted((example.path / "tests").glob("*.yaml")):
        jsonschema.Draft7Validator(schema_of("test")).validate(
            read_located(path.read_bytes(), file=path.name, rule="INVALID_TEST").value
        )


FAILING = """
workflow: onboarding.send-welcome
cases:
  - name: it is as it is not
    payload: { email: kim@example.com }
    expect: { vars: { result: lost } }
  - name: later
    skip: not yet
    expect: { status: FAILED }
"""


def test_a_failing_case_exits_4_and_shows_where_and_what(typed: Typed, example: TestRepository) -> None:
    write(example, "tests/failing.yaml", FAILING)

    ran = typed("test", "tests/failing.yaml", "--junit", "out.xml")

    assert ran.code == 4
    assert ran.out.splitlines() == [
        "FAIL  onboarding.send-welcome::it is as it is not",
        "      tests/failing.yaml:4",
        '      vars.result: expected "lost", got "sent"',
        "      warning: no stub for email.send (step mail) and no schema of its output: it answers {}",
        "skip  onboarding.send-welcome::later",
        "      not yet",
        "1 failed, 1 skipped",
    ]
    suite = ET.parse(example.path / "out.xml").getroot()[0]  # noqa: S314 - our own file
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("2", "1", "1")
    failure = suite[0].find("failure")
    assert failure is not None
    assert failure.get("message") == 'vars.result: expected "lost", got "sent"'


def test_a_failing_case_as_json_and_markdown(typed: Typed, example: TestRepository) -> None:
    write(example, "tests/failing.yaml", FAILING)

    value = checked(typed("test", "tests/failing.yaml", "-o", "json"), "test-report")
    page = typed("test", "tests/failing.yaml", "-o", "markdown").out

    assert value["cases"][0]["run"]["status"] == "SUCCEEDED"
    assert page.startswith("## Tests failed: 1 failed, 1 skipped\n")


def test_the_problems_of_all_test_files_are_told_at_once(typed: Typed, example: TestRepository) -> None:
    write(example, "tests/a.yaml", "workflow: ticket-triage\ncases: [ { name: x } ]\n")
    write(example, "tests/b.yaml", "workflow: ticket-triage\nkases: []\n")

    ran = typed("test")

    assert ran.code == 4
    assert 'tests/a.yaml:2:10: $.cases[0]: the field "expect" is missing [INVALID_TEST]' in ran.err
    assert "tests/b.yaml:2:1: $.kases" in ran.err
    assert "did you mean" in ran.err


@pytest.mark.parametrize(
    "change, told",
    [
        ("    stubs: { emial.send: { returns: 1 } }\n", "did you mean 'email.send'?"),
        ("    script: [ { time: pause } ]\n", "the script's time 'pause' is nowhere waited for"),
        ("    version: 2\n", "no published version 2, only 1, 3, 5"),
    ],
)
def test_a_name_that_is_nowhere_is_a_problem_and_no_silent_nothing(
    typed: Typed, example: TestRepository, change: str, told: str
) -> None:
    head = "workflow: onboarding.send-welcome\ncases:\n  - name: x\n    payload: {}\n    expect: { status: SUCCEEDED }\n"
    write(example, "tests/a.yaml", head + change)

    ran = typed("test")

    assert ran.code == 4
    assert told in ran.err


@pytest.mark.parametrize(
    "words, count",
    [
        (["-k", "triage and not urgent"], 3),
        (["-k", "nothing-like-it"], 0),
        (["tests/purchasing.yaml"], 3),
        (["tests/purchasing.yaml", "tests/warranty.yaml"], 4),
        (["--ref", "HEAD"], 21),
        (["--changed-since", "HEAD"], 0),
    ],
)
def test_cases_can_be_chosen(typed: Typed, words: list[str], count: int) -> None:
    value = json.loads(typed("test", "-o", "json", *words).out)

    assert value["passed"] == len(value["cases"]) == count


def test_a_changed_workflow_chooses_its_tests_and_those_of_its_callers(
    typed: Typed, example: TestRepository
) -> None:
    path = example.path / "workflows" / "onboarding.send-welcome.json"
    path.write_text(path.read_text().replace('"Welcome"', '"Welcome!"'))

    value = json.loads(typed("test", "-o", "json", "--changed-since", "HEAD").out)

    assert {case["workflow"] for case in value["cases"]} == {
        "onboarding.client",
        "onboarding.send-welcome",
        "ticket-triage",
    }


def test_a_changed_test_file_chooses_its_own_cases(typed: Typed, example: TestRepository) -> None:
    write(example, "tests/failing.yaml", FAILING)

    value = json.loads(typed("test", "-o", "json", "--changed-since", "HEAD").out)

    assert {case["file"] for case in value["cases"]} == {"tests/failing.yaml"}


@pytest.mark.parametrize("least, code", [("90", 0), ("97", 4)])
def test_too_little_coverage_fails(typed: Typed, least: str, code: int) -> None:
    ran = typed("test", "--fail-under", least)

    assert ran.code == code
    assert " 40% onboarding.send-welcome, version 1: 2 of 5; not reached: the catch of send" in ran.out


def test_a_workflow_without_a_test_counts_as_not_covered(typed: Typed, example: TestRepository) -> None:
    (example.path / "tests" / "warranty.yaml").unlink()

    ran = typed("test", "--coverage", "-q")

    assert "  0% assets.warranty-check, draft: 0 of 2; not reached: the step quote, the step units" in ran.out


def test_without_a_test_a_note_says_where_tests_go(typed: Typed, example: TestRepository) -> None:
    for path in (example.path / "tests").glob("*.yaml"):
        path.unlink()

    ran = typed("test")

    assert (ran.code, ran.out) == (0, "no cases\n")
    assert "tests/NAME.yaml" in ran.err


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github", "junit"])
def test_validate_checks_the_form_of_test_files_too(typed: Typed, example: TestRepository, form: str) -> None:
    write(example, "tests/bad.yaml", "workflow: a\nkases: []\n")

    ran = typed("validate", "-o", form)

    assert ran.code == 4
    assert "INVALID_TEST" in ran.out
    assert "kases" in ran.out


def test_a_run_may_fill_no_more_than_its_share_of_the_memory(typed: Typed, example: TestRepository) -> None:
    write(example, "p.json", PAYLOAD)
    write(
        example,
        "greedy.py",
        "def eat(given): return [bytearray(2**29) for _ in range(100)]\nACTIONS = {'email.send': eat}\n",
    )

    ran = typed("run", "onboarding.send-welcome", "--payload", "p.json", "--actions", "greedy")

    assert "the function for email.send failed: MemoryError" in ran.out


@pytest.mark.parametrize(
    "words",
    [("validate",), ("run", "onboarding.send-welcome"), ("test",), ("plan",), ("push",)],
    ids=" ".join,
)
def test_a_pattern_that_is_not_checked_is_told_once_a_run(
    typed: Typed, example: TestRepository, words: tuple[str, ...]
) -> None:
    registry = example.path / "registry.yaml"
    registry.write_text(registry.read_text() + "\n")
    value = yaml.safe_load(registry.read_text())
    value["actions"].append(
        {
            "actionId": "odd.do",
            "version": 1,
            "input": {"properties": {"a": {"pattern": "^(?=a)"}, "b": {"pattern": "^(?!b)"}}},
        }
    )
    registry.write_text(yaml.safe_dump(value))
    example.commit()
    typed("db", "init")

    ran = typed(*words)

    assert ran.err.count("note: the registry's pattern '^(?=a)' and 1 more is not checked") == 1, ran.err
