"""Bundles on the command line: export from both sides, import with every check, split and join."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gitsync.workflow.bundle import offline_id
from gitsync.workflow.canonical import canonical_bytes
from gitsync.workflow.types import Key
from tests.support.documents import make_file
from tests.support.loop import Loop, Ran

AT = "2026-01-31T12:00:00Z"


def succeeded(ran: Ran) -> Ran:
    assert ran.code == 0, ran.err
    return ran


def check_result(ran: Ran, name: str) -> dict[str, Any]:
    schema = json.loads((files("gitsync.schemas") / f"{name}.schema.json").read_text())
    jsonschema.Draft7Validator(schema).validate(ran.json)
    return ran.json


def export(loop: Loop, *arguments: str) -> dict[str, Any]:
    """The bundle that an export with `arguments` prints."""
    value: dict[str, Any] = json.loads(succeeded(loop.gitsync("export", "--exported-at", AT, *arguments)).out)
    schema = json.loads((files("gitsync.schemas") / "bundle.v1.schema.json").read_text())
    jsonschema.Draft7Validator(schema).validate(value)
    return value


def definition_of(bundle: dict[str, Any], key: str) -> dict[str, Any]:
    (entry,) = [entry for entry in bundle["workflows"] if entry["key"] == key]
    definition: dict[str, Any] = entry["draft"]["definition"]
    return definition


def write_bundle(path: Path, bundle: dict[str, Any]) -> str:
    path.write_bytes(canonical_bytes(bundle))
    return str(path)


def test_an_export_holds_what_was_asked_for_and_equal_exports_are_equal_bytes(
    either: Loop, tmp_path: Path
) -> None:
    for key in ("billing.b", "billing.a", "other"):
        either.editor.save(key, key.upper())
    either.editor.create(None, "without a key")

    first = succeeded(either.gitsync("export", "billing.*", "--exported-at", AT))
    ran = either.gitsync("export", "--all", "--exported-at", AT, "--out", "all.json", "-o", "json")
    second = succeeded(either.gitsync("export", "billing.b", "billing.a", "--exported-at", AT))

    assert first.out == second.out
    assert [entry["key"] for entry in json.loads(first.out)["workflows"]] == ["billing.a", "billing.b"]
    result = check_result(succeeded(ran), "export")
    assert [row["key"] for row in result["workflows"]] == ["billing.a", "billing.b", "other"]
    assert result["workflows"][2]["workflowId"] == either.editor.id_of("other")
    assert "left out" in result["warnings"][0]
    whole = (either.folder / "all.json").read_bytes()
    assert whole == canonical_bytes(json.loads(whole))
    assert json.loads(whole)["exportedAt"] == AT


def test_an_exported_call_has_the_id_of_the_workflow_that_it_calls(either: Loop) -> None:
    either.editor.save("a", "A")
    either.editor.save("b", "B", calls=either.editor.id_of("a"))

    bundle = export(either, "--all")

    assert definition_of(bundle, "a")["id"] == either.editor.id_of("a")
    assert definition_of(bundle, "b")["steps"][1]["workflowId"] == either.editor.id_of("a")


def test_an_export_from_a_commit_needs_no_database_and_has_ids_made_of_the_keys(loop: Loop) -> None:
    loop.write_file("b", "B", calls="key:a")
    loop.commit(a="A1")
    loop.write_file("a", "not committed")
    (loop.repository.path.parent / "product.db").unlink()

    bundle = export(loop, "--all", "--from-repo")

    assert definition_of(bundle, "a")["description"] == "A1"
    assert definition_of(bundle, "a")["id"] == offline_id(Key("a"))
    assert definition_of(bundle, "b")["steps"][1]["workflowId"] == offline_id(Key("a"))


def test_an_export_of_an_older_commit(loop: Loop) -> None:
    first = loop.commit(a="A1")
    loop.commit(a="A2")

    bundle = export(loop, "a", "--from-repo", "--ref", first)

    assert definition_of(bundle, "a")["description"] == "A1"


def test_an_export_from_a_commit_names_every_fault_of_every_file(loop: Loop) -> None:
    loop.write_file("a", "A")
    loop.path("b").write_text("{")
    loop.path("c").write_bytes(make_file("d", "D"))
    loop.repository.commit("Break two files")

    ran = loop.gitsync("export", "--all", "--from-repo", "--out", "x.json")

    assert ran.code == 4
    assert "b.json:1" in ran.err
    assert "KEY_MISMATCH" in ran.err
    assert not (loop.folder / "x.json").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="nothing-named"),
        pytest.param(["a", "--all"], id="both"),
        pytest.param(["a", "--ref", "HEAD"], id="ref-alone"),
        pytest.param(["a", "--exported-at", "yesterday"], id="no-time"),
    ],
)
def test_an_export_that_says_too_little_or_too_much_is_a_usage_error(
    loop: Loop, arguments: list[str]
) -> None:
    assert loop.gitsync("export", *arguments).code == 64


def test_an_export_of_nothing_is_refused(loop: Loop) -> None:
    assert loop.gitsync("export", "--all").code == 6
    assert loop.gitsync("export", "--all", "--from-repo").code == 6
    assert loop.gitsync("export", "nobody").code == 1


def test_an_export_into_a_folder_that_is_not_there_is_an_error(loop: Loop) -> None:
    loop.editor.save("a", "A")

    ran = loop.gitsync("export", "a", "--out", "missing/x.json")

    assert ran.code == 1
    assert "CANNOT_WRITE" in ran.err


def test_what_a_bundle_calls_between_its_entries_is_linked_to_the_new_ids(
    either: Loop, tmp_path: Path
) -> None:
    either.editor.save("a", "A")
    either.editor.save("b", "B", calls=either.editor.id_of("a"))
    bundle = export(either, "--all")
    old = either.editor.id_of("a")
    for key in ("a", "b"):
        either.editor.delete(key)

    succeeded(either.gitsync("import", "--new-tenant", write_bundle(tmp_path / "x.json", bundle)))

    again = export(either, "--all")
    assert either.editor.id_of("a") != old
    assert definition_of(again, "b")["steps"][1]["workflowId"] == either.editor.id_of("a")


def test_an_id_that_two_entries_share_links_nothing_and_is_a_warning(either: Loop, tmp_path: Path) -> None:
    either.commit(a="A", b="B")
    either.write_file("c", "C", calls="key:a")
    either.repository.commit("Add a caller")
    bundle = export(either, "--all", "--from-repo")
    shared = definition_of(bundle, "a")["id"]
    definition_of(bundle, "b")["id"] = shared

    ran = either.gitsync("import", "--new-tenant", write_bundle(tmp_path / "x.json", bundle))

    succeeded(ran)
    assert f"warning: the id {shared} is shared by a, b" in ran.err
    assert f"warning: c calls the workflow {shared}" in ran.err
    assert definition_of(export(either, "c"), "c")["steps"][1]["workflowId"] == shared


def test_an_import_lists_every_conflict_the_first_with_its_id(either: Loop, tmp_path: Path) -> None:
    for key in ("a", "b"):
        either.editor.save(key, key)
    bundle = export(either, "--all")
    before = either.editor.dump()

    ran = either.gitsync("import", write_bundle(tmp_path / "x.json", bundle), "-o", "json")

    assert ran.code == 3
    details = check_result(ran, "error")["details"]
    assert (details["workflowKey"], details["existingWorkflowId"]) == ("a", either.editor.id_of("a"))
    assert [(row["key"], row["existingWorkflowId"]) for row in details["conflicts"]] == [
        ("a", either.editor.id_of("a")),
        ("b", either.editor.id_of("b")),
    ]
    assert either.editor.dump() == before


def test_an_import_checks_declared_and_derived_dependencies_together(either: Loop, tmp_path: Path) -> None:
    either.repository.write(
        "registry.yaml", "actions: [email.send@1]\nnodeTypes: [state.set]\nschemaRefs: []\n"
    )
    config = (either.folder / "gitsync.yaml").read_text()
    (either.folder / "gitsync.yaml").write_text(config + "registry: registry.yaml\n")
    either.commit(a="A", b="B")
    bundle = export(either, "--all", "--from-repo")
    declared = bundle["workflows"][0]["dependencies"]
    declared["actions"] = [{"actionId": "email.send", "version": 1}, {"actionId": "sms.send", "version": 2}]
    declared["nodeTypes"] = ["control.if", "other.node"]
    declared["schemaRefs"] = []  # under-declared: the definitions need payload.Ticket.v1

    ran = either.gitsync("import", "--new-tenant", write_bundle(tmp_path / "x.json", bundle), "-o", "json")

    assert ran.code == 4
    error = check_result(ran, "error")
    assert error["code"] == "MISSING_DEPENDENCIES"
    details = error["details"]
    assert details["missingByWorkflow"] == [
        {
            "workflowKey": "a",
            "missingActions": [{"actionId": "sms.send", "version": 2}],
            "missingNodeTypes": ["other.node"],
            "missingSchemaRefs": ["payload.Ticket.v1"],
        },
        {
            "workflowKey": "b",
            "missingActions": [],
            "missingNodeTypes": [],
            "missingSchemaRefs": ["payload.Ticket.v1"],
        },
    ]
    assert details["missingActions"] == [{"actionId": "sms.send", "version": 2}]
    assert details["missingSchemaRefs"] == ["payload.Ticket.v1"]
    places = {(problem["path"], problem["line"] > 1) for problem in details["problems"]}
    assert ("$.workflows[0].dependencies", True) in places
    assert ("$.workflows[1].draft.definition.payloadSchemaRef", True) in places


def test_a_call_by_key_that_leads_nowhere_is_an_error(loop: Loop, tmp_path: Path) -> None:
    loop.commit(a="A")
    bundle = export(loop, "--all", "--from-repo")
    step = {"id": "s", "type": "control.callWorkflow", "workflowId": "key:nobody", "workflowVersion": 1}
    definition_of(bundle, "a")["steps"].append(step)

    ran = loop.gitsync("import", write_bundle(tmp_path / "x.json", bundle))

    assert ran.code == 4
    assert "UNRESOLVED_REFERENCE" in ran.err
    assert "$.workflows[0].draft.definition.steps[1].workflowId" in ran.err


def test_a_dry_import_checks_all_and_writes_nothing(either: Loop, tmp_path: Path) -> None:
    either.commit(a="A")
    path = write_bundle(tmp_path / "x.json", export(either, "--all", "--from-repo"))
    before = either.editor.dump()

    ran = either.gitsync("import", path, "--dry-run", "--new-tenant", "-o", "json")

    assert check_result(succeeded(ran), "import")["dryRun"] is True
    assert ran.changes == {"a": "create"}
    assert either.editor.dump() == before


def test_an_import_in_place_keeps_the_id(either: Loop, tmp_path: Path) -> None:
    either.editor.save("a", "A")
    before = either.editor.id_of("a")
    bundle = export(either, "a")
    definition_of(bundle, "a")["description"] = "changed"

    path = write_bundle(tmp_path / "x.json", bundle)
    succeeded(either.gitsync("import", "--force", "--in-place", path))

    assert either.editor.id_of("a") == before
    assert either.editor.text("a") == "changed"


def test_an_import_that_changes_nothing_writes_nothing(either: Loop, tmp_path: Path) -> None:
    either.editor.save("a", "A")
    path = write_bundle(tmp_path / "x.json", export(either, "a"))
    before = either.editor.dump()

    ran = succeeded(either.gitsync("import", "--force", path))

    assert "nothing to import" in ran.out
    assert either.editor.dump() == before


def test_a_bundle_that_cannot_be_read_is_an_error(loop: Loop) -> None:
    assert loop.gitsync("import", "nowhere.json").code == 1
    assert loop.gitsync("bundle", "split", "nowhere.json").code == 1


def test_a_bundle_is_split_into_files_and_joined_again(loop: Loop, tmp_path: Path) -> None:
    loop.write_file("b", "B", calls="key:a")
    loop.commit(a="A")
    joined = succeeded(loop.gitsync("bundle", "join", "--exported-at", AT)).out
    before = {key: loop.path(key).read_bytes() for key in ("a", "b")}
    (tmp_path / "x.json").write_text(joined)
    for key in before:
        loop.path(key).unlink()

    ran = loop.gitsync("bundle", "split", str(tmp_path / "x.json"), "-o", "json")

    assert check_result(succeeded(ran), "split")["warnings"] == []
    assert ran.changes == {"a": "create", "b": "create"}
    assert {key: loop.path(key).read_bytes() for key in ("a", "b")} == before
    assert succeeded(loop.gitsync("bundle", "join", "--exported-at", AT)).out == joined
    assert succeeded(loop.gitsync("export", "--all", "--from-repo", "--exported-at", AT)).out == joined


def test_split_overwrites_a_file_by_force_only(loop: Loop, tmp_path: Path) -> None:
    loop.commit(a="A1", b="B1")
    path = write_bundle(tmp_path / "x.json", export(loop, "--all", "--from-repo"))
    loop.write_file("a", "edited, and in no commit")
    edited = loop.path("a").read_bytes()

    refused = loop.gitsync("bundle", "split", path)
    forced = loop.gitsync("bundle", "split", path, "--force", "-o", "json")

    assert refused.code == 3
    assert "a.json" in refused.err
    assert edited != loop.path("a").read_bytes()
    assert forced.changes == {"a": "update"}
    assert loop.text("a") == "A1"


def test_join_names_every_fault_of_every_file(loop: Loop) -> None:
    loop.write_file("a", "A")
    loop.path("b").write_text("{")
    (loop.folder / "workflows" / "Not A Key.json").write_bytes(make_file("c", "C"))

    ran = loop.gitsync("bundle", "join", "--out", "x.json")

    assert ran.code == 4
    assert "b.json:1" in ran.err
    assert "INVALID_KEY" in ran.err
    assert not (loop.folder / "x.json").exists()


def test_split_and_join_work_in_any_folder(tmp_path: Path) -> None:
    from tests.support.loop import gitsync

    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.json").write_bytes(make_file("a", "A", versions=[1, 3]))

    arguments = ["-C", str(tmp_path), "bundle"]
    joined = gitsync(*arguments, "join", "--folder", "files", "--out", "x.json")
    split = gitsync(*arguments, "split", "x.json", "--folder", "other/deep")

    assert (joined.code, split.code) == (0, 0)
    assert (tmp_path / "other/deep/a.json").read_bytes() == (tmp_path / "files/a.json").read_bytes()
