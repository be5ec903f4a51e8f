"""The commands as a person types them: results, messages, exit codes, and what they leave on both sides."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from gitsync.cli.main import VERBS
from tests.support.documents import make_definition, make_file, told_metadata
from tests.support.editor import Editor
from tests.support.git import TestRepository, make_repository
from tests.support.loop import Loop, check_schema, gitsync, make_config, make_loop
from tests.support.postgres import libpq_url
from tests.support.product import TENANT
from tests.support.program import PATIENCE, run_program, start_program


def make_bundle(*keys: str, text: str = "from a bundle") -> str:
    """A bundle as the product exports it."""
    entries: list[dict[str, Any]] = []
    for number, key in enumerate(keys):
        own_id = f"00000000-0000-4000-8000-{number:012}"
        entries.append(
            {
                "key": key,
                "metadata": told_metadata(key),
                "dependencies": {
                    "actions": [],
                    "nodeTypes": ["state.set"],
                    "schemaRefs": ["payload.Ticket.v1"],
                },
                "draft": {"draftVersion": 1, "definition": make_definition(key, text, own_id=own_id)},
                "publishedVersions": [
                    {
                        "version": 1,
                        "definition": make_definition(key, "version 1", own_id=own_id),
                        "payloadSchemaJson": None,
                    }
                ],
            }
        )
    bundle = {
        "format": "alga-psa.workflow-bundle",
        "formatVersion": 1,
        "exportedAt": "2026-01-25T12:00:00.000Z",
        "workflows": entries,
    }
    return json.dumps(bundle)


# ---------------------------------------------------------------- the loop, as the manual shows it


def test_a_new_person_gets_from_nothing_to_a_database_in_step(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "new"
    home.mkdir()
    folder.mkdir()
    (home / ".gitconfig").write_text("[user]\nname = A\nemail = a@example.com\n")
    loop = Loop(TestRepository(folder, home), Editor(f"sqlite:///{folder / 'gitsync.db'}"))

    codes = [
        run_program(loop, *arguments).code
        for arguments in (["init", "--example"], ["db", "init"], ["push"], ["status", "--exit-code"])
    ]

    assert codes == [0, 0, 0, 0]
    assert len(loop.repository.git("ls-files", "workflows").splitlines()) >= 6
    assert not loop.repository.git("status", "--porcelain")


def test_a_bundle_is_imported_and_pulled(either: Loop, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.json"
    bundle.write_text(make_bundle("a", "b"))

    imported = check_schema(either.gitsync("import", "-o", "json", "--new-tenant", str(bundle)), "import")
    pulled = either.pull("--commit", "-m", "First pull")

    assert [row["key"] for row in imported["createdWorkflows"]] == ["a", "b"]
    assert [(row["key"], row["versions"]) for row in imported["createdPublishedVersions"]] == [
        ("a", [1]),
        ("b", [1]),
    ]
    assert imported["deletedWorkflows"] == []
    assert pulled.changes == {"a": "create", "b": "create"}
    assert either.repository.git("log", "-1", "--format=%s") == "First pull"
    assert either.states() == {"a": "in-sync", "b": "in-sync"}


def test_an_imported_and_pulled_workflow_that_the_editor_then_changes_is_ahead(
    either: Loop, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.json"
    bundle.write_text(make_bundle("a"))
    assert either.gitsync("import", "--new-tenant", str(bundle)).code == 0
    either.pull("--commit")
    either.editor.save("a", "edited")

    assert either.states() == {"a": "database-ahead"}


def test_an_import_of_a_key_that_exists_writes_nothing(either: Loop, tmp_path: Path) -> None:
    either.commit(b="B1")
    either.push()
    bundle = tmp_path / "bundle.json"
    bundle.write_text(make_bundle("a", "b"))
    before = either.editor.dump()

    ran = either.gitsync("import", str(bundle))

    assert ran.code == 3
    assert "WORKFLOW_KEY_CONFLICT" in ran.err
    assert either.editor.dump() == before


def test_an_import_by_force_replaces_what_exists(either: Loop, tmp_path: Path) -> None:
    either.commit(b="B1")
    either.push()
    before = either.editor.id_of("b")
    bundle = tmp_path / "bundle.json"
    bundle.write_text(make_bundle("a", "b"))

    ran = either.gitsync("import", "--force", "-o", "json", str(bundle))

    value = check_schema(ran, "import")
    assert {row["key"]: row["workflowId"] for row in value["deletedWorkflows"]} == {"b": before}
    assert either.editor.text("b") == "from a bundle"
    assert either.editor.id_of("b") != before


def test_a_push_creates_only_and_lists_every_key_in_the_way(either: Loop) -> None:
    either.commit(a="A1", b="B1", c="C1")
    either.push()
    either.commit(a="A2", b="B2", d="D1")
    before = either.editor.dump()

    ran = either.gitsync("push")

    assert ran.code == 3
    assert "WORKFLOW_KEY_CONFLICT" in ran.err
    assert "a, b" in ran.err
    assert "gitsync push --update" in ran.err
    assert either.editor.dump() == before


def test_an_update_writes_what_only_git_has_moved(either: Loop) -> None:
    either.commit(a="A1", b="B1", c="C1")
    either.push()
    either.commit(a="A2")
    either.editor.save("b", "B2")

    ran = either.push("--update")

    assert ran.changes == {"a": "update"}
    assert [(entry["key"], entry["state"]) for entry in ran.json["left"]] == [("b", "database-ahead")]
    assert either.editor.texts() == {"a": "A2", "b": "B2", "c": "C1"}


def test_both_sides_moved_is_a_conflict_and_both_changes_are_shown_against_the_base(either: Loop) -> None:
    either.commit(a="base text", b="B1")
    either.push()
    either.commit(a="text of git", b="B2")
    either.editor.save("a", "text of the editor")
    before = either.editor.dump()

    pushed = either.gitsync("push", "--update")
    shown = either.gitsync("diff", "a")

    assert pushed.code == 3
    assert "gitsync pull --force a" in pushed.err
    assert either.editor.dump() == before
    assert shown.out.count('-      "description": "base text"') == 2
    assert '+      "description": "text of the editor"' in shown.out
    assert '+      "description": "text of git"' in shown.out


def test_conflicts_can_be_skipped_and_still_be_told(either: Loop) -> None:
    either.commit(a="A1", b="B1")
    either.push()
    either.commit(a="A2", b="B2")
    either.editor.save("a", "A3")

    ran = either.gitsync("push", "--update", "--skip-conflicts")

    assert ran.code == 3
    assert either.editor.texts() == {"a": "A3", "b": "B2"}


def test_drift_can_be_made_an_error(loop: Loop) -> None:
    loop.commit(a="A1", b="B1")
    loop.push()
    loop.commit(b="B2")
    loop.editor.save("a", "A2")

    ran = loop.gitsync("push", "--update", "--fail-on-drift")

    assert ran.code == 3
    assert "DRIFT" in ran.err
    assert loop.editor.texts() == {"a": "A2", "b": "B2"}


def test_a_forced_push_in_place_keeps_the_workflow_id(either: Loop) -> None:
    either.commit(a="A1")
    either.push()
    either.editor.save("a", "A2")
    before = either.editor.id_of("a")

    either.push("--force", "--in-place")

    assert (either.editor.text("a"), either.editor.id_of("a")) == ("A1", before)


def test_a_forced_push_without_in_place_makes_a_new_workflow_id(either: Loop) -> None:
    either.commit(a="A1")
    either.push()
    either.editor.save("a", "A2")
    before = either.editor.id_of("a")

    either.push("--force")

    assert either.editor.text("a") == "A1"
    assert either.editor.id_of("a") != before


def test_calls_between_workflows_of_one_push_are_linked_in_both_directions(either: Loop) -> None:
    either.write_file("a", "A1", calls="key:b")
    either.write_file("b", "B1", calls="key:a")
    either.write_file("c", "C1", calls="key:c")
    either.repository.commit()

    either.push()

    assert set(either.states().values()) == {"in-sync"}
    either.push("--force")
    assert set(either.states().values()) == {"in-sync"}


def test_what_the_editor_makes_without_a_key_is_listed_with_the_reason(either: Loop) -> None:
    workflow_id = either.editor.create(None, "unnamed")

    value = check_schema(either.gitsync("status", "-o", "json"), "status")

    assert [(row["workflowId"], bool(row["reason"])) for row in value["unkeyed"]] == [(workflow_id, True)]
    assert value["workflows"] == []


# ---------------------------------------------------------------- JSON


def test_each_result_in_json_fits_its_schema(either: Loop) -> None:
    either.commit(a="A1", b="B1")
    pushed = check_schema(either.gitsync("push", "-o", "json"), "push")
    either.commit(a="A2", c="C1")
    either.editor.save("b", "B2")
    either.editor.save("d", "D1")

    status = check_schema(either.gitsync("status", "-o", "json"), "status")
    plan = check_schema(either.gitsync("plan", "--update", "-o", "json"), "plan")
    diff = check_schema(either.gitsync("diff", "-o", "json"), "diff")
    pulled = check_schema(either.gitsync("pull", "--commit", "-o", "json"), "pull")
    check_schema(either.gitsync("db", "check", "-o", "json"), "db")
    check_schema(either.gitsync("db", "init", "-o", "json"), "db")

    assert [change["key"] for change in pushed["changes"]] == ["a", "b"]
    assert {row["key"]: row["state"] for row in status["workflows"]} == {
        "a": "repository-ahead",
        "b": "database-ahead",
        "c": "new-in-repository",
        "d": "new-in-database",
    }
    assert {row["key"]: row["action"] for row in plan["changes"]} == {"a": "update", "c": "create"}
    assert [row["key"] for row in diff["workflows"]] == ["a", "b", "c", "d"]
    assert {row["key"]: row["action"] for row in pulled["changes"]} == {"b": "update", "d": "create"}


def test_digests_in_json_are_the_blob_ids_of_the_files(loop: Loop) -> None:
    loop.commit(a="A1")
    blob = loop.repository.git("rev-parse", "HEAD:workflows/a.json")

    pushed = loop.push()
    status = loop.gitsync("status", "-o", "json")

    assert pushed.json["changes"] == [{"key": "a", "action": "create", "before": None, "after": blob}]
    row = status.json["workflows"][0]
    assert (row["repository"], row["database"], row["base"]) == (blob, blob, blob)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["push"], id="push"),
        pytest.param(["push", "--update"], id="push --update"),
        pytest.param(["push", "--update", "--skip-conflicts"], id="push --skip-conflicts"),
        pytest.param(["push", "--update", "--skip-conflicts", "--fail-on-drift"], id="push --fail-on-drift"),
        pytest.param(["pull"], id="pull"),
        pytest.param(["status"], id="status"),
        pytest.param(["plan", "--update", "--exit-code"], id="plan"),
        pytest.param(["diff", "--exit-code"], id="diff"),
        pytest.param(["status", "nothing-like-this"], id="unknown key"),
        pytest.param(["push", "--ref", "nowhere"], id="unknown revision"),
    ],
)
def test_stdout_is_one_json_document_whatever_happens(loop: Loop, arguments: list[str]) -> None:
    loop.commit(a="A1", b="B1", c="C1")
    loop.push()
    loop.commit(a="A2", c="C2")
    loop.editor.save("a", "A3")
    loop.editor.save("b", "B2")

    ran = loop.gitsync(*arguments, "-o", "json")

    value = json.loads(ran.out)
    if value["format"] == "gitsync.error":
        check_schema(ran, "error")


# ---------------------------------------------------------------- exit codes of looking


def test_status_diff_and_plan_exit_0_unless_asked(loop: Loop) -> None:
    loop.commit(a="A1")
    loop.push()
    loop.commit(a="A2")
    loop.editor.save("a", "A3")

    assert [loop.gitsync(verb).code for verb in ("status", "diff", "plan")] == [0, 0, 0]


def test_with_exit_code_nothing_to_do_is_0(loop: Loop) -> None:
    loop.commit(a="A1")
    loop.push()

    assert [loop.gitsync(verb, "--exit-code").code for verb in ("status", "diff", "plan")] == [0, 0, 0]


def test_with_exit_code_changes_are_2(loop: Loop) -> None:
    loop.commit(a="A1")
    loop.push()
    loop.commit(a="A2")

    codes = [
        loop.gitsync(*words, "--exit-code").code for words in (["status"], ["diff"], ["plan", "--update"])
    ]

    assert codes == [2, 2, 2]


def test_with_exit_code_conflicts_are_3(loop: Loop) -> None:
    loop.commit(a="A1")
    loop.push()
    loop.commit(a="A2")
    loop.editor.save("a", "A3")

    codes = [
        loop.gitsync(*words, "--exit-code").code for words in (["status"], ["diff"], ["plan", "--update"])
    ]

    assert codes == [3, 3, 3]


def test_looking_writes_nothing(either: Loop) -> None:
    either.commit(a="A1")
    either.push()
    either.commit(a="A2", b="B1")
    either.editor.save("c", "C1")
    before = either.editor.dump(), either.repository.head

    for arguments in (["status"], ["diff"], ["plan", "--force", "--prune"], ["db", "check"]):
        assert either.gitsync(*arguments).code in {0, 1}

    assert (either.editor.dump(), either.repository.head) == before
    assert not either.repository.git("status", "--porcelain")


# ---------------------------------------------------------------- messages


def test_without_a_repository_the_message_names_init(tmp_path: Path) -> None:
    ran = gitsync("-C", str(tmp_path), "status")

    assert ran.code == 4
    assert "gitsync.yaml" in ran.err
    assert "gitsync init" in ran.err


def test_a_configuration_outside_git_names_init(tmp_path: Path) -> None:
    (tmp_path / "gitsync.yaml").write_text(make_config("sqlite:///x.db"))

    ran = gitsync("-C", str(tmp_path), "status")

    assert ran.code == 1
    assert "not in a git repository" in ran.err
    assert "next: " in ran.err


def test_without_a_configuration_the_message_names_init(repository: TestRepository) -> None:
    ran = gitsync("-C", str(repository.path), "status")

    assert ran.code == 4
    assert "gitsync init" in ran.err


def test_without_a_configuration_the_url_of_the_environment_is_used(
    repository: TestRepository, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'product.db'}"
    variables = {"GITSYNC_DATABASE_URL": url}
    repository.commit_file("workflows/a.json", make_file("a", "A1"))
    loop = Loop(repository, Editor(url))

    codes = [
        loop.gitsync(*words, variables=variables).code for words in (["db", "init"], ["push"], ["status"])
    ]

    assert codes == [0, 0, 0]
    assert loop.editor.texts() == {"a": "A1"}


@pytest.mark.parametrize(
    "url, code, hint",
    [
        pytest.param("sqlite:///nowhere.db", 1, "db init", id="no such file"),
        pytest.param("mysql://user:secret@host/name", 4, "mysql", id="another database"),
        pytest.param("not a url", 4, "scheme", id="no URL"),
        pytest.param("postgresql://user:secret@127.0.0.1:1/name", 1, "127.0.0.1", id="nobody listens"),
        pytest.param("sqlite:///:memory:", 4, "memory", id="in memory"),
    ],
)
def test_a_wrong_url_is_explained_and_its_secret_kept(
    repository: TestRepository, url: str, code: int, hint: str
) -> None:
    repository.commit_file("gitsync.yaml", make_config(url))

    ran = gitsync("-C", str(repository.path), "status")

    assert ran.code == code, ran.err
    assert hint in ran.err
    assert "secret" not in ran.err + ran.out
    assert "internal error" not in ran.err


@pytest.mark.parametrize(
    "text, place, hint",
    [
        pytest.param(
            "version: 1\nenviroments: {}\n", ":2:1", "did you mean 'environments'", id="unknown key"
        ),
        pytest.param("version: 2\n", ":1:", "this gitsync reads 1", id="version"),
        pytest.param("version: 1\nversion: 1\n", ":2:1", "twice", id="a key twice"),
        pytest.param("version: [\n", ":2:1", "", id="no YAML"),
        pytest.param(
            "version: 1\ndefault: prod\nenvironments: {dev: {database: x}}\n", ":2:10", "prod", id="default"
        ),
        pytest.param("version: 1\nlimits: {delete: 30}\n", ":2:18", "30%", id="share"),
        pytest.param("version: 1\nworkflows: ../elsewhere\n", ":2:12", "inside", id="outside"),
    ],
)
def test_a_wrong_configuration_is_named_with_its_place(
    repository: TestRepository, text: str, place: str, hint: str
) -> None:
    repository.commit_file("gitsync.yaml", text)

    ran = gitsync("-C", str(repository.path), "status")

    assert ran.code == 4
    assert f"gitsync.yaml{place}" in ran.err
    assert hint in ran.err


def test_an_environment_that_is_not_there_is_named_with_the_nearest(loop: Loop) -> None:
    ran = loop.gitsync("status", "-e", "dve")

    assert ran.code == 4
    assert "did you mean 'dev'" in ran.err


def test_a_variable_that_is_not_set_is_named_only_where_it_is_needed(loop: Loop) -> None:
    config = loop.repository.git("show", "HEAD:gitsync.yaml")
    loop.repository.write("gitsync.yaml", config + '\n  prod: { database: "${GITSYNC_PROD_URL}" }\n')

    mine, other = loop.gitsync("status"), loop.gitsync("status", "-e", "prod")

    assert mine.code == 0
    assert other.code == 4
    assert "export GITSYNC_PROD_URL=" in other.err


SPOILT = {
    "syntax": (b"{", "INVALID_JSON", "workflows/a.json:1:2"),
    "duplicate key": (
        make_file("a", "A1").replace(b'"key": "a"', b'"key": "a",\n  "key": "a"'),
        "DUPLICATE_JSON_KEY",
        "workflows/a.json:",
    ),
    "unknown field": (
        make_file("a", "A1").replace(b'"key": "a"', b'"key": "a",\n  "kez": 1'),
        None,
        "workflows/a.json",
    ),
    "other key": (make_file("b", "A1"), None, "workflows/a.json"),
    "large number": (
        make_file("a", "A1").replace(
            b'"failureRateMinRuns": 10', b'"failureRateMinRuns": 12345678901234567890'
        ),
        None,
        "workflows/a.json",
    ),
    "unresolved reference": (
        make_file("a", "A1", calls="key:nowhere"),
        "UNRESOLVED_REFERENCE",
        "nowhere",
    ),
    "foreign id": (
        make_file("a", "A1", calls="99999999-0000-4000-8000-000000000000"),
        "UNRESOLVED_REFERENCE",
        "99999999",
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_an_invalid_file_stops_the_push_with_its_place(loop: Loop, name: str) -> None:
    content, rule, hint = SPOILT[name]
    loop.write_file("fine", "F1")
    loop.repository.commit_file("workflows/a.json", content)
    before = loop.editor.dump()

    ran = loop.gitsync("push")
    as_json = loop.gitsync("push", "-o", "json")

    assert (ran.code, as_json.code) == (4, 4)
    assert hint in ran.err
    assert "next: " in ran.err
    problems = check_schema(as_json, "error")["details"]["problems"]
    assert {problem["file"] for problem in problems} == {"workflows/a.json"}
    if rule:
        assert rule in {problem["rule"] for problem in problems}
    assert loop.editor.dump() == before


def test_every_fault_of_every_file_is_reported_together(loop: Loop) -> None:
    for number, (content, _, _) in enumerate(SPOILT.values()):
        loop.repository.write(f"workflows/a{number}.json", content)
    loop.repository.commit("Spoil all")

    ran = loop.gitsync("push", "-o", "json")

    assert ran.code == 4
    assert len({problem["file"] for problem in ran.json["details"]["problems"]}) == len(SPOILT)


def test_an_invalid_file_is_flagged_beside_its_state_and_no_obstacle_to_looking(loop: Loop) -> None:
    loop.commit(a="A1", b="B1")
    loop.push()
    loop.repository.commit_file("workflows/a.json", "{")

    entries = {row["key"]: row for row in loop.gitsync("status", "-o", "json").json["workflows"]}
    assert (entries["a"]["state"], entries["a"]["invalid"]) == ("repository-ahead", True)
    assert (entries["b"]["state"], "invalid" in entries["b"]) == ("in-sync", False)
    assert "invalid: mend the file" in loop.gitsync("status").out
    assert loop.gitsync("diff").code == 0
    assert loop.gitsync("plan").code == 0


def test_a_missing_dependency_is_named_with_what_the_registry_has(loop: Loop) -> None:
    config = loop.repository.git("show", "HEAD:gitsync.yaml")
    loop.repository.write("gitsync.yaml", f"{config}\nregistry: registry.yaml\n")
    loop.repository.write(
        "registry.yaml", "actions: []\nnodeTypes: [state.set]\nschemaRefs: [payload.Tickets.v1]\n"
    )
    loop.commit(a="A1")

    ran = loop.gitsync("push")

    assert ran.code == 4
    assert "MISSING_DEPENDENCIES" in ran.err
    assert "payload.Ticket.v1" in ran.err
    assert loop.editor.texts() == {}


def test_a_registry_that_is_not_committed_is_an_error(loop: Loop) -> None:
    config = loop.repository.git("show", "HEAD:gitsync.yaml")
    loop.repository.commit_file("gitsync.yaml", f"{config}\nregistry: registry.yaml\n")

    ran = loop.gitsync("push")

    assert ran.code == 4
    assert "registry.yaml" in ran.err


def test_a_key_that_matches_nothing_is_an_error(loop: Loop) -> None:
    loop.commit(a="A1")

    ran = loop.gitsync("status", "b*", "c")

    assert ran.code == 1
    assert "b*, c" in ran.err


def test_keys_and_globs_select(loop: Loop) -> None:
    loop.commit(a="A1")
    loop.write_file("billing.one", "1")
    loop.write_file("billing.two", "2")
    loop.repository.commit()

    assert loop.push("billing.*").changes == {"billing.one": "create", "billing.two": "create"}
    assert loop.push("a").changes == {"a": "create"}


# ---------------------------------------------------------------- protections


def twelve(loop: Loop, text: str) -> None:
    """Commit twelve workflows that all say `text`."""
    loop.commit(**{f"w{number:02}": text for number in range(12)})


def test_a_push_that_overwrites_too_much_is_refused_with_the_exact_override(loop: Loop) -> None:
    twelve(loop, "1")
    loop.push()
    twelve(loop, "2")
    before = loop.editor.dump()

    refused = loop.gitsync("push", "--update")
    unchanged = loop.editor.dump() == before
    allowed = loop.gitsync("push", "--update", "--max-overwrites", "12")

    assert (refused.code, unchanged, allowed.code) == (6, True, 0)
    assert "UNSAFE_PLAN" in refused.err
    assert "--max-overwrites 12" in refused.err


def test_a_push_that_deletes_too_much_is_refused_with_the_exact_override(loop: Loop) -> None:
    twelve(loop, "1")
    loop.push()
    loop.commit(**{f"w{number:02}": None for number in range(5)})

    refused = loop.gitsync("push", "--prune")
    allowed = loop.gitsync("push", "--prune", "--max-deletes", "5")

    assert (refused.code, allowed.code) == (6, 0)
    assert "--max-deletes 5" in refused.err
    assert len(loop.editor.texts()) == 7


def test_a_pull_that_deletes_too_much_is_refused_and_overwrites_are_not_counted(loop: Loop) -> None:
    twelve(loop, "1")
    loop.push()
    for number in range(5):
        loop.editor.delete(f"w{number:02}")
    for number in range(5, 12):
        loop.editor.save(f"w{number:02}", "2")

    refused = loop.gitsync("pull", "--prune")
    pulled = loop.pull()
    allowed = loop.gitsync("pull", "--prune", "--max-deletes", "5")

    assert refused.code == 6
    assert "--max-deletes 5" in refused.err
    assert len(pulled.changes) == 7
    assert allowed.code == 0
    assert len(list(loop.path("x").parent.iterdir())) == 7


def test_an_empty_database_empties_no_repository(loop: Loop) -> None:
    loop.commit(a="A1")
    loop.push()
    loop.editor.delete("a")

    ran = loop.gitsync("pull", "--prune")

    assert ran.code == 6
    assert loop.text("a") == "A1"


def test_an_empty_commit_empties_no_database(loop: Loop) -> None:
    loop.commit(a="A1")
    loop.push()
    loop.commit(a=None)

    ran = loop.gitsync("push", "--prune")

    assert ran.code == 6
    assert loop.editor.text("a") == "A1"


def test_off_a_terminal_nothing_is_deleted_without_a_yes(loop: Loop) -> None:
    loop.commit(a="A1", b="B1")
    loop.push()
    loop.commit(a=None)

    asked = gitsync("-C", str(loop.folder), "push", "--prune")
    held = loop.editor.text("a")
    meant = gitsync("-C", str(loop.folder), "push", "--prune", "--yes")

    assert asked.code == 6
    assert "--yes" in asked.err
    assert (held, meant.code, loop.editor.text("a")) == ("A1", 0, None)


def test_uncommitted_edits_are_left_alone_by_a_pull_and_the_rest_is_pulled(loop: Loop) -> None:
    loop.commit(a="A1", b="B1")
    loop.push()
    loop.editor.save("a", "A2")
    loop.editor.save("b", "B2")
    loop.write_file("a", "mine")

    ran = loop.gitsync("pull", "--commit", "-m", "The rest")

    assert ran.code == 3
    assert "UNCOMMITTED_CHANGES" in ran.err
    assert (loop.text("a"), loop.text("b")) == ("mine", "B2")
    assert loop.repository.git("show", "--name-only", "--format=", "HEAD") == "workflows/b.json"


def test_a_pull_by_force_writes_over_an_uncommitted_edit(loop: Loop) -> None:
    loop.commit(a="A1")
    loop.push()
    loop.editor.save("a", "A2")
    loop.write_file("a", "mine")

    loop.pull("--force", "a")

    assert loop.text("a") == "A2"


def test_an_uncommitted_file_that_equals_the_database_is_in_step(loop: Loop) -> None:
    loop.commit(a="A1")
    loop.push()
    loop.editor.save("a", "A2")
    loop.write_file("a", "A2")

    assert loop.pull().changes == {}


def test_a_push_says_how_many_uncommitted_files_it_did_not_send(loop: Loop) -> None:
    loop.commit(a="A1")
    loop.write_file("a", "A2")
    loop.write_file("b", "B1")

    ran = loop.gitsync("push")

    assert ran.code == 0
    assert "2 uncommitted files" in ran.err
    assert loop.editor.texts() == {"a": "A1"}


def test_status_flags_uncommitted_files(loop: Loop) -> None:
    loop.commit(a="A1")
    loop.write_file("a", "A2")

    assert loop.gitsync("status", "-o", "json").json["uncommitted"] == ["a"]


def test_a_pull_with_a_conflict_writes_the_rest_and_exits_3(either: Loop) -> None:
    either.commit(a="A1", b="B1")
    either.push()
    either.commit(a="A2")
    either.editor.save("a", "A3")
    either.editor.save("b", "B2")

    ran = either.gitsync("pull", "--commit", "-m", "The clean one")

    assert ran.code == 3
    assert (either.text("a"), either.text("b")) == ("A2", "B2")
    assert either.repository.git("log", "-1", "--format=%s") == "The clean one"


def test_a_conflict_is_resolved_by_force_for_one_key(either: Loop) -> None:
    either.commit(a="A1", b="B1")
    either.push()
    either.commit(a="A2", b="B2")
    either.editor.save("a", "A3")
    either.editor.save("b", "B3")

    either.pull("--force", "--commit", "a")
    either.push("--force", "b")

    assert (either.text("a"), either.editor.text("b")) == ("A3", "B2")
    assert either.states() == {"a": "in-sync", "b": "in-sync"}


def test_two_rows_with_one_key_are_an_error_that_names_both(tmp_path: Path, postgres_database: str) -> None:
    loop = make_loop(tmp_path, url=postgres_database, tenant=TENANT)
    loop.commit(b="B1")
    loop.push()
    with psycopg.connect(libpq_url(postgres_database), autocommit=True) as connection:
        unique = connection.execute(
            "SELECT indexname FROM pg_indexes WHERE indexdef LIKE '%UNIQUE%' AND indexname NOT LIKE '%pkey'"
            " AND tablename = 'workflow_definitions'"
        ).fetchall()
        for (name,) in unique:
            connection.execute(f'DROP INDEX "{name}"'.encode())
    ids = {loop.editor.create("a", "one"), loop.editor.create("a", "two")}

    for verb in ("status", "pull", "push"):
        ran = loop.gitsync(verb)

        assert ran.code == 1
        assert "DUPLICATE_KEY" in ran.err
        assert all(workflow_id in ran.err for workflow_id in ids)


# ---------------------------------------------------------------- usage


@pytest.mark.parametrize(
    "arguments",
    [
        ["pusch"],
        ["push", "--nonsense"],
        ["push", "--update", "--force"],
        ["push", "--max-deletes", "many"],
        ["pull", "-m", "message without commit"],
        ["status", "-o", "yaml"],
        ["import"],
        ["import", "--update", "--force", "x.json"],
        ["status", "--lock-timeout", "0"],
        ["-C", "/nonexistent", "status"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_64(loop: Loop, arguments: list[str]) -> None:
    ran = loop.gitsync(*arguments)

    assert ran.code == 64
    assert "Usage:" in ran.err
    assert ran.out == ""


def test_a_mistyped_verb_names_the_nearest() -> None:
    assert "did you mean 'push'" in gitsync("pusch").err


def test_common_options_are_accepted_before_and_after_the_verb(loop: Loop) -> None:
    loop.commit(a="A1")
    folder = str(loop.folder)

    before = gitsync("-C", folder, "-o", "json", "-e", "dev", "status")
    after = gitsync("status", "-C", folder, "-o", "json", "-e", "dev")

    assert before == after
    assert before.code == 0
    assert json.loads(before.out)["environment"] == "dev"


def test_a_group_takes_common_options_in_all_three_places(loop: Loop) -> None:
    folder = str(loop.folder)

    found = [
        gitsync("-C", folder, "-o", "json", "db", "check"),
        gitsync("db", "-C", folder, "-o", "json", "check"),
        gitsync("db", "check", "-C", folder, "-o", "json"),
    ]

    assert found[0] == found[1] == found[2]
    assert found[0].json["format"] == "gitsync.db"


@pytest.mark.parametrize("verb", VERBS)
def test_each_command_has_help_with_examples(verb: str) -> None:
    ran = gitsync(verb, "--help")

    assert ran.code == 0
    assert ran.err == ""
    assert verb == "db" or f"gitsync {verb}" in ran.out.partition("Examples:")[2]


def test_quiet_leaves_the_result_alone(loop: Loop) -> None:
    loop.commit(a="A1")

    ran = loop.gitsync("push", "-q")

    assert (ran.code, ran.err) == (0, "")
    assert "create" in ran.out


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}, {"TERM": "xterm-256color"}], ids=str)
def test_a_pipe_gets_no_colours(loop: Loop, variables: dict[str, str]) -> None:
    loop.commit(a="A1")
    loop.push()
    loop.commit(a="A2")

    found = [run_program(loop, *words, variables=variables) for words in (["status"], ["diff"], ["push"])]

    assert not any("\x1b" in ran.out + ran.err for ran in found)


def test_no_color_wins_over_a_forced_terminal(loop: Loop) -> None:
    loop.commit(a="A1")

    ran = run_program(
        loop, "status", variables={"NO_COLOR": "1", "FORCE_COLOR": "1", "TERM": "xterm-256color"}
    )

    assert "\x1b[3" not in ran.out


def test_a_reader_that_stops_reading_is_no_error(loop: Loop) -> None:
    twelve(loop, "1")
    process = start_program(loop, ["diff"]).process
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()

    err = process.stderr.read()
    process.wait(timeout=PATIENCE)
    process.stderr.close()

    assert "Traceback" not in err
    assert "internal error" not in err


# ---------------------------------------------------------------- rights, secrets, two at once


def test_secrets_are_masked_everywhere(tmp_path: Path, postgres_database: str) -> None:
    url = make_url(postgres_database).set(password="hunter2").render_as_string(hide_password=False)
    loop = make_loop(tmp_path, url=url, tenant=TENANT)
    loop.commit(a="A1")
    commands = [
        ["push", "--new-tenant"],
        ["status"],
        ["plan"],
        ["diff"],
        ["pull"],
        ["db", "check"],
        ["db", "init"],
        ["-v", "status"],
        ["-o", "json", "status"],
    ]

    found = [run_program(loop, *words) for words in commands]

    assert [ran.code for ran in found] == [0] * len(commands), [ran.err for ran in found]
    assert not any("hunter2" in ran.out + ran.err for ran in found)


def test_a_role_that_may_only_read_looks_and_pulls_but_cannot_push(
    tmp_path: Path, postgres_database: str
) -> None:
    loop = make_loop(tmp_path, url=postgres_database, tenant=TENANT)
    loop.commit(a="A1", b="B1")
    loop.push()
    loop.editor.save("a", "A2")
    loop.commit(c="C1")
    role = f"reader_{os.getpid()}"
    with psycopg.connect(libpq_url(postgres_database), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN".encode())
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}".encode())
    try:
        reader = make_url(postgres_database).set(username=role).render_as_string(hide_password=False)
        loop.repository.commit_file("gitsync.yaml", make_config(reader, tenant=TENANT))
        before = loop.editor.dump()

        status, pulled, pushed = loop.states(), loop.pull("--commit"), loop.gitsync("push")
        again = loop.states()

        assert status == {"a": "database-ahead", "b": "in-sync", "c": "new-in-repository"}
        assert pulled.changes == {"a": "update"}
        assert pushed.code == 9
        assert "ACCESS_DENIED" in pushed.err
        assert again == {"a": "in-sync", "b": "in-sync", "c": "new-in-repository"}
        assert loop.editor.dump() == before
    finally:
        with psycopg.connect(libpq_url(postgres_database), autocommit=True) as connection:
            connection.execute(f"DROP OWNED BY {role}".encode())
            connection.execute(f"DROP ROLE {role}".encode())


def test_two_pushes_at_once_never_make_a_mixture(either: Loop) -> None:
    keys = [f"w{number:02}" for number in range(40)]
    either.commit(**dict.fromkeys(keys, "0"))
    either.push()
    one = either.commit(**dict.fromkeys(keys, "1"))
    either.repository.git("switch", "--quiet", "--create", "other", "HEAD~1")
    other = either.commit(**dict.fromkeys(keys, "2"))
    options = ["push", "--update", "--max-overwrites", "40", "--ref"]

    running = [start_program(either, [*options, commit]) for commit in (one, other)]
    ended = [program.end() for program in running]

    codes = sorted(ran.code for ran in ended)
    held = set(either.editor.texts().values())
    assert not any("Traceback" in ran.err for ran in ended)
    assert codes[0] == 0
    assert codes[1] in {3, 5, 7}, ended  # 3: the second began after the first had ended
    assert held in ({"1"}, {"2"})
    winner = next(number for number, ran in enumerate(ended) if ran.code == 0)
    assert held == {str(winner + 1)}


def test_two_equal_pushes_at_once_leave_each_workflow_once(either: Loop) -> None:
    keys = [f"w{number:02}" for number in range(40)]
    either.commit(**dict.fromkeys(keys, "1"))

    running = [start_program(either, ["push"]) for _ in range(2)]
    ended = [program.end() for program in running]

    codes = sorted(ran.code for ran in ended)
    assert codes[0] == 0, ended
    assert codes[1] in {0, 5, 7}, ended
    assert sorted(either.editor.texts()) == keys
    assert set(either.states().values()) == {"in-sync"}
    rows = [row for row in either.editor.dump() if row[0] == "workflow_definitions"]
    assert len(rows) == len(keys)


def test_a_folder_that_holds_something_already_is_not_overwritten_by_init(loop: Loop) -> None:
    before = (loop.folder / "gitsync.yaml").read_bytes()

    ran = loop.gitsync("init", "--example")

    assert ran.code == 4
    assert (loop.folder / "gitsync.yaml").read_bytes() == before
    assert not (loop.folder / "registry.yaml").exists()


def test_init_makes_a_repository_where_there_is_none(tmp_path: Path) -> None:
    ran = gitsync("-C", str(tmp_path), "init")

    assert ran.code == 0
    assert (tmp_path / ".git").is_dir()
    assert (tmp_path / "workflows").is_dir()
    assert gitsync("-C", str(tmp_path), "status").code == 1  # the database is made by db init
    assert gitsync("-C", str(tmp_path), "db", "init").code == 0
    assert gitsync("-C", str(tmp_path), "status").code == 0


def test_a_push_without_the_ledger_names_db_init(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "other")
    loop = make_loop(tmp_path)
    loop.commit(a="A1")
    with loop.editor.connection() as connection:
        for name in ("gitsync_deployment_items", "gitsync_deployments", "gitsync_alembic_version"):
            connection.exec_driver_sql(f"DROP TABLE {name}")

    status, pushed = loop.gitsync("status"), loop.gitsync("push")

    assert repository.path.is_dir()
    assert status.code == 0
    assert pushed.code == 1
    assert "db init" in pushed.err
    assert loop.editor.texts() == {}
