"""A stranger's pull request: what its gitsync.yaml may ask for, and what its texts do to a terminal or a log."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.support.documents import make_file
from tests.support.loop import Loop, make_loop

TOKEN = "V3ry-S3cret-Of-The-Job"


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    loop = make_loop(tmp_path)
    loop.commit(a="A1")
    loop.push()
    return loop


@pytest.mark.parametrize("style", [[], ["-v"], ["-o", "json"], ["-o", "markdown"]], ids=str)
@pytest.mark.parametrize(
    "database",
    [
        "postgresql://127.0.0.1:1/${GITSYNC_TOKEN}",
        "postgresql://${GITSYNC_TOKEN}@127.0.0.1:1/psa",
        "postgresql://${GITSYNC_TOKEN}.invalid/psa",
        "sqlite:///${GITSYNC_TOKEN}.db",
        "${GITSYNC_TOKEN}",
        "postgresql://127.0.0.1:1/${STRANGE}",
    ],
)
def test_the_value_of_a_credential_is_in_no_output(loop: Loop, database: str, style: list[str]) -> None:
    loop.repository.write(
        "gitsync.yaml", f"version: 1\nenvironments: {{ prod: {{ database: '{database}' }} }}\n"
    )
    loop.repository.commit("ask")
    variables = {"GITSYNC_TOKEN": TOKEN, "STRANGE": TOKEN, "GITSYNC_ALLOW_VARIABLES": "STRANGE"}

    ran = loop.gitsync("plan", *style, variables=variables)

    assert ran.code != 0
    assert TOKEN.casefold() not in (ran.out + ran.err).casefold()
    assert "internal error" not in ran.err


@pytest.mark.parametrize("value", ["hunter2", 'quo"ted', "a%40b%2Fc", "MiXeD"])
def test_a_short_or_odd_value_is_masked_where_its_name_says_that_it_is_a_secret(
    loop: Loop, value: str
) -> None:
    loop.repository.write(
        "gitsync.yaml",
        "version: 1\nenvironments: { prod: { database: 'postgresql://127.0.0.1:1/x${PGPASSWORD}' } }\n",
    )
    variables = {"PGPASSWORD": value, "GITSYNC_ALLOW_VARIABLES": "PGPASSWORD"}

    told = [
        ran.out + ran.err
        for ran in (loop.gitsync("status", *style, variables=variables) for style in ([], ["-o", "json"]))
    ]

    assert [text for text in told if value.casefold() in text.casefold() or unquote(value) in text] == []
    assert all("***" in text for text in told)


def test_a_pull_requests_own_environments_do_not_count_with_config_from(loop: Loop) -> None:
    loop.repository.git("branch", "target")
    mine = loop.repository.git("show", "HEAD:gitsync.yaml")
    loop.repository.write("gitsync.yaml", mine.replace("sqlite:///", "sqlite:////nowhere/") + "\n")
    loop.commit(a="A2")

    own = loop.gitsync("plan", "--update")
    trusted = loop.gitsync("plan", "--update", "--config-from", "target", "-o", "json")

    assert own.code != 0
    assert trusted.code == 0, trusted.err
    assert [change["key"] for change in trusted.json["changes"]] == ["a"]


def test_config_from_leaves_workflows_and_rules_to_the_commit(loop: Loop) -> None:
    loop.repository.git("branch", "target")
    mine = loop.repository.git("show", "HEAD:gitsync.yaml")
    loop.repository.write("gitsync.yaml", mine + "\nworkflows: flows\nlimits: { overwrite: 0% }\n")
    loop.repository.git("mv", "workflows", "flows")
    loop.repository.commit("move")

    ran = loop.gitsync("plan", "--config-from", "target", "-o", "json")

    assert ran.code == 0, ran.err
    assert ran.json["changes"] == []
    assert [row["key"] for row in ran.json["left"]] == []


@pytest.mark.parametrize("style", [[], ["-o", "json"], ["-o", "markdown"]], ids=str)
def test_without_a_configuration_there_the_plan_is_skipped_with_a_note(loop: Loop, style: list[str]) -> None:
    empty = loop.repository.git("mktree", stdin="")
    loop.repository.git("branch", "target", loop.repository.git("commit-tree", "-m", "empty", empty))

    ran = loop.gitsync("-e", "dev", "plan", "--exit-code", "--config-from", "target", *style)

    assert ran.code == 0
    assert "note: no plan: target has no gitsync.yaml to take the environments from" in ran.err
    if "json" in style:
        assert ran.json["warnings"] == ["no plan: target has no gitsync.yaml to take the environments from"]
        assert ran.json["changes"] == []
    if "markdown" in style:
        assert ran.out.startswith("<!-- gitsync plan dev -->\n## ⚠️ dev: nothing was planned")


def test_a_push_with_config_from_needs_a_configuration_there(loop: Loop) -> None:
    empty = loop.repository.git("mktree", stdin="")
    loop.repository.git("branch", "target", loop.repository.git("commit-tree", "-m", "empty", empty))

    ran = loop.gitsync("push", "--config-from", "target", "-o", "json")

    assert ran.code == 4
    assert json.loads(ran.out)["code"] == "NO_CONFIGURATION_AT_REVISION"


HOSTILE = "\x1b[2J\u202egnp\u2066\x9b31m\r\x07\n::add-mask::x\n##[group]y\n::stop-commands::z\u2028"
READING = [
    [*words, *style]
    for words, forms in (
        (["validate"], ("text", "json", "sarif", "github", "junit")),
        (["fmt", "--check", "--diff"], ("text",)),
        (["fmt", "--check"], ("text", "json")),
        (["status", "--all"], ("text", "json", "markdown")),
        (["diff"], ("text", "json", "markdown")),
        (["plan", "--update"], ("text", "json", "markdown")),
        (["push", "--update"], ("text", "json", "markdown")),
        (["pull"], ("text", "json", "markdown")),
        (["db", "check"], ("text", "json")),
        (["doctor"], ("text", "json")),
        (["export", "--all", "--out", "bundle.json"], ("text", "json")),
        (["adopt", "--suggest"], ("text", "json")),
        (["registry", "show"], ("text", "json")),
        (["test"], ("text", "json", "markdown")),
        (["run", "evil"], ("text", "json", "markdown")),
        (["-v", "status"], ("text",)),
    )
    for style in ([] if form == "text" else ["-o", form] for form in forms)
]
OWN_COMMANDS = ("::error file=", "::warning file=")


def hostile_document(key: str) -> dict[str, Any]:
    step = {"id": HOSTILE, "type": f"odd{HOSTILE}", "config": {"actionId": f"act{HOSTILE}", "version": 1}}
    call = {"id": f"{HOSTILE}2", "type": "action.call", "config": {"actionId": f"a{HOSTILE}", "version": 1}}
    document: dict[str, Any] = json.loads(make_file(key, HOSTILE))
    document["metadata"] |= {"name": HOSTILE, "description": HOSTILE}
    document["draft"]["definition"] |= {"name": HOSTILE, "steps": [step, call]}
    return document


@pytest.fixture
def hostile(loop: Loop) -> Loop:
    """Everything that has a name has this one: on both sides, in the registry and in tests."""
    evil = hostile_document("evil")
    loop.path("evil").write_text(json.dumps(evil, indent=4, ensure_ascii=False), encoding="utf-8")
    loop.path("a").write_text(json.dumps(hostile_document("a"), ensure_ascii=False), encoding="utf-8")
    (loop.path("a").parent / f"odd{HOSTILE.replace('/', '')}.json").write_text("{}")
    registry = {
        "actions": ["act@1"],
        "nodeTypes": [HOSTILE],
        "schemaRefs": [HOSTILE],
    }
    loop.repository.write("registry.yaml", json.dumps(registry))
    config = loop.repository.git("show", "HEAD:gitsync.yaml")
    loop.repository.write("gitsync.yaml", config + "\nregistry: registry.yaml\n")
    case = {"name": HOSTILE, "expect": {"status": "SUCCEEDED"}}
    loop.repository.write("tests/t.yaml", json.dumps({"workflow": "evil", "cases": [case]}))
    loop.repository.commit(HOSTILE)
    loop.editor.create(None, "unnamed")
    loop.editor.create(HOSTILE, HOSTILE)
    loop.editor.create("theirs", HOSTILE)
    loop.editor.write_text("theirs", json.dumps(evil["draft"]["definition"]))
    return loop


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_text_from_a_workflow_stays_text(hostile: Loop, words: list[str]) -> None:
    ran = hostile.gitsync(*words)

    told = ran.out + ran.err
    lines = told.split("\n")
    commands = [line for line in lines if line.lstrip().startswith("::") or "##[" in line]
    assert [
        ascii(line) for line in lines if not line.replace("\t", "").replace("\u2060", "").isprintable()
    ] == []
    assert [line for line in commands if not line.startswith(OWN_COMMANDS)] == []
    assert "internal error" not in told
    if words[-1] in {"json", "sarif"}:
        json.loads(ran.out)


@pytest.mark.parametrize("form", ["json", "sarif", "github", "junit", "text"])
def test_a_file_whose_name_is_no_text_is_told_in_each_form(loop: Loop, form: str) -> None:
    folder = os.fsencode(loop.path("a").parent)
    with open(os.path.join(folder, b"\xffx.json"), "wb") as file:  # noqa: PTH118, PTH123
        file.write(b"{}")

    ran = loop.gitsync("validate", "-o", form)

    assert ran.code == 4
    assert "INVALID_KEY" in ran.out
    assert {"sarif": "%FFx.json", "junit": "x.json"}.get(form, r"\udcffx.json") in ran.out
    if form == "json":
        assert [problem["file"] for problem in ran.json["problems"]] == ["workflows/\udcffx.json"]


def test_what_was_typed_is_printable_too(hostile: Loop) -> None:
    ran = hostile.gitsync("status", HOSTILE, "-e", HOSTILE)

    assert ran.code == 4
    assert "\x1b" not in ran.err
    assert "\n::" not in ran.err
