"""Git through GitPython, for the commands that are run once in a while: importing it takes 60 ms.

It runs commands and reads what it can of their answers, never files: its own readers know neither reftable nor
settings in variables.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gitsync.errors import GitError
from gitsync.stores.git.process import Git

_theirs = dict(os.environ)
# its import tries a git of its own, and fails where that does: it gets none, and may say nothing
os.environ["GIT_PYTHON_GIT_EXECUTABLE"], os.environ["GIT_PYTHON_REFRESH"] = os.devnull, "quiet"
try:
    import git
finally:
    os.environ.clear()
    os.environ.update(_theirs)


class _Command(git.Git):
    """GitPython's commands, each a process of `Git`: settings pinned, variables dropped, a deadline."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._start = Git(folder)

    def execute(self, command: str | Sequence[Any], *_: Any, **__: Any) -> str:  # type: ignore[override]
        """What the command prints; raises GitError where it fails."""
        return os.fsdecode(self._start.run(command[1:])).rstrip("\n")


def git_version() -> tuple[tuple[int, ...], str]:
    """Git's version as numbers and in full; raises GitError (GIT_MISSING) where there is none."""
    command = _Command(Path())
    text: str = command.version()
    numbers = command.version_info if text.startswith("git version ") else ()
    return numbers, text.removeprefix("git version ")


def create(folder: Path) -> None:
    """Make a repository in `folder`, its first branch ``main``."""
    _Command(folder).init(quiet=True, initial_branch="main", object_format="sha1")


def main_branch(folder: Path) -> str:
    """The branch that the remote ``origin`` calls its head, else the one checked out, else ``main``."""
    for ref in ("refs/remotes/origin/HEAD", "HEAD"):
        try:
            name: str = _Command(folder).symbolic_ref(ref, quiet=True)
        except GitError:
            continue  # no remote, or a detached HEAD
        return name.removeprefix("refs/heads/").removeprefix("refs/remotes/origin/")
    return "main"
