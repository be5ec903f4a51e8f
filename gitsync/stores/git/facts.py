"""What a repository is like, as far as it can change what gitsync does: for `gitsync doctor`."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Final, Self

from gitsync.errors import GitError
from gitsync.stores.git.repository import ZERO, GitRepository

OLDEST_GIT: Final = (2, 30)
ATTRIBUTES: Final = ("text", "eol", "filter", "ident", "working-tree-encoding", "merge")


def plain_attributes(folder: str) -> str:
    """What to type so that git changes no file of `folder` on its way in or out."""
    inside = f"{folder}/.gitattributes" if folder else ".gitattributes"
    return f"`echo '*.json -text -filter -ident -working-tree-encoding -eol' >> {inside}`, and commit it"


class GitFacts(GitRepository):
    """A repository to be looked at, and not even its index refreshed."""

    def __init__(self, top: Path, git_dir: Path, *, is_bare: bool) -> None:
        super().__init__(top, git_dir, is_bare=is_bare)
        self._git = replace(self._git, only_looks=True)

    @classmethod
    def of(cls, repository: GitRepository) -> Self:
        """The same repository."""
        return cls(repository.top, repository.git_dir, is_bare=repository.is_bare)

    @cached_property
    def settings(self) -> dict[str, str]:
        """Every setting that holds here, its name in lower case as git prints it."""
        found = {}
        for record in self._bytes(["config", "--list", "-z", "--includes"]).split(b"\0")[:-1]:
            name, _, value = os.fsdecode(record).partition("\n")
            found[name] = value
        return found

    @property
    def is_linked(self) -> bool:
        """Whether ``git worktree add`` made this work tree."""
        return self.git_dir.parent.name == "worktrees"

    def is_on(self, name: str) -> bool:
        """Whether a boolean setting is true."""
        return self.settings.get(name, "false").lower() in ("true", "yes", "on", "1", "")

    @property
    def promisors(self) -> list[str]:
        """The remotes that a partial clone fetches missing objects from."""
        names = (re.fullmatch(r"remote\.(.+)\.promisor", name) for name in self.settings)
        found = {match[1] for match in names if match and self.is_on(match[0])}
        extension = self.settings.get("extensions.partialclone")
        return sorted(found | ({extension} if extension else set()))

    @property
    def branch(self) -> str | None:
        """The branch that is checked out, ``None`` where HEAD is detached."""
        try:
            return self._text(["symbolic-ref", "--quiet", "--short", "HEAD"]).strip()
        except GitError:
            return None

    def attributes(self, path: str) -> dict[str, str]:
        """Those of ATTRIBUTES that are set or unset for `path`, which needs not exist."""
        fields = self._text(["check-attr", "-z", *ATTRIBUTES, "--", path]).split("\0")
        found = zip(fields[1::3], fields[2::3], strict=False)
        return {name: value for name, value in found if value != "unspecified"}

    def is_ignored(self, path: str) -> bool:
        """Whether ``.gitignore`` and its like leave `path` out."""
        words = ["check-ignore", "--quiet", "--no-index", "--", path]
        return (
            self._git.ask(words, env={"GIT_LITERAL_PATHSPECS": "0"}).status == 0
        )  # it refuses to run with them

    @property
    def hooks(self) -> list[str]:
        """The hooks that git would run."""
        words = ["config", "--type=path", "-z", "--get-all", "core.hooksPath"]
        *settings, _ours, _end = self._text(words).split("\0")
        folder = self.top / settings[-1] if settings else self.common_dir / "hooks"
        if not folder.is_dir():
            return []
        files = (path for path in folder.iterdir() if path.suffix != ".sample")
        return sorted(path.name for path in files if path.is_file() and os.access(path, os.X_OK))

    @property
    def replaced(self) -> int:
        """How many objects ``git replace`` shows in place of others."""
        return len(self._text(["for-each-ref", "--format=%(refname)", "refs/replace/"]).split())

    @property
    def has_grafts(self) -> bool:
        """Whether a ``grafts`` file rewrites the history that git shows."""
        path = self.top / Path(self._text(["rev-parse", "--git-path", "info/grafts"]).strip())
        return path.is_file() and bool(path.read_bytes().strip())

    def visible(self, commit: str) -> int:
        """How many commits are behind `commit`, itself included."""
        return 0 if commit == ZERO else int(self._text(["rev-list", "--count", "--end-of-options", commit]))
