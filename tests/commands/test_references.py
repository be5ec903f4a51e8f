"""Calls between workflows whose text or whose target isn't what the other side knows."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from tests.support.documents import make_file
from tests.support.loop import Loop, make_loop


@pytest.fixture
def linked(either: Loop) -> Loop:
    """`caller` calls `callee` by its id."""
    either.write_file("caller", "C1", calls="key:callee")
    either.commit(callee="E1")
    either.push()
    return either


def called(loop: Loop) -> str:
    """What the caller's row calls."""
    query = "SELECT CAST(draft_definition AS text) FROM workflow_definitions WHERE key = 'caller'"
    with loop.editor.connection() as connection:
        definition = json.loads(connection.exec_driver_sql(query).scalar_one())
    return str(definition["steps"][-1]["workflowId"])


def in_file(loop: Loop) -> str:
    """What the caller's file calls."""
    document = json.loads(loop.path("caller").read_bytes())
    return str(document["draft"]["definition"]["steps"][-1]["workflowId"])


def make_callee_again(loop: Loop) -> tuple[str, str]:
    """The callee's old and new id, after it was deleted and made again in the product under its key."""
    old = loop.editor.id_of("callee")
    loop.editor.delete("callee")
    return old, loop.editor.create("callee", "E1")


# ---------------------------------------------------------------- a file's text in a row


@pytest.mark.parametrize("policy", ["--update", "--force"])
@pytest.mark.parametrize("mode", ["--in-place", "--recreate"])
def test_a_file_s_reference_in_a_row_is_linked_by_a_push(linked: Loop, policy: str, mode: str) -> None:
    linked.editor.save("caller", "C1", calls="key:callee")

    assert linked.states() == {"callee": "in-sync", "caller": "repository-ahead"}
    assert linked.gitsync("push").code == 3
    assert linked.push(policy, mode, "caller").changes == {"caller": "update"}
    assert called(linked) == linked.editor.id_of("callee")
    assert linked.states() == {"callee": "in-sync", "caller": "in-sync"}
    assert linked.push("--update").changes == {}


def test_a_pull_has_nothing_to_bring_of_a_row_that_holds_the_file_s_text(linked: Loop) -> None:
    linked.editor.save("caller", "C1", calls="key:callee")
    head = linked.repository.head

    for options in ([], ["--force"], ["--commit"]):
        assert linked.pull(*options).changes == {}
    assert linked.repository.head == head


def test_an_edit_beside_a_file_s_reference_is_pulled_first_and_then_linked(linked: Loop) -> None:
    linked.editor.save("caller", "C2", calls="key:callee")
    assert linked.states()["caller"] == "database-ahead"

    linked.pull("--commit")
    assert (linked.text("caller"), linked.states()["caller"]) == ("C2", "repository-ahead")
    linked.push("--update")

    assert (linked.editor.text("caller"), called(linked)) == ("C2", linked.editor.id_of("callee"))


@pytest.mark.parametrize("mode", ["--in-place", "--recreate"])
def test_a_file_s_reference_in_a_published_version_is_linked_as_well(tmp_path: Path, mode: str) -> None:
    loop = make_loop(tmp_path)
    document = json.loads(make_file("caller", "C1", calls="key:callee", versions=[1]))
    document["publishedVersions"][0]["definition"] = document["draft"]["definition"]
    loop.path("caller").parent.mkdir()
    loop.path("caller").write_text(json.dumps(document))
    loop.gitsync("fmt")
    loop.commit(callee="E1")
    loop.push()
    table, own = "workflow_definition_versions", loop.editor.id_of("callee")
    with loop.editor.connection() as connection:
        connection.exec_driver_sql(
            f"UPDATE {table} SET definition_json = replace(definition_json, '{own}', 'key:callee')"
        )

    assert loop.states()["caller"] == "repository-ahead"
    loop.push("--update", mode)

    with loop.editor.connection() as connection:
        stored = connection.exec_driver_sql(f"SELECT definition_json FROM {table}").scalar_one()
    assert loop.editor.id_of("callee") in stored
    assert loop.states()["caller"] == "in-sync"


def test_a_reference_to_no_workflow_is_refused_though_the_row_holds_its_text(linked: Loop) -> None:
    linked.editor.save("caller", "C1", calls="key:callee")
    linked.editor.delete("callee")

    ran = linked.gitsync("push", "--update", "-o", "json")

    assert (ran.code, ran.json["code"]) == (4, "UNRESOLVED_REFERENCE")


# ---------------------------------------------------------------- an id that leads nowhere


@pytest.mark.parametrize("options", [[], ["--commit"], ["--force"]])
def test_a_pull_keeps_a_call_by_key_where_the_database_s_leads_nowhere(
    linked: Loop, options: list[str]
) -> None:
    old, new = make_callee_again(linked)
    assert called(linked) == old

    ran = linked.gitsync("pull", "-o", "json", *options, "caller")

    assert (ran.code, ran.json["error"]["code"], ran.changes) == (3, "DANGLING_CALL", {})
    assert [row["key"] for row in ran.json["conflicts"]] == ["caller"]
    assert in_file(linked) == "key:callee"
    assert "gitsync push --force caller" in ran.json["error"]["cure"]
    linked.push("--force", "caller")
    assert called(linked) == new
    assert linked.states()["caller"] == "in-sync"


def test_a_pull_onto_a_branch_keeps_it_too_and_brings_the_rest(linked: Loop) -> None:
    make_callee_again(linked)
    linked.editor.save("callee", "E2")

    ran = linked.gitsync("pull", "--branch", "from-database", "-o", "json")

    assert (ran.code, ran.json["error"]["code"], ran.changes) == (3, "DANGLING_CALL", {"callee": "update"})


def test_a_new_file_takes_the_raw_id_with_a_warning(either: Loop) -> None:
    gone = str(uuid.uuid4())
    either.editor.create("caller", "C1", calls=gone)

    ran = either.pull()

    assert ran.changes == {"caller": "create"}
    assert in_file(either) == gone
    assert any(gone in text for text in ran.json["warnings"])


def test_an_id_that_leads_to_a_workflow_without_a_key_is_an_edit_like_any_other(linked: Loop) -> None:
    unkeyed = linked.editor.create(None, "U1")
    linked.editor.save("caller", "C1", calls=unkeyed)

    assert linked.pull().changes == {"caller": "update"}
    assert in_file(linked) == unkeyed


def test_a_dead_call_that_takes_no_reference_s_place_is_pulled(either: Loop) -> None:
    either.commit(caller="C1")
    either.push()
    gone = str(uuid.uuid4())
    either.editor.save("caller", "C1", calls=gone)

    assert either.pull().changes == {"caller": "update"}
    assert in_file(either) == gone


def test_doctor_and_status_agree_on_a_call_spelt_with_escapes(tmp_path: Path) -> None:
    loop = make_loop(tmp_path)
    gone = str(uuid.uuid4())
    own = loop.editor.create("caller", "C1", calls=gone)
    definition = json.dumps(
        {"id": own, "steps": [{"id": "s", "type": "control.callWorkflow", "workflowId": gone}]}
    )
    loop.editor.write_text("caller", definition.replace("control.call", "\\u0063ontrol.call"))

    assert gone in loop.gitsync("status").err
    assert gone in loop.gitsync("doctor").out
