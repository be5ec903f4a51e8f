"""The tour of the README, typed again."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def shell_environment() -> dict[str, str]:
    person = {"NAME": "Ada Example", "EMAIL": "ada@example.com"}
    identity = {
        f"GIT_{role}_{fact}": text for role in ("AUTHOR", "COMMITTER") for fact, text in person.items()
    }
    scripts = sysconfig.get_path("scripts")
    return {**os.environ, **identity, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}


def iter_typed() -> Iterator[tuple[str, str]]:
    """Each command of the README's console blocks, with the output below it."""
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def test_the_tour_of_the_readme_gives_the_output_that_it_shows(
    tmp_path: Path, shell_environment: dict[str, str]
) -> None:
    folder = tmp_path / "repo"
    folder.mkdir()
    shutil.copy(ROOT / "docs" / "bundle.json", tmp_path)
    typed = list(iter_typed())
    assert len(typed) > 15

    for command, shown in typed:
        done = subprocess.run(
            ["sh", "-c", f"{{ {command}\n}} 2>&1"],
            cwd=folder,
            env=shell_environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

        assert comparable(done.stdout, folder) == comparable(shown, folder), command
        assert done.returncode == 0, command


def comparable(output: str, folder: Path) -> str:
    """The output with what differs from run to run made equal: the folder and the ids of commits."""
    return re.sub(r"\bcommit [0-9a-f]{10}\b", "commit ID", output.replace(str(folder), "/tmp/repo"))  # noqa: S108


def test_the_readme_says_in_three_lines_what_it_is_then_gives_the_two_commands() -> None:
    title, what, trying, *_ = README.split("\n\n")

    assert title == "# gitsync"
    assert len(what.splitlines()) == 3
    assert trying.startswith("## Try it")
    assert "```\nmake demo\nmake test\n```" in README


def test_every_target_that_the_readme_makes_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    for target in re.findall(r"^make (\w+)$", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
