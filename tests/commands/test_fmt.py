from __future__ import annotations

import json
import shutil
import stat
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gitsync.workflow.canonical import canonical_bytes
from tests.support.documents import action, definition, document
from tests.support.loop import Ran, gitsync

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "gitsync.yaml").write_text("version: 1\n")
    return tmp_path


def put(folder: Path, key: str, *steps: Any, messy: bool = False) -> Path:
    path = folder / "workflows" / f"{key}.json"
    value = document(key, *steps, versions=((1, definition(), None), (2, definition(), None)))
    if messy:
        value["dependencies"] = {"actions": [], "nodeTypes": [], "schemaRefs": ["stale"]}
        value["publishedVersions"].reverse()
        value["metadata"]["failureRateThreshold"] = "0.50"
        path.write_text(json.dumps(value))
    else:
        path.write_bytes(canonical_bytes(value))
    return path


def fmt(folder: Path, *arguments: str) -> Ran:
    return gitsync("-C", str(folder), "fmt", *arguments)


def test_a_file_becomes_canonical_with_the_dependencies_that_it_has(folder: Path) -> None:
    path = put(folder, "a", action(), messy=True)

    ran = fmt(folder)

    written = path.read_bytes()
    expected = document(
        "a", action(), versions=((1, definition(), None), (2, definition(), None)), failureRateThreshold=0.5
    )
    assert (ran.code, ran.out, ran.err) == (
        0,
        "reformatted workflows/a.json\n",
        "1 reformatted, 0 as they should be\n",
    )
    assert written == canonical_bytes(expected)
    judged = gitsync("-C", str(folder), "validate", "-o", "json").json
    assert {problem["rule"] for problem in judged["problems"]} == {"EMPTY_STEPS"}


def test_formatting_twice_is_formatting_once(folder: Path) -> None:
    path = put(folder, "a", action(), messy=True)
    fmt(folder)
    before = path.stat()

    ran = fmt(folder)

    assert (ran.code, ran.out) == (0, "")
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_the_example_is_formatted_already(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "repo_layout_example", tmp_path / "example")

    assert fmt(tmp_path / "example", "--check").code == 0


def test_a_check_writes_nothing_and_says_what_would_change(folder: Path) -> None:
    path = put(folder, "a", action(), messy=True)
    before = path.read_bytes()

    ran = fmt(folder, "--check", "--diff")

    assert ran.code == 1
    assert path.read_bytes() == before
    assert "--- a/workflows/a.json\n+++ b/workflows/a.json\n" in ran.out
    assert '+        "actionId": "email.send",\n' in ran.out
    assert "would reformat workflows/a.json" in ran.out
    assert fmt(folder).code == 0
    assert fmt(folder, "--check").code == 0


@pytest.mark.parametrize(
    "data",
    [
        b'{"key": "b", "key": "b"}',
        b"{",
        b"\xef\xbb\xbf{}",
        b"\xff",
        b"[]",
        b'{"format": "gitsync.workflow"}',
        b'{"a": NaN}',
        b"",
        b"<<<<<<< HEAD\n{}\n",
    ],
)
def test_what_cannot_be_read_is_left_alone_and_the_rest_is_formatted(folder: Path, data: bytes) -> None:
    good = put(folder, "a", action(), messy=True)
    bad = folder / "workflows" / "b.json"
    bad.write_bytes(data)

    ran = fmt(folder)

    assert ran.code == 4
    assert "left alone: workflows/b.json" in ran.err
    assert bad.read_bytes() == data
    assert b"\n  " in good.read_bytes()


def test_a_number_that_no_double_holds_is_kept_digit_for_digit(folder: Path) -> None:
    path = put(folder, "a", action())
    text = path.read_text().replace('"steps"', '"odd": 123456789012345678901234567890.5, "steps"', 1)
    path.write_text(text)

    fmt(folder)

    assert '"odd": 123456789012345678901234567890.5,' in path.read_text()


def test_only_the_files_that_are_named_are_written(folder: Path) -> None:
    one, other = put(folder, "a", action(), messy=True), put(folder, "b", action(), messy=True)
    before = other.read_bytes()

    ran = fmt(folder, str(one))

    assert ran.out == "reformatted workflows/a.json\n"
    assert other.read_bytes() == before


def test_a_file_keeps_its_mode_and_a_link_is_not_followed(folder: Path) -> None:
    path = put(folder, "a", action(), messy=True)
    path.chmod(0o755)
    outside = folder / "outside.json"
    shutil.copy(path, outside)
    (folder / "workflows" / "link.json").symlink_to(outside)
    before = outside.read_bytes()

    fmt(folder)

    assert stat.S_IMODE(path.stat().st_mode) == 0o755
    assert outside.read_bytes() == before
    assert not list((folder / "workflows").glob(".gitsync-*"))


def test_json_fits_its_schema(folder: Path) -> None:
    put(folder, "a", action(), messy=True)
    (folder / "workflows" / "b.json").write_text("{")
    schema = json.loads((files("gitsync.schemas") / "fmt.schema.json").read_text())

    ran = fmt(folder, "--check", "-o", "json")

    jsonschema.Draft7Validator(schema).validate(ran.json)
    assert (ran.json["files"], ran.json["changed"]) == (2, ["workflows/a.json"])


def test_a_broken_configuration_stops_it(folder: Path) -> None:
    put(folder, "a", action(), messy=True)
    (folder / "gitsync.yaml").write_text("version: 2\n")

    ran = fmt(folder)

    assert ran.code == 4
    assert "gitsync.yaml:1:10" in ran.err
