"""``gitsync adopt``, as a person types it."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.support.loop import Loop, Ran, make_loop


def check_schema(ran: Ran) -> dict[str, Any]:
    schema = json.loads((files("gitsync.schemas") / "adopt.schema.json").read_text())
    jsonschema.Draft7Validator(schema).validate(ran.json)
    return ran.json


def test_an_adopted_workflow_is_new_in_the_database_and_comes_by_pull(loop: Loop) -> None:
    workflow_id = loop.editor.create(None, "A1")
    loop.editor.save("caller", "C1", calls=workflow_id)
    loop.pull("--commit")

    adopted = loop.gitsync("adopt", workflow_id, "a")

    assert adopted.code == 0, adopted.err
    assert f"+ a  {workflow_id} 'Workflow unnamed'" in adopted.out
    assert "gitsync pull" in adopted.err
    assert loop.states() == {"a": "new-in-database", "caller": "database-ahead"}
    assert loop.pull("--commit").changes == {"a": "create", "caller": "update"}
    assert '"key:a"' in loop.path("caller").read_text()
    assert set(loop.states().values()) == {"in-sync"}


def test_no_push_overwrites_what_was_adopted(loop: Loop) -> None:
    workflow_id = loop.editor.create(None, "made there")
    loop.commit(a="made in git")
    loop.gitsync("adopt", workflow_id, "a")

    pushed = loop.gitsync("push", "--update")

    assert pushed.code == 3
    assert loop.states() == {"a": "diverged"}
    assert loop.editor.texts() == {"a": "made there"}


def test_suggestions_can_be_given_back_as_they_are(loop: Loop) -> None:
    ids = [loop.editor.create(None, f"A{number}") for number in range(3)]
    suggested = loop.gitsync("adopt", "--suggest")
    dump = loop.editor.dump()
    (loop.folder / "keys.txt").write_text("# all of them\n\n" + suggested.out)

    tried = loop.gitsync("adopt", "--dry-run", "--from", "keys.txt", "-o", "json")
    assert loop.editor.dump() == dump
    given = loop.gitsync("adopt", "--from", "keys.txt", "-o", "json")

    lines = suggested.out.splitlines()
    assert sorted(line.split()[2] for line in lines) == sorted(ids)
    assert all(line.startswith("gitsync adopt ") and "  # 'Workflow unnamed': " in line for line in lines)
    assert check_schema(tried) == check_schema(given) | {"dryRun": True}
    assert sorted(loop.editor.texts()) == ["workflow-unnamed", "workflow-unnamed-2", "workflow-unnamed-3"]
    again = loop.gitsync("adopt", "--suggest", "-o", "json")
    assert check_schema(again)["suggestions"] == []


def test_suggestions_name_the_environment_that_was_chosen(loop: Loop) -> None:
    workflow_id = loop.editor.create(None, "A1")

    suggested = loop.gitsync("adopt", "--suggest", "-e", "dev")
    (loop.folder / "keys.txt").write_text(suggested.out.replace("\n", "\r\n"))

    assert suggested.out.startswith(f"gitsync adopt -e dev {workflow_id} workflow-unnamed  #")
    assert loop.gitsync("adopt", "--from", "keys.txt").code == 0


def test_a_name_cannot_break_out_of_its_comment(loop: Loop) -> None:
    loop.editor.create(None, "A1")
    with loop.editor.connection() as connection:
        connection.exec_driver_sql("UPDATE workflow_definitions SET name = 'x\n rm -rf /\x1b[2J'")

    suggested = loop.gitsync("adopt", "--suggest")

    assert len(suggested.out.splitlines()) == 1
    assert "\x1b" not in suggested.out


def test_a_file_that_cannot_be_read_says_where(loop: Loop) -> None:
    (loop.folder / "keys.txt").write_text("one\nid key\na b c\n")

    ran = loop.gitsync("adopt", "--from", "keys.txt")

    assert ran.code == 4
    assert "keys.txt:1:1: expected" in ran.err
    assert "keys.txt:3:1: expected" in ran.err
    assert loop.gitsync("adopt", "--from", "none.txt").code == 1


@pytest.mark.parametrize(
    "arguments, sign",
    [
        pytest.param([], "--suggest", id="nothing"),
        pytest.param(["1"], "'1' is alone", id="half-a-pair"),
        pytest.param(["--suggest", "1", "a"], "give it alone", id="suggest-and-write"),
    ],
)
def test_a_call_that_means_nothing_is_refused(loop: Loop, arguments: list[str], sign: str) -> None:
    ran = loop.gitsync("adopt", *arguments)

    assert ran.code == 64
    assert sign in ran.err


def test_several_faults_are_told_together_and_status_names_the_way(loop: Loop) -> None:
    first, second = loop.editor.create(None, "A1"), loop.editor.create(None, "B1")

    ran = loop.gitsync("adopt", first, "UPPER", second, "ok", "missing", "b")

    assert ran.code == 4
    assert f"\n  {first} UPPER: " in ran.err
    assert "\n  missing b: no workflow here has the id missing" in ran.err
    assert "[ADOPTION_REFUSED]" in ran.err
    assert "gitsync adopt --suggest" in loop.gitsync("status").out


def test_without_a_ledger_only_looking_works(tmp_path: Path) -> None:
    loop = make_loop(tmp_path)
    workflow_id = loop.editor.create(None, "A1")
    with loop.editor.connection() as connection:
        for name in ("gitsync_deployment_items", "gitsync_deployments"):
            connection.exec_driver_sql(f"DROP TABLE {name}")

    assert loop.gitsync("adopt", "--suggest").code == 0
    assert loop.gitsync("adopt", "--dry-run", workflow_id, "a").code == 0
    assert "[MISSING_LEDGER]" in loop.gitsync("adopt", workflow_id, "a").err
