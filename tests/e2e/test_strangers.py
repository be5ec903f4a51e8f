"""A stranger's pull request: what its gitsync.yaml may ask for, and what its texts do to a terminal or a log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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
