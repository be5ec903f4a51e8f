"""A push judges what it would write, and forgives what the database holds already."""

from __future__ import annotations

import json
from typing import Any

from gitsync.workflow.canonical import canonical_bytes
from tests.support.documents import make_file
from tests.support.loop import Loop

BAD = {"id": "bad", "type": "transform.assign", "config": {"assign": {"vars.x": {"$expr": "paylaod.id"}}}}
UNSURE = {"id": "unsure", "type": "transform.assign", "config": {"assign": {"vars.y": {"$expr": "vars.z"}}}}


def commit(loop: Loop, key: str, text: str, *steps: dict[str, Any], versions: tuple[int, ...] = ()) -> None:
    """Commit the workflow with these steps added to its draft."""
    value = json.loads(make_file(key, text, versions=versions))
    value["draft"]["definition"]["steps"] += steps
    loop.repository.write(f"workflows/{key}.json", canonical_bytes(value))
    loop.repository.git("add", "-A")
    loop.repository.git("commit", "-q", "-m", text)


def put_into_database(loop: Loop, key: str, text: str, *steps: dict[str, Any]) -> None:
    """Push with the rule off, as if the workflow had been there before gitsync."""
    config = loop.repository.git("show", "HEAD:gitsync.yaml")
    off = "validate: { rules: { unknown-name: off, duplicate-step-id: off } }"
    loop.repository.commit_file("gitsync.yaml", f"{config}\n{off}\n")
    commit(loop, key, text, *steps)
    assert loop.gitsync("push").code == 0
    loop.repository.commit_file("gitsync.yaml", f"{config}\n")


def test_an_error_stops_a_push_with_its_place(loop: Loop) -> None:
    commit(loop, "a", "A1", BAD)

    ran, planned = loop.gitsync("push"), loop.gitsync("plan", "-o", "json")

    assert ran.code == 4
    assert "workflows/a.json:" in ran.err
    assert "[UNKNOWN_NAME]" in ran.err
    assert loop.editor.texts() == {}
    assert [problem["rule"] for problem in planned.json["problems"]] == ["UNKNOWN_NAME"]
    assert planned.json["wouldFail"]["code"] == "UNKNOWN_NAME"


def test_a_warning_is_told_and_stops_nothing(loop: Loop) -> None:
    commit(loop, "a", "A1", UNSURE)

    planned, ran = loop.gitsync("plan", "-o", "json"), loop.gitsync("push")

    assert ran.code == 0
    assert "warning: workflows/a.json:" in ran.err
    assert "no step sets vars.z [VARIABLE_NOT_SET]" in ran.err
    assert loop.editor.texts() == {"a": "A1"}
    assert ["VARIABLE_NOT_SET" in text for text in planned.json["warnings"]] == [True]


def test_the_severities_are_those_of_the_commit(loop: Loop) -> None:
    config = loop.repository.git("show", "HEAD:gitsync.yaml")
    loop.repository.commit_file(
        "gitsync.yaml", f"{config}\nvalidate: {{ rules: {{ unknown-name: warning }} }}\n"
    )
    commit(loop, "a", "A1", BAD)

    ran = loop.gitsync("push")

    assert ran.code == 0
    assert "[UNKNOWN_NAME]" in ran.err


def test_what_the_database_holds_already_blocks_nobody(loop: Loop) -> None:
    put_into_database(loop, "a", "A1", BAD)
    commit(loop, "a", "A2", {"id": "first", "type": "state.set", "config": {"state": "X"}}, BAD)

    ran = loop.gitsync("push", "--update")

    assert ran.code == 0
    assert "warning: workflows/a.json:" in ran.err
    assert "[UNKNOWN_NAME]" in ran.err
    assert loop.editor.texts() == {"a": "A2"}


def test_a_second_fault_of_the_same_kind_is_a_new_one(loop: Loop) -> None:
    put_into_database(loop, "a", "A1", BAD)
    commit(loop, "a", "A2", BAD, {**BAD, "id": "bad2"})

    ran = loop.gitsync("push", "--update")

    assert ran.code == 4
    assert loop.editor.texts() == {"a": "A1"}


def test_what_is_in_step_is_not_judged_at_all(loop: Loop) -> None:
    put_into_database(loop, "a", "A1", BAD)
    loop.commit(b="B1")

    ran = loop.gitsync("push")

    assert (ran.code, "UNKNOWN_NAME" in ran.err) == (0, False)
    assert loop.states() == {"a": "in-sync", "b": "in-sync"}


def bundle(loop: Loop, *steps: dict[str, Any]) -> str:
    """The path of a bundle with the workflow `a`, whose draft has these steps."""
    value = json.loads(make_file("a", "A1"))
    value["draft"]["definition"]["steps"] += steps
    entry = {name: part for name, part in value.items() if name not in ("format", "formatVersion")}
    path = loop.folder / "bundle.json"
    path.write_bytes(
        canonical_bytes(
            {
                "format": "alga-psa.workflow-bundle",
                "formatVersion": 1,
                "exportedAt": "2026-01-01T00:00:00Z",
                "workflows": [entry],
            }
        )
    )
    return str(path)


def test_an_import_is_judged_by_the_same_rules(loop: Loop) -> None:
    stopped = loop.gitsync("import", bundle(loop, BAD))
    warned = loop.gitsync("import", bundle(loop, UNSURE))

    assert stopped.code == 4
    assert "[UNKNOWN_NAME]" in stopped.err
    assert warned.code == 0
    assert "[VARIABLE_NOT_SET]" in warned.err
    assert loop.editor.texts() == {"a": "A1"}


def test_an_import_over_what_holds_the_same_fault_goes_on(loop: Loop) -> None:
    put_into_database(loop, "a", "A0", BAD)

    ran = loop.gitsync("import", "--force", "--in-place", bundle(loop, BAD))

    assert ran.code == 0
    assert "warning:" in ran.err
    assert loop.editor.texts() == {"a": "A1"}
