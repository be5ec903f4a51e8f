"""Plans that are saved, reviewed and applied: exactly that, or nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gitsync.workflow.canonical import canonical_bytes
from tests.support.editor import Editor
from tests.support.git import clone
from tests.support.loop import Loop, make_config, make_loop, second_clone
from tests.support.product import TENANT, Generation, make_product_tables


@pytest.fixture(params=["sqlite", "postgresql"])
def loop(request: pytest.FixtureRequest, tmp_path: Path) -> Loop:
    """Workflows a, b and c in step; a and b then edited in git."""
    if request.param == "sqlite":
        made = make_loop(tmp_path)
    else:
        made = make_loop(tmp_path, url=request.getfixturevalue("postgres_database"), tenant=TENANT)
    made.commit(a="A1", b="B1", c="C1")
    made.push()
    made.commit(a="A2", b="B2")
    return made


def save(loop: Loop, *options: str) -> Path:
    """The file of a saved plan."""
    file = loop.folder.parent / "plan.json"
    saved = loop.gitsync("plan", "--out", str(file), *(options or ("--update", "--in-place")))
    assert saved.code == 0, saved.err
    return file


def test_a_saved_plan_is_applied_as_it_stands(loop: Loop) -> None:
    file = save(loop)

    applied = loop.gitsync("apply", "-o", "json", str(file))

    assert applied.code == 0, applied.err
    assert applied.changes == {"a": "update", "b": "update"}
    assert applied.json["format"] == "gitsync.apply"
    assert loop.editor.texts() == {"a": "A2", "b": "B2", "c": "C1"}
    assert set(loop.states().values()) == {"in-sync"}


def test_a_plan_is_applied_though_the_branch_has_moved_on(loop: Loop) -> None:
    file = save(loop)
    loop.commit(a="A3", c="C2")
    loop.repository.git("checkout", "-q", "--orphan", "elsewhere")

    assert loop.gitsync("apply", str(file)).code == 0

    assert loop.editor.texts() == {"a": "A2", "b": "B2", "c": "C1"}


def test_an_edit_of_a_planned_row_makes_the_plan_stale_and_of_another_one_does_not(loop: Loop) -> None:
    file = save(loop)
    loop.editor.save("c", "by hand")
    assert loop.gitsync("apply", str(file)).code == 0

    loop.commit(a="A3", b="B3")
    file = save(loop)
    loop.editor.save("b", "by hand")
    before = loop.editor.dump()
    refused = loop.gitsync("apply", str(file))

    assert refused.code == 5
    assert "[PLAN_STALE]" in refused.err
    assert "  b\n" in refused.err
    assert "gitsync plan --out" in refused.err
    assert loop.editor.dump() == before


def test_a_row_that_was_edited_and_put_back_by_a_deployment_is_stale_too(loop: Loop) -> None:
    start = loop.repository.head
    file = save(loop)
    loop.push("--update", "--in-place")
    loop.push("--force", "--in-place", "--ref", f"{start}~1")
    assert loop.editor.text("a") == "A1"

    refused = loop.gitsync("apply", str(file))

    assert (refused.code, "a later deployment has touched" in refused.err) == (5, True)
    assert loop.editor.text("a") == "A1"


def test_a_second_apply_finds_its_work_done_and_refuses(loop: Loop) -> None:
    file = save(loop)
    assert loop.gitsync("apply", str(file)).code == 0

    assert loop.gitsync("apply", str(file)).code == 5


def edited(change: Callable[[dict[str, Any]], None]) -> Callable[[bytes], bytes]:
    def edit(data: bytes) -> bytes:
        value = json.loads(data)
        change(value)
        return canonical_bytes(value)

    return edit


@pytest.mark.parametrize(
    "spoil,code,exit_code",
    [
        (edited(lambda plan: plan["changes"].pop()), "PLAN_TAMPERED", 5),
        (edited(lambda plan: plan["options"].update(discardRuns=True)), "PLAN_TAMPERED", 5),
        (edited(lambda plan: plan.update(sha256="0" * 64)), "PLAN_TAMPERED", 5),
        (edited(lambda plan: plan.update(more=1)), "INVALID_PLAN", 4),
        (edited(lambda plan: plan["changes"][0].update(action="drop")), "INVALID_PLAN", 4),
        (edited(lambda plan: plan.update(format="gitsync.plan")), "UNSUPPORTED_FORMAT", 4),
        (edited(lambda plan: plan.update(formatVersion=2)), "UNSUPPORTED_FORMAT_VERSION", 4),
        (lambda data: data[:-20], "INVALID_PLAN", 4),
        (lambda _: b"", "INVALID_PLAN", 4),
        (lambda _: b"[1]", "UNSUPPORTED_FORMAT", 4),
    ],
    ids=range(10),
)
def test_a_plan_that_was_changed_or_is_none_is_refused(
    tmp_path: Path, spoil: Callable[[bytes], bytes], code: str, exit_code: int
) -> None:
    loop = make_loop(tmp_path)
    loop.commit(a="A1")
    file = save(loop)
    file.write_bytes(spoil(file.read_bytes()))
    before = loop.editor.dump()

    refused = loop.gitsync("apply", "-o", "json", str(file))

    assert (refused.code, refused.json["code"]) == (exit_code, code)
    assert "gitsync plan --out" in refused.json["cure"]
    assert loop.editor.dump() == before


def test_a_plan_is_for_its_own_environment_and_database(loop: Loop, tmp_path: Path) -> None:
    file = save(loop)

    other_name = loop.gitsync("apply", "-e", "prod", str(file))
    assert (other_name.code, "is a plan for the environment 'dev'" in other_name.err) == (4, True)

    other = make_loop(tmp_path / "other")
    copy = Loop(clone(loop.repository, tmp_path / "copy"), other.editor)
    address = f"sqlite:///{tmp_path / 'other' / 'product.db'}"
    (copy.folder / "gitsync.yaml").write_text(make_config(address))
    other_database = copy.gitsync("apply", str(file))
    assert (other_database.code, "another database" in other_database.err) == (4, True)
    assert other.editor.texts() == {}


def test_a_plan_for_the_variables_database_needs_the_variable(loop: Loop) -> None:
    url = loop.editor._engine.url.render_as_string(hide_password=False)
    variables = {"GITSYNC_DATABASE_URL": url, "GITSYNC_TENANT": loop.editor.tenant or ""}
    file = loop.folder.parent / "plan.json"
    assert loop.gitsync("plan", "--update", "--in-place", "--out", str(file), variables=variables).code == 0
    assert url not in file.read_text()

    without = loop.gitsync("apply", str(file))
    assert (without.code, "`export GITSYNC_DATABASE_URL=" in without.err) == (4, True)
    assert loop.gitsync("apply", str(file), variables=variables).code == 0


def test_a_commit_that_is_not_in_the_clone_is_named(loop: Loop, tmp_path: Path) -> None:
    other = second_clone(loop, tmp_path / "second")
    file = save(loop)
    loop.repository.git("commit", "-q", "--allow-empty", "-m", "Only here")
    file = save(loop)

    refused = other.gitsync("apply", str(file))

    assert (refused.code, "[UNKNOWN_REVISION]" in refused.err) == (1, True)
    assert loop.repository.head in refused.err


def test_a_plan_that_a_push_would_refuse_is_not_saved(loop: Loop) -> None:
    file = loop.folder.parent / "plan.json"

    stopped = loop.gitsync("plan", "--out", str(file))  # create-only: a and b would have to be overwritten

    assert (stopped.code, file.exists()) == (3, False)
    assert "was not written" in stopped.err


def test_a_saved_plan_without_changes_leaves_the_marks_of_what_is_in_step(loop: Loop) -> None:
    loop.push("--update", "--in-place")
    loop.commit()
    file = save(loop)

    applied = loop.gitsync("apply", str(file))

    assert (applied.code, "nothing to write; 3 were in step already" in applied.out) == (0, True)


def test_the_policy_stands_in_the_plan_and_not_on_the_command_line(loop: Loop) -> None:
    loop.repository.git("rm", "-q", "workflows/c.json")
    loop.repository.commit("Delete c")
    file = save(loop, "--update", "--in-place", "--prune", "a", "c")

    assert loop.gitsync("apply", str(file)).code == 0

    assert loop.editor.texts() == {"a": "A2", "b": "B1"}


def test_a_plan_is_read_from_standard_input_too(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    file = save(loop)
    with file.open() as given:
        monkeypatch.setattr("sys.stdin", given)
        assert loop.gitsync("apply", "-").code == 0

    assert loop.editor.text("a") == "A2"


def test_a_file_that_cannot_be_read_or_written_is_named(loop: Loop) -> None:
    missing = loop.gitsync("apply", "nowhere.json")
    assert (missing.code, "cannot read nowhere.json: No such file" in missing.err) == (1, True)

    nowhere = loop.gitsync("plan", "--update", "--out", f"nowhere{os.sep}plan.json")
    assert (nowhere.code, "cannot write nowhere" in nowhere.err) == (1, True)


# ---------------------------------------------------------------- what hangs on workflows


def add_runs(editor: Editor, key: str, *statuses: str) -> None:
    with editor.connection() as connection:
        has_runs = sa.inspect(connection).has_table("workflow_runs")
    if not has_runs:
        make_product_tables(editor.url, Generation.CURRENT, names=["workflow_runs"])
    for status in statuses:
        editor.start_run(editor.id_of(key), status=status)


def test_a_push_that_would_lose_runs_stops_with_their_counts_and_the_three_ways_on(loop: Loop) -> None:
    add_runs(loop.editor, "a", "RUNNING", "SUCCEEDED", "SUCCEEDED")
    before = loop.editor.dump()

    refused = loop.gitsync("push", "--force")

    assert refused.code == 6
    assert "  a: 1 RUNNING, 2 SUCCEEDED\n" in refused.err
    assert "[RUNS_WOULD_BE_LOST]" in refused.err
    for way in ("--in-place", "--discard-runs", "name the other workflows"):
        assert way in refused.err
    assert loop.editor.dump() == before
    planned = loop.gitsync("plan", "--force", "--exit-code")
    assert (planned.code, "a: 1 RUNNING, 2 SUCCEEDED" in planned.out) == (6, True)
    facts = loop.gitsync("plan", "--force", "-o", "json").json["wouldFail"]["details"]["obstacles"]
    assert facts == [
        {
            "workflow": "a",
            "code": "RUNS_WOULD_BE_LOST",
            "reason": "1 RUNNING, 2 SUCCEEDED",
            "runs": {"RUNNING": 1, "SUCCEEDED": 2},
            "schedules": 0,
            "webhooks": 0,
        }
    ]

    assert loop.gitsync("push", "--force", "--discard-runs").code == 0
    assert loop.editor.text("a") == "A2"


def test_runs_that_start_after_the_plan_stop_its_apply(loop: Loop) -> None:
    add_runs(loop.editor, "a")
    file = save(loop, "--update", "--recreate")
    add_runs(loop.editor, "a", "RUNNING")

    refused = loop.gitsync("apply", str(file))

    assert (refused.code, "[RUNS_WOULD_BE_LOST]" in refused.err) == (6, True)
    assert loop.editor.text("a") == "A1"


def test_a_published_version_is_not_rewritten_without_force(loop: Loop) -> None:
    loop.editor.publish("c", 1)
    loop.pull("--commit")
    path = loop.path("c")
    path.write_text(path.read_text().replace("version 1", "version one"))
    loop.repository.commit("Rewrite a published version")

    refused = loop.gitsync("push", "--update", "--in-place", "c")

    assert refused.code == 6
    assert "c: published version 1 would change or go" in refused.err
    assert "[VERSION_REWRITTEN]" in refused.err
    assert loop.gitsync("push", "--force", "--in-place", "c").code == 0


def test_callers_that_follow_a_new_id_stand_in_the_plan_and_in_the_result(loop: Loop) -> None:
    loop.editor.create("caller", "calls", calls=loop.editor.id_of("a"))

    planned = loop.gitsync("plan", "--update", "--recreate")
    assert "calls that follow the new ids:\n  caller: draft\n" in planned.out

    old = loop.editor.id_of("a")
    pushed = loop.push("--update", "--recreate")
    assert pushed.json["relinked"] == [
        {"key": "caller", "workflowId": loop.editor.id_of("caller"), "version": None, "called": old}
    ]
    assert loop.states()["caller"] == "new-in-database"


def test_deleting_a_workflow_that_others_call_names_the_callers(loop: Loop) -> None:
    loop.editor.create("caller", "calls", calls=loop.editor.id_of("c"))
    loop.repository.git("rm", "-q", "workflows/c.json")
    loop.repository.commit("Delete c")

    refused = loop.gitsync("push", "--prune", "c")

    assert (refused.code, "caller: calls c, which would be deleted, in its draft" in refused.err) == (6, True)
    assert loop.editor.text("c") == "C1"
