"""What a hook asks git before a commit; apart from gitsync.git, since importing GitPython takes longer."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

from gitsync.errors import GitError

_COMMAND: Final = (
    "git", "-c", "core.quotePath=false", "--no-pager",
    "diff", "--cached", "--name-only", "--no-renames", "--no-ext-diff", "--diff-filter=D", "-z",
)  # fmt: skip


def staged_deletions(folder: Path) -> list[Path]:
    """The files whose deletion is staged in the repository that `folder` is in; none outside of any.

    The environment counts: git hands a hook the index of the commit in it.
    """
    top = next((parent for parent in (folder, *folder.parents) if (parent / ".git").exists()), None)
    if top is None:
        return []
    try:
        done = subprocess.run(_COMMAND, cwd=top, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise GitError("git is not on the PATH", code="GIT_MISSING", cure="install git") from error
    if done.returncode != 0:
        reason = done.stderr.decode("utf-8", "replace").strip()
        raise GitError(f"git cannot tell what is staged: {reason}", cure="`git status` may say more")
    return [top / os.fsdecode(name) for name in done.stdout.split(b"\0") if name]
