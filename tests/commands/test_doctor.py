"""``gitsync doctor``: everything that is amiss at once, each with its cure, and nothing is written."""

from __future__ import annotations

import json
import os
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests.support.git import TestRepository, make_repository
from tests.support.loop import Loop, gitsync, make_config, make_loop, second_clone
from tests.support.postgres import libpq_url
from tests.support.product import ACTOR, TENANT


def examine(folder: Path, *arguments: str, **variables: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """The exit code, and section/name → level and text with cure, of the findings; the worst of one name."""
    ran = gitsync("-C", str(folder), "doctor", "-o", "json", *arguments, variables=variables)
    schema = json.loads((files("gitsync.schemas") / "doctor.schema.json").read_text())
    value: dict[str, Any] = ran.json
    jsonschema.Draft7Validator(schema).validate(value)
    found: dict[str, tuple[str, str]] = {}
    for row in value["findings"]:
        name = f"{row['section']}/{row['name']}"
        assert (row["level"] == "ok") is (row["cure"] is None), f"{name} has no cure, or one for nothing"
        if found.get(name, ("ok", ""))[0] == "ok":
            found[name] = (row["level"], f"{row['message']} -> {row['cure']}")
    assert ran.code == (1 if value["errors"] else 0)
    return ran.code, found


def amiss(found: dict[str, tuple[str, str]]) -> dict[str, str]:
    """Name → level of what isn't well."""
    return {name: level for name, (level, _) in found.items() if level != "ok"}


UNCONFIGURED = {"database/actor": "warning", "database/authors": "warning"}
"""What a loop of the tests always lacks: an actor, and so the authors."""


def test_where_there_is_nothing_that_is_said_and_how_to_begin(tmp_path: Path) -> None:
    code, found = examine(tmp_path)

    assert code == 1
    assert amiss(found) == {"git/repository": "error", "configuration/file": "error"}
    assert "gitsync init" in found["configuration/file"][1]
    assert found["git/version"][0] == "ok"


def test_a_sound_loop_has_nothing_amiss_and_nothing_is_written(loop: Loop) -> None:
    loop.commit(a="A1", b="B1")
    loop.push()
    dump = loop.editor.dump()
    index = (loop.repository.path / ".git" / "index").stat().st_mtime_ns

    code, found = examine(loop.folder)

    assert code == 0
    assert amiss(found) == UNCONFIGURED
    assert found["both sides/states"][1].startswith("2 in-sync")
    assert loop.editor.dump() == dump
    assert (loop.repository.path / ".git" / "index").stat().st_mtime_ns == index


def test_as_text_each_section_has_its_findings_and_the_cures_stand_below(loop: Loop) -> None:
    loop.commit(a="A1")

    ran = loop.gitsync("doctor")

    sections = [line for line in ran.out.splitlines() if line and not line.startswith(" ")]
    assert sections == ["git", "configuration", "database", "both sides", "1 warning"]
    assert "  warning  actor: " in ran.out
    assert "GITSYNC_ACTOR" in ran.out.partition("actor: ")[2].splitlines()[1]


def test_a_database_that_is_not_there_stops_no_other_look(loop: Loop) -> None:
    loop.commit(a="A1")
    loop.repository.write("gitsync.yaml", make_config("postgresql://someone:canary@127.0.0.1:1/none"))

    code, found = examine(loop.folder)

    assert code == 1
    assert found["database/connection"][0] == "error"
    assert found["git/workflows"][0] == "ok"
    assert found["configuration/uncommitted"][0] == "warning"
    assert found["configuration/environment dev"][0] == "warning"
    assert "canary" not in str(found)


def test_each_fault_of_a_configuration_is_told_and_git_is_looked_at(loop: Loop) -> None:
    loop.repository.write("gitsync.yaml", "version: 2\nenvironments:\n  dev: { databse: x }\n")

    ran = loop.gitsync("doctor", "-o", "json")

    rows = [row for row in ran.json["findings"] if row["section"] == "configuration"]
    assert len(rows) == 3
    assert {row["level"] for row in rows} == {"error"}
    assert any(row["section"] == "git" for row in ran.json["findings"])


def test_every_environment_is_expanded_or_it_says_why_not(loop: Loop) -> None:
    config = {
        "dev": {"database": "sqlite:///x.db"},
        "prod": {"database": "${GITSYNC_PROD_URL}"},
        "there": {"database": "${GITSYNC_THERE_URL}"},
    }
    loop.repository.write("gitsync.yaml", f"version: 1\ndefault: prod\nenvironments: {json.dumps(config)}\n")

    _, found = examine(loop.folder, GITSYNC_THERE_URL="sqlite:///y.db")
    code, by_option = examine(loop.folder, "-e", "dev")

    assert found["configuration/environment"][0] == "error"
    assert "export GITSYNC_PROD_URL" in found["configuration/environment"][1]
    assert found["configuration/environment dev"][0] == "ok"
    assert found["configuration/environment there"][0] == "ok"
    assert not any(name.startswith("database/") for name in found)
    assert by_option["configuration/environment"][1].startswith("dev (by -e): sqlite:///x.db")
    assert by_option["configuration/environment prod"][0] == "warning"
    assert code == 1  # the file is not there


def test_a_url_in_the_environment_needs_no_file(tmp_path: Path, loop: Loop) -> None:
    other = make_repository(tmp_path / "other")
    other.commit("Begin", allow_empty=True)

    code, found = examine(other.path, GITSYNC_DATABASE_URL=str(loop.editor._engine.url), GITSYNC_ACTOR=ACTOR)

    assert code == 0
    assert amiss(found) == {"git/workflows": "warning"}
    assert "by GITSYNC_DATABASE_URL" in found["configuration/environment"][1]


def test_a_bare_repository_is_looked_at_by_its_head(loop: Loop, tmp_path: Path) -> None:
    loop.commit(a="A1")
    loop.push()
    loop.repository.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    bare = TestRepository(tmp_path / "bare.git", loop.repository.home)
    bare.git("config", "user.name", "A Job")
    bare.git("config", "user.email", "job@example.com")

    code, found = examine(bare.path)

    assert code == 0
    assert amiss(found) == UNCONFIGURED
    assert "(bare)" in found["git/repository"][1]


def test_a_configuration_in_a_subfolder_leads_to_its_own_files(tmp_path: Path) -> None:
    loop = make_loop(tmp_path, prefix="flows/prod")
    loop.commit(a="A1")
    configuration = loop.folder / "gitsync.yaml"
    configuration.write_text(configuration.read_text() + "# edited\n")

    _, found = examine(loop.folder)

    assert found["git/workflows"][1].startswith("1 file in flows/prod/workflows")
    assert "flows/prod/gitsync.yaml" in found["configuration/uncommitted"][1]


HAZARDS = {
    "autocrlf": ("attributes", "git config core.autocrlf true"),
    "safecrlf": ("attributes", "git config core.autocrlf true && git config core.safecrlf true"),
    "eol": ("attributes", "echo '*.json text eol=crlf' > .gitattributes"),
    "filter": ("attributes", "echo '*.json filter=lfs' > .gitattributes"),
    "encoding": ("attributes", "echo '*.json working-tree-encoding=UTF-16' > .gitattributes"),
    "merge-driver": ("merge driver", "echo '*.json binary' > .gitattributes"),
    "ignored": ("ignored", "echo '*.json' > .gitignore"),
    "unwatched": ("unwatched", "git update-index --assume-unchanged workflows/a.json"),
    "replaced": ("replaced objects", "git replace HEAD~1 HEAD"),
    "grafts": ("grafts", "mkdir -p .git/info && git rev-parse HEAD > .git/info/grafts"),
    "unfinished": ("unfinished", "git rev-parse HEAD > .git/MERGE_HEAD"),
    "rebase": ("unfinished", "mkdir .git/rebase-merge"),
    "identity": (
        "identity",
        "git config --unset user.name && git config --unset user.email && git config user.useConfigOnly true",
    ),
    "partial": ("partial clone", "git config remote.origin.promisor true"),
}


@pytest.mark.parametrize("hazard", HAZARDS)
def test_what_in_a_repository_could_mislead_is_found(loop: Loop, hazard: str) -> None:
    name, script = HAZARDS[hazard]
    loop.commit(a="A1")
    loop.repository.git("-c", f"alias.x=!{script}", "x")

    code, found = examine(loop.folder)

    assert code == 0
    assert {k: v for k, v in amiss(found).items() if k.startswith("git/")} == {f"git/{name}": "warning"}


def test_the_cure_of_the_attributes_cures(loop: Loop) -> None:
    loop.commit(a="A1")
    for setting in ("core.autocrlf", "core.safecrlf"):
        loop.repository.git("config", setting, "true")
    loop.repository.write(".gitattributes", "*.json filter=lfs ident eol=crlf merge=ours\n")
    for _ in range(2):
        _, found = examine(loop.folder)
        for name in ("attributes", "merge driver"):
            if found.get(f"git/{name}", ("ok", ""))[0] == "warning":
                command = found[f"git/{name}"][1].partition("-> `")[2].partition("`")[0]
                loop.repository.git("-c", f"alias.x=!{command}", "x")

    assert not {"git/attributes", "git/merge driver"} & amiss(found).keys()


def test_settings_in_variables_count_and_are_named(loop: Loop) -> None:
    settings = {"user.name": "Deploy Bot", "user.email": "bot@example.com"}
    variables = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (name, value) in enumerate(settings.items()):
        loop.repository.git("config", "--unset", name)
        variables |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    loop.repository.git("config", "user.useConfigOnly", "true")

    _, without = examine(loop.folder)
    _, found = examine(loop.folder, **variables)

    assert without["git/identity"][0] == "warning"
    assert found["git/identity"][0] == "ok"
    assert "GIT_CONFIG_COUNT" in found["git/settings"][1]
    assert "git/variables" not in found


def test_variables_that_lead_git_elsewhere_are_named_and_not_followed(loop: Loop, tmp_path: Path) -> None:
    loop.commit(a="A1")

    code, found = examine(loop.folder, GIT_DIR=str(tmp_path / "elsewhere"))

    assert code == 0
    assert amiss(found)["git/variables"] == "warning"
    assert found["git/workflows"][1].startswith("1 file")


def test_a_hook_is_mentioned_and_a_stray_file_is_an_error(loop: Loop) -> None:
    loop.repository.write(".git/hooks/pre-commit", "#!/bin/sh\n").chmod(0o755)
    loop.repository.write("workflows/Not A Key.json", "{}")
    loop.repository.git("add", ".")
    loop.repository.git("commit", "-q", "--no-verify", "-m", "Stray")

    code, found = examine(loop.folder)

    assert code == 1
    assert found["git/hooks"][1].startswith("pre-commit; they run for your commits")
    assert found["git/stray file"][0] == "error"


def test_a_shallow_clone_says_what_it_cannot_tell(loop: Loop, tmp_path: Path) -> None:
    loop.commit(a="A1")
    loop.push()
    loop.editor.save("a", "A2")
    loop.commit(a="A3")
    shallow = second_clone(loop, tmp_path / "shallow", "--depth=1")

    _, found = examine(shallow.folder)

    assert found["git/history"][0] == "warning"
    assert "1 commit" in found["git/history"][1]
    assert "git fetch --unshallow" in found["git/history"][1]
    assert found["both sides/unknown"][0] == "warning"
    assert found["both sides/deployed commits"][0] == "warning"


def test_a_ledger_that_knows_nothing_of_what_is_in_step_was_lost(loop: Loop) -> None:
    loop.commit(a="A1")
    loop.push()
    loop.editor.forget()

    _, found = examine(loop.folder)
    loop.push()
    _, after = examine(loop.folder)

    assert found["both sides/empty ledger"][0] == "warning"
    assert "gitsync push" in found["both sides/empty ledger"][1]
    assert "both sides/empty ledger" not in after


def test_a_commit_that_was_deployed_from_elsewhere_is_missed(loop: Loop, tmp_path: Path) -> None:
    loop.commit(a="A1")
    other = second_clone(loop, tmp_path / "other")
    deployed = other.commit(a="A2")
    other.push("--update")

    _, found = examine(loop.folder)

    level, text = found["both sides/deployed commits"]
    assert level == "warning"
    assert f"git fetch origin {deployed}" in text


def test_a_diverged_workflow_is_named_with_the_way_to_merge_it(loop: Loop) -> None:
    loop.commit(a="A1")
    loop.push()
    loop.editor.save("a", "A2")
    loop.commit(a="A3")

    code, found = examine(loop.folder)

    assert code == 0
    assert "gitsync pull --branch from-database a" in found["both sides/diverged"][1]


def test_a_missing_registry_and_a_missing_ledger_are_errors(tmp_path: Path) -> None:
    loop = make_loop(tmp_path)
    with loop.editor.connection() as connection:
        connection.exec_driver_sql("DROP TABLE gitsync_deployment_items")
    config = (loop.folder / "gitsync.yaml").read_text()
    loop.repository.commit_file("gitsync.yaml", config + "registry: registry.yaml\n")

    code, found = examine(loop.folder)

    assert code == 1
    assert amiss(found) | UNCONFIGURED == UNCONFIGURED | {
        "database/ledger": "error", "both sides/registry": "error", "git/workflows": "warning"
    }  # fmt: skip
    assert "gitsync db init" in found["database/ledger"][1]


def test_the_right_to_read_is_enough(tmp_path: Path, postgres_database: str) -> None:
    loop = make_loop(tmp_path, url=postgres_database, tenant=TENANT)
    loop.commit(a="A1")
    loop.push()
    role = f"patient_{os.getpid()}"
    with psycopg.connect(libpq_url(postgres_database), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN".encode())
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}".encode())
    try:
        reader = make_url(postgres_database).set(username=role).render_as_string(hide_password=False)
        loop.repository.commit_file("gitsync.yaml", make_config(reader, tenant=TENANT))
        dump = loop.editor.dump()

        code, found = examine(loop.folder)

        assert code == 0
        assert amiss(found) == UNCONFIGURED | {"database/rights": "warning"}
        assert "INSERT ON gitsync_deployments" in found["database/rights"][1]
        assert loop.editor.dump() == dump

        with psycopg.connect(libpq_url(postgres_database), autocommit=True) as connection:
            connection.execute(f"REVOKE SELECT ON workflow_definition_versions FROM {role}".encode())
        code, found = examine(loop.folder)

        assert code == 1
        assert found["database/rights"][0] == "error"
        assert "database/references" not in found  # what needs the table is not tried
        assert found["database/ledger"][0] == "ok"  # and the rest goes on
    finally:
        with psycopg.connect(libpq_url(postgres_database), autocommit=True) as connection:
            connection.execute(f"DROP OWNED BY {role}".encode())
            connection.execute(f"DROP ROLE {role}".encode())
