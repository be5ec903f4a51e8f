"""``validate`` and ``format`` below the command line: they return what they have to say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitsync.commands.context import Context
from gitsync.commands.format import format as format_files
from gitsync.commands.validate import explain, validate
from gitsync.errors import GitsyncError
from gitsync.workflow.canonical import canonical_bytes
from tests.support.documents import action, call, definition, document


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gitsync.yaml").write_text("version: 1\n")
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "a.json").write_bytes(canonical_bytes(document("a", action())))
    (tmp_path / "workflows" / "b.json").write_text(json.dumps(document("b", action())))
    return tmp_path


def test_validate_returns_problems_with_their_source_and_prints_nothing(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    report = validate(Context(where=folder))

    [problem] = report.problems
    assert (problem.file, problem.rule, problem.severity) == ("workflows/b.json", "NOT_CANONICAL", "warning")
    assert list(report.files) == ["workflows/a.json", "workflows/b.json"]
    assert report.read_line(problem.file, 1).startswith('{"')
    assert report.exit_code == 0
    assert validate(Context(where=folder), ["workflows/b.json"], strict=True).exit_code == 4
    assert capfd.readouterr() == ("", "")


def test_format_returns_what_changed_and_changes_nothing_the_second_time(folder: Path) -> None:
    looked = format_files(Context(where=folder), check=True, with_differences=True)
    written = format_files(Context(where=folder))
    again = format_files(Context(where=folder), check=True)

    assert (list(looked.changed), looked.exit_code) == (["workflows/b.json"], 1)
    assert looked.differences[0].after == (folder / "workflows" / "b.json").read_bytes()
    assert (list(written.changed), written.files, written.exit_code) == (["workflows/b.json"], 2, 0)
    assert (list(again.changed), again.exit_code) == ([], 0)


def test_format_leaves_alone_what_is_no_workflow(folder: Path) -> None:
    (folder / "workflows" / "c.json").write_text("{")

    report = format_files(Context(where=folder), ["workflows/c.json"])

    assert [problem.file for problem in report.problems] == ["workflows/c.json"]
    assert report.exit_code == 4
    assert (folder / "workflows" / "c.json").read_text() == "{"


def test_files_are_meant_from_the_folder_of_the_context(folder: Path) -> None:
    context = Context(where=folder / "workflows")

    assert list(validate(context, ["a.json"]).files) == ["a.json"]


def test_a_file_of_a_newer_format_is_told_with_the_calls_of_its_versions(folder: Path) -> None:
    newer = document("a", versions=((1, definition(call("key:nobody")), None),)) | {"formatVersion": 2}
    (folder / "workflows" / "a.json").write_bytes(canonical_bytes(newer))

    report = validate(Context(where=folder), ["workflows/a.json"])

    assert [(problem.rule, problem.path) for problem in report.problems] == [
        ("UNSUPPORTED_FORMAT_VERSION", "$.formatVersion"),
        ("UNRESOLVED_REFERENCE", "$.publishedVersions[0].definition.steps[0].workflowId"),
    ]


def test_an_unknown_rule_has_a_suggestion() -> None:
    assert explain("secrets").id == "SECRETS"
    with pytest.raises(GitsyncError, match="did you mean secrets"):
        explain("secretz")
