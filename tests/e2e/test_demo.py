"""`docs/demo.sh`, as `make demo` runs it."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docs" / "demo.sh"
HOSTILE = {
    "GIT_DIR": str(ROOT / ".git"),
    "GIT_INDEX_FILE": "/nonexistent",
    "GITSYNC_ENV": "prod",
    "GITSYNC_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
}
"""What a caller's environment may hold that the demo must not look at."""


@dataclass(frozen=True, slots=True)
class Run:
    code: int
    output: str
    left: tuple[str, ...]


def run_demo(script: Path, folder: Path) -> Run:
    path = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", str(script)],
        env={**os.environ, **HOSTILE, "PATH": path, "TMPDIR": str(folder)},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Run(done.returncode, done.stdout, tuple(sorted(os.listdir(folder))))  # noqa: PTH208


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_demo(SCRIPT, tmp_path_factory.mktemp("demo"))


def test_the_demo_walks_the_whole_loop_whatever_the_caller_has_set(demo: Run) -> None:
    assert demo.code == 0, demo.output
    for command in ("init --example", "db init", "status", "diff", "plan", "pull", "push --update", "import"):
        assert f"$ gitsync {command}" in demo.output
    assert demo.output.splitlines()[-1].endswith("everything in step")


def test_the_demo_shows_conflicts_and_that_they_stop_a_push(demo: Run) -> None:
    assert demo.output.count("(exit 3, as it should be)") == 4
    assert "[WORKFLOW_KEY_CONFLICT]" in demo.output
    assert "[CONFLICT]" in demo.output


def test_the_demo_leaves_nothing_behind(demo: Run) -> None:
    assert not demo.left


def test_the_demo_fails_loudly_where_a_command_ends_otherwise_than_it_says(tmp_path: Path) -> None:
    text = SCRIPT.read_text(encoding="utf-8")
    assert "\nrun 0 gitsync db init\n" in text
    script, folder = tmp_path / "demo.sh", tmp_path / "temporary"
    script.write_text(
        text.replace("\nrun 0 gitsync db init\n", "\nrun 7 gitsync db init\n"), encoding="utf-8"
    )
    folder.mkdir()

    failed = run_demo(script, folder)

    assert failed.code == 1
    assert "demo failed: expected exit 7, got 0 from: gitsync db init" in failed.output
    assert not failed.left
