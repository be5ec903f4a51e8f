"""The commands as a Python program calls them, on a repository and an SQLite database."""

from __future__ import annotations

import json

import pytest

import gitsync
from tests.support.loop import Loop

UPDATE = gitsync.PushPolicy.UPDATE


def test_a_push_returns_what_it_wrote_and_a_second_one_has_nothing_to_do(loop: Loop) -> None:
    loop.commit(a="A1", b="B1")

    with gitsync.open_project(loop.folder) as project:
        first, second = gitsync.push(project), gitsync.push(project)

    assert [(change.action, change.key) for change in first.plan.changes] == [
        ("create", "a"),
        ("create", "b"),
    ]
    assert loop.editor.texts() == {"a": "A1", "b": "B1"}
    assert first.deployment == 1
    assert (second.plan.changes, second.error) == ((), None)


def test_what_a_push_raises_stands_in_the_plan_and_nothing_is_written(loop: Loop) -> None:
    loop.commit(a="A1")
    loop.push()
    loop.commit(a="A2")
    loop.editor.save("a", "A3")

    with gitsync.open_project(loop.folder) as project:
        report = gitsync.plan(project, policy=UPDATE)
        with pytest.raises(gitsync.Conflict) as raised:
            gitsync.push(project, policy=UPDATE)

    assert [error.code for error in report.plan.objections] == [raised.value.code] == ["CONFLICT"]
    assert raised.value.details["conflicts"][0]["key"] == "a"
    assert report.saved is None
    assert loop.editor.text("a") == "A3"


def test_what_has_to_be_asked_is_refused_where_nobody_says_yes(loop: Loop) -> None:
    loop.commit(a="A1")
    loop.push()
    loop.commit(a="A2")

    with (
        gitsync.open_project(loop.folder) as project,
        pytest.raises(gitsync.Refused, match="nothing was written") as raised,
    ):
        gitsync.push(project, policy=UPDATE)
    untouched = loop.editor.text("a")
    with gitsync.open_project(loop.folder, says_yes=True) as project:
        gitsync.push(project, policy=UPDATE)

    assert raised.value.code == "CONFIRMATION_NEEDED"
    assert (untouched, loop.editor.text("a")) == ("A1", "A2")


def test_nothing_is_printed_and_notes_go_to_whoever_asks_for_them(
    loop: Loop, capsys: pytest.CaptureFixture[str]
) -> None:
    loop.commit(a="A1")
    notes: list[str] = []

    with gitsync.open_project(loop.folder, on_note=notes.append) as project:
        gitsync.push(project)

    assert any("no registry is configured" in note for note in notes)
    assert capsys.readouterr() == ("", "")


def test_variables_are_those_that_are_handed_in(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    (loop.folder / "gitsync.yaml").write_text(
        'version: 1\ndefault: dev\nenvironments:\n  dev: { database: "${GITSYNC_HERE}" }\n'
    )
    monkeypatch.setenv("GITSYNC_HERE", loop.editor.url)

    with (
        gitsync.open_project(loop.folder) as project,
        pytest.raises(gitsync.ConfigError, match="GITSYNC_HERE") as raised,
    ):
        gitsync.status(project)
    with gitsync.open_project(loop.folder, variables={"GITSYNC_HERE": loop.editor.url}) as project:
        status = gitsync.status(project)

    assert raised.value.code == "MISSING_VARIABLE"
    assert status.apart == []


def test_a_saved_plan_goes_through_its_bytes_and_is_done_exactly(loop: Loop) -> None:
    loop.commit(a="A1")
    with gitsync.open_project(loop.folder) as project:
        saved = gitsync.plan(project).saved
        assert saved is not None
        data = gitsync.render_saved_plan(saved)
        loop.commit(a="A2")
        gitsync.apply(project, gitsync.read_saved_plan(data, file="plan.json"))
        loop.editor.delete("a")
        with pytest.raises(gitsync.PlanStale):
            gitsync.apply(project, gitsync.read_saved_plan(data, file="plan.json"))

    assert loop.editor.texts() == {}


def test_a_bundle_goes_from_one_project_into_another(loop: Loop) -> None:
    loop.commit(a="A1", b="B1")

    with gitsync.open_project(loop.folder) as project:
        bundle = gitsync.export_commit(project, keys=["a"], exported_at="2026-01-31T12:00:00Z").data
        dry = gitsync.import_bundle(project, bundle, dry_run=True)
        before = loop.editor.texts()
        gitsync.import_bundle(project, bundle)
        again = gitsync.export_bundle(project, exported_at="2026-01-31T12:00:00Z").data

    assert [change.key for change in dry.planned.changes] == ["a"]
    assert (before, loop.editor.texts()) == ({}, {"a": "A1"})
    assert [workflow["key"] for workflow in json.loads(again)["workflows"]] == ["a"]


@pytest.mark.parametrize("time", ["", "now", "2026-01-31", "2026-01-31T12:00:00"])
def test_a_bundle_is_not_made_with_what_is_no_time(loop: Loop, time: str) -> None:
    loop.commit(a="A1")

    with (
        gitsync.open_project(loop.folder) as project,
        pytest.raises(gitsync.UsageError, match="no date and time"),
    ):
        gitsync.export_commit(project, exported_at=time)


def test_what_needs_no_database_runs_with_files_alone(loop: Loop) -> None:
    loop.commit(a="A1")

    with gitsync.open_project(loop.folder / "workflows", environment="nowhere") as project:
        valid = gitsync.validate(project)
        loop.path("a").write_bytes(loop.path("a").read_bytes().replace(b"A1", b"A2") + b"\n")
        formatted = gitsync.format(project)
        faulty = gitsync.validate(project, ["a.json"])

    assert (valid.problems, faulty.problems, formatted.changed) == ([], [], ["a.json"])
    assert loop.text("a") == "A2"


def test_a_diagnosis_raises_nothing_for_what_it_finds(loop: Loop) -> None:
    with gitsync.open_project(loop.folder) as project:
        loop.editor.forget()
        report = gitsync.diagnose(project)

    assert report.exit_code == 0
    assert {section for section, _ in report.findings} >= {gitsync.Section.GIT, gitsync.Section.DATABASE}
