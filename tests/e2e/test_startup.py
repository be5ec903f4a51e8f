"""What the command line imports before it knows what to do: start-up is paid on every call."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"alembic", "git", "jsonschema", "jsonschema_rs", "orjson", "psycopg", "rich", "sqlalchemy", "yaml"}
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


def test_the_list_of_modules_would_show_a_heavy_import(tmp_path: Path) -> None:
    (tmp_path / "gitsync.yaml").write_text(
        "version: 1\nenvironments:\n  dev: { database: 'sqlite:///x.db' }\n"
    )

    _, imported = run("db", "init", folder=tmp_path)

    assert {"sqlalchemy", "yaml"} <= imported
