"""What a hook asks git before a commit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from gitsync.errors import GitError
from gitsync.git.process import Git, reason_of

_WORDS: Final = (
    "diff", "--cached", "--name-only", "--no-renames", "--no-ext-diff", "--diff-filter=D", "-z",
)  # fmt: skip


def staged_deletions(folder: Path) -> list[Path]:
    """The files whose deletion is staged in the repository that `folder` is in; none outside of any.

    The environment counts: git hands a hook the index of the commit in it.
    """
    top = next((parent for parent in (folder, *folder.parents) if (parent / ".git").exists()), None)
    if top is None:
        return []
    answer = Git(top, keeps_index=True).ask(_WORDS)
    if answer.status:
        reason = reason_of(answer.said)
        raise GitError(f"git cannot tell what is staged: {reason}", cure="`git status` may say more")
    return [top / os.fsdecode(name) for name in answer.out.split(b"\0") if name]
