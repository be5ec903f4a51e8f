"""What the command line imports before it knows what to do: start-up is paid on every call."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.loop import make_loop

ROOT = Path(__file__).parents[2]
HEAVY = {
    "alembic", "git", "httpx", "jsonschema", "jsonschema_rs", "orjson", "psycopg", "rich", "sqlalchemy",
    "tenacity", "yaml",
}  # fmt: skip
LIST_MODULES = """
import atexit, sys
atexit.register(lambda: print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr))
from gitsync.cli.main import main
main(sys.argv[1:])
"""


def run(*arguments: str, folder: Path) -> tuple[int, set[str]]:
    """The exit code of a command line in `folder`, and the top-level modules that it has imported."""
    done = subprocess.run(
        [sys.executable, "-c", LIST_MODULES, *arguments],
        cwd=folder,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--help"], id="help"),
        pytest.param(["--version"], id="version"),
        pytest.param([], id="no-arguments"),
        pytest.param(["push", "--help"], id="help-of-a-command"),
        pytest.param(["pull", "--help"], id="help-of-another-command"),
        pytest.param(["db", "init", "--help"], id="help-of-a-nested-command"),
        pytest.param(["pusj"], id="mistyped-command"),
    ],
)
def test_help_imports_no_library_but_click(arguments: list[str], tmp_path: Path) -> None:
    _, imported = run(*arguments, folder=tmp_path)

    assert "click" in imported
    assert not imported & HEAVY


def test_a_command_without_a_configuration_fails_before_it_imports_sqlalchemy(tmp_path: Path) -> None:
    code, imported = run("status", folder=tmp_path)

    assert code == 4
    assert not imported & {"sqlalchemy", "psycopg", "jsonschema", "alembic"}


def test_only_a_server_takes_the_http_client(tmp_path: Path) -> None:
    loop = make_loop(tmp_path)

    on_database = run("status", folder=loop.folder)
    on_server = run("status", "--base-url", "http://127.0.0.1:9", "--token", "t", folder=loop.folder)

    assert on_database[0] == 0
    assert "httpx" not in on_database[1]
    assert on_server[0] == 1
    assert "httpx" in on_server[1]
    assert "sqlalchemy" not in on_server[1]


@pytest.mark.parametrize(
    "command",
    [
        "status", "diff", "plan", "push", "pull --commit", "pull --branch from-dev", "validate", "fmt",
        "export --all --out all.json", "db check",
    ],
)  # fmt: skip
def test_an_everyday_command_starts_git_without_gitpython(command: str, tmp_path: Path) -> None:
    loop = make_loop(tmp_path)
    loop.commit(a="A1")
    loop.editor.create("b", "B1")

    code, imported = run(*command.split(), folder=loop.folder)

    assert code == 0
    assert "git" not in imported


def test_rare_commands_take_gitpython(tmp_path: Path) -> None:
    made = run("init", "--example", folder=tmp_path)
    run("db", "init", folder=tmp_path)
    added = run("init", "--ci", "github", "--source", "https://git.example.com/g.git@v1", folder=tmp_path)
    examined = run("doctor", folder=tmp_path)

    assert [code for code, _ in (made, added)] == [0, 0]
    assert all("git" in imported for _, imported in (made, added, examined))


def test_the_list_of_modules_would_show_a_heavy_import(tmp_path: Path) -> None:
    (tmp_path / "gitsync.yaml").write_text(
        "version: 1\nenvironments:\n  dev: { database: 'sqlite:///x.db' }\n"
    )

    _, imported = run("db", "init", folder=tmp_path)

    assert {"sqlalchemy", "yaml"} <= imported


@pytest.mark.parametrize("verb", ["validate", "fmt"])
def test_the_hooks_import_no_more_than_they_need(verb: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "repo_layout_example", tmp_path / "example")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    file = "example/workflows/ticket-triage.json"

    code, imported = run(verb, "--staged", file, folder=tmp_path)

    assert code == 0
    assert {"click", "orjson", "yaml"} <= imported
    assert not imported & {
        "alembic", "detect_secrets", "git", "jsonschema", "psycopg", "requests", "rich", "sqlalchemy",
    }  # fmt: skip


def test_a_secret_is_worth_an_import(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "repo_layout_example", tmp_path / "example")
    path = tmp_path / "example" / "workflows" / "ticket-triage.json"
    path.write_text(path.read_text().replace('"Urgent ticket"', '"AKIA' + "Z2ZZ5QXZ7T3WPLMN" + '"', 1))

    code, imported = run("validate", str(path), folder=tmp_path)

    assert code == 4
    assert "detect_secrets" in imported


def test_importing_gitsync_imports_none_of_its_rooms_and_using_it_no_command_line(tmp_path: Path) -> None:
    program = (
        "import sys, gitsync; print(*(name for name in sys.modules if name.startswith('gitsync.')), end=';');"
        "gitsync.push; print(*sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    at_first, _, when_used = done.stdout.partition(";")

    assert at_first == ""
    assert "gitsync.commands.push" in when_used.split()
    assert not {"click", "rich", "gitsync.cli", "gitsync.render"} & set(when_used.split())
