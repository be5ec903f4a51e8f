"""The programs of docs/python.md, run one after the other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```(console|python|text)\n(.*?)```", re.DOTALL)


def run(*command: str, folder: Path) -> str:
    """What a command prints; it has to succeed."""
    person = {"NAME": "Ada Example", "EMAIL": "ada@example.com"}
    identity = {
        f"GIT_{role}_{fact}": text for role in ("AUTHOR", "COMMITTER") for fact, text in person.items()
    }
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **identity, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr if command[0] == sys.executable else "") == (0, ""), command[-1]
    return done.stdout


def test_the_programs_print_what_the_page_shows(tmp_path: Path) -> None:
    blocks = BLOCK.findall(PAGE)
    programs, printed = 0, ""
    for kind, text in blocks:
        if kind == "console":
            for line in text.splitlines():
                run("sh", "-c", line.removeprefix("$ "), folder=tmp_path)
        elif kind == "python":
            programs += 1
            printed = run(sys.executable, "-W", "error", "-c", text, folder=tmp_path)
        else:
            assert printed == text

    assert programs == 5
    assert [kind for kind, _ in blocks].count("text") == programs
