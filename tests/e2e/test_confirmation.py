"""The question before something is deleted or recreated, on a real terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sysconfig
from pathlib import Path

import pytest

GITSYNC = str(Path(sysconfig.get_path("scripts")) / "gitsync")


def answer(folder: Path, text: str) -> tuple[int, str]:
    """The exit code and output of a push that would recreate, its question answered with `text`."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [GITSYNC, "push", "--update"], cwd=folder, stdin=slave, stdout=slave, stderr=slave, close_fds=True
    ) as process:
        os.close(slave)
        os.write(master, f"{text}\n".encode())
        output = b""
        while True:
            try:
                part = os.read(master, 4096)
            except OSError:  # Linux's way to say that the other end is closed
                break
            if not part:
                break
            output += part
    os.close(master)
    return process.returncode, output.decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository whose HEAD is ahead of its database by one workflow."""

    def run(*words: str) -> None:
        subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)

    run(GITSYNC, "init", "--example")
    run(GITSYNC, "db", "init")
    run(GITSYNC, "push")
    file = tmp_path / "workflows" / "ticket-triage.json"
    file.write_text(file.read_text().replace('"failureRateMinRuns": 20', '"failureRateMinRuns": 50'))
    run("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "-qam", "Edit")
    return tmp_path


def test_no_writes_nothing(folder: Path) -> None:
    code, output = answer(folder, "n")

    assert code == 1
    assert "This will delete and create again 1 of 8 workflows in dev. Go on?" in output
    assert "not confirmed; nothing was written [NOT_CONFIRMED]" in output


def test_yes_goes_on(folder: Path) -> None:
    code, output = answer(folder, "y")

    assert code == 0
    assert "1 overwritten; 7 were in step already" in output
