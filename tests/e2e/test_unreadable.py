"""Workflows of the database that cannot be read: named and left alone on both sides, and the rest goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.loop import Loop, make_loop
from tests.support.program import start_program

HALF = '{"id": 1'


@pytest.fixture
def twins(tmp_path: Path) -> Loop:
    """`caller` calls `twin`, of which there are two rows now; `other` stands apart. All three are in git."""
    loop = make_loop(tmp_path)
    with loop.editor.connection() as connection:
        connection.exec_driver_sql("DROP INDEX workflow_definitions_key_unique")
    loop.write_file("caller", "C1", calls="key:twin")
    loop.commit(twin="T1", other="O1")
    loop.push()
    loop.editor.create("twin", "T2")
    return loop


@pytest.fixture
def broken(tmp_path: Path) -> Loop:
    """The same, where `twin` is one row that holds half a JSON text."""
    loop = make_loop(tmp_path)
    loop.write_file("caller", "C1", calls="key:twin")
    loop.commit(twin="T1", other="O1")
    loop.push()
    loop.editor.write_text("twin", HALF)
    return loop


@pytest.fixture(params=["twins", "broken"])
def loop(request: pytest.FixtureRequest) -> Loop:
    """Each kind of workflow that cannot be read."""
    found: Loop = request.getfixturevalue(request.param)
    return found


CODES = {"DUPLICATE_KEY", "UNREADABLE_WORKFLOW"}


@pytest.mark.parametrize("options", [[], ["--prune"], ["--force", "--prune"], ["--commit"]])
def test_a_pull_brings_the_rest_and_leaves_file_and_calls_alone(loop: Loop, options: list[str]) -> None:
    loop.editor.save("other", "O2")
    before = loop.path("twin").read_bytes(), loop.path("caller").read_bytes()

    ran = loop.gitsync("pull", *options, "-o", "json")

    assert (ran.code, ran.changes) == (1, {"other": "update"})
    assert ran.json["error"]["code"] in CODES
    assert loop.text("other") == "O2"
    assert (loop.path("twin").read_bytes(), loop.path("caller").read_bytes()) == before


def test_a_pull_onto_a_branch_brings_the_rest(loop: Loop) -> None:
    loop.editor.save("other", "O2")

    ran = loop.gitsync("pull", "--branch", "from-database", "-o", "json")

    assert (ran.code, ran.changes) == (1, {"other": "update"})
    pulled = loop.repository.git_bytes("show", "from-database:workflows/twin.json")
    assert pulled.strip() == loop.path("twin").read_bytes().strip()


@pytest.mark.parametrize("verb", ["status", "diff"])
def test_a_look_shows_the_others_and_fails(loop: Loop, verb: str) -> None:
    loop.editor.save("other", "O2")

    ran = loop.gitsync(verb, "-o", "json")

    states = {row["key"]: row["state"] for row in ran.json["workflows"]}
    assert (ran.code, states["other"], states["twin"]) == (1, "database-ahead", "unreadable")
    assert loop.gitsync(verb).code == 1


@pytest.mark.parametrize("policy", ["--update", "--force"])
def test_a_push_refuses_where_it_is_selected_or_called(loop: Loop, policy: str) -> None:
    loop.write_file("caller", "C2", calls="key:twin")
    loop.commit(other="O2")
    before = loop.editor.dump("workflow_definition")

    for keys in ([], ["twin"], ["caller"]):
        ran = loop.gitsync("push", policy, *keys, "-o", "json")

        assert (ran.code, ran.json["code"] in CODES) == (1, True), keys
    assert loop.editor.dump("workflow_definition") == before


@pytest.mark.parametrize("options", [["other"], ["--skip-conflicts"]])
def test_a_push_writes_what_is_apart_from_it(loop: Loop, options: list[str]) -> None:
    loop.commit(other="O2")

    ran = loop.gitsync("push", "--update", "-o", "json", *options)

    assert ran.changes == {"other": "update"}
    assert ran.code == (0 if options == ["other"] else 1)


def test_nothing_is_noted_of_it_and_nothing_taken_for_deleted(loop: Loop) -> None:
    loop.commit(twin=None, other="O2")

    ran = loop.gitsync("push", "--update", "--skip-conflicts", "--prune", "-o", "json")

    assert ran.changes == {"other": "update"}
    with loop.editor.connection() as connection:
        marks = connection.exec_driver_sql(
            "SELECT digest FROM gitsync_deployment_items WHERE key = 'twin'"
        ).all()
    assert len(marks) == 1


def test_a_key_of_several_rows_is_neither_exported_in_silence_nor_imported_again(
    twins: Loop, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.json"
    twins.gitsync("export", "--all", "--from-repo", "--out", str(bundle))

    exported = twins.gitsync("export", "--all", "--out", str(tmp_path / "all.json"), "-o", "json")
    imported = twins.gitsync("import", "--force", str(bundle), "-o", "json")

    for ran in (exported, imported):
        assert (ran.code, ran.json["code"]) == (1, "DUPLICATE_KEY")
    assert twins.gitsync("export", "other", "--out", str(tmp_path / "other.json")).code == 0


def test_a_workflow_that_a_broken_row_names_is_not_deleted(broken: Loop) -> None:
    called = broken.editor.id_of("other")
    broken.editor.write_text("twin", f'{{"type": "control.callWorkflow", "workflowId": "{called}"')
    broken.commit(other=None)

    ran = broken.gitsync("push", "--prune", "other", "-o", "json")

    assert (ran.code, ran.json["code"]) == (6, "STILL_CALLED")


def test_doctor_names_it_and_goes_on_to_the_states(loop: Loop) -> None:
    ran = loop.gitsync("doctor")

    assert ran.code == 1
    assert "twin" in ran.out
    assert "1 unreadable" in ran.out


def test_no_traceback_follows_a_refusal_in_the_middle_of_a_read(broken: Loop) -> None:
    ran = start_program(broken, ["export", "--all"]).end()

    assert ran.code == 1
    assert "UNREADABLE_WORKFLOW" in ran.err
    assert "Traceback" not in ran.err
