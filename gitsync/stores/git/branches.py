"""Commits on a branch that nobody has checked out: work tree, index and HEAD stay as they are."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable

from gitsync.errors import GitError
from gitsync.stores.git.commits import Commits
from gitsync.stores.git.process import reason_of
from gitsync.stores.git.repository import ZERO


class Branches(Commits):
    """A repository as a place to commit to by plumbing alone, bare or with a work tree."""

    def check_name(self, name: str) -> None:
        """Raise GitError (INVALID_BRANCH) where no branch can be called `name`, or git would take it for a tag."""
        try:
            self._bytes(["check-ref-format", f"refs/heads/{name}"])
        except GitError:
            is_name = False
        else:
            is_name = not name.startswith("-") and name != "HEAD"
        if not is_name:
            raise GitError(
                f"{name!r} cannot be a branch's name", code="INVALID_BRANCH", cure="a name such as from-prod"
            )
        if self._git.ask(["show-ref", "--verify", "--quiet", f"refs/tags/{name}"]).status == 0:
            raise GitError(
                f"there is a tag {name}, which `git merge {name}` would take in place of the branch",
                code="INVALID_BRANCH",
                cure="give another name",
            )

    def tip(self, name: str) -> str | None:
        """The commit of branch `name`, ``None`` where there is no such branch.

        Raises GitError (BRANCH_CHECKED_OUT) where a work tree has it checked out, whose files would seem edited,
        or where it is another name for some branch.
        """
        ref = f"refs/heads/{name}"
        form = "--format=%(refname)%00%(objectname)%00%(symref)%(worktreepath)%00"
        out = self._text(["for-each-ref", form, ref])
        fields = out.split("\0")
        found = {fields[i].strip("\n"): fields[i + 1 : i + 3] for i in range(0, len(fields) - 2, 3)}
        commit, place = found.get(ref, (None, ""))
        if not place and self._current() == ref:
            place = str(self.top)
        if place:
            raise GitError(
                f"branch {name} is checked out in {place}"
                if not place.startswith("refs/")
                else f"branch {name} is another name for {place}",
                code="BRANCH_CHECKED_OUT",
                cure="give another name, or pull there without --branch",
            )
        return commit

    def _current(self) -> str:
        try:
            return self._text(["symbolic-ref", "--quiet", "HEAD"]).strip()
        except GitError:
            return ""  # detached

    def store(self, contents: Iterable[bytes]) -> None:
        """Put each content into the repository as a blob, all through one process."""
        with tempfile.TemporaryFile() as stream:
            for data in contents:
                stream.write(b"blob\ndata %d\n%b\n" % (len(data), data))
            stream.write(b"done\n")
            stream.seek(0)
            answer = self._git.ask(["fast-import", "--quiet", "--done"], stdin=stream)
        if answer.status:
            raise GitError(
                f"git cannot store the files: {reason_of(answer.said)}",
                code="CANNOT_WRITE",
                cure="check rights and space, pull again; nothing was changed",
            )

    def missing(self, oids: Collection[str]) -> frozenset[str]:
        """Those of `oids` that this repository has no object for."""
        asked = "".join(f"{oid}\n" for oid in sorted(oids)).encode()
        out = self._bytes(["cat-file", "--batch-check", "--buffer"], stdin=asked) if oids else b""
        return frozenset(line.split()[0] for line in out.decode().splitlines() if line.endswith(" missing"))

    def move(self, name: str, commit: str, *, before: str | None, reason: str) -> None:
        """Let branch `name` point to `commit`, if it still points to `before` (``None``: isn't there yet)."""
        words = ["update-ref", "-m", reason, f"refs/heads/{name}", commit, before or ZERO]
        try:
            self._bytes(words)
        except GitError as error:
            raise GitError(
                f"branch {name} cannot be moved: {error.message}; nothing was changed",
                code="BRANCH_MOVED",
                cure="another run may have moved it, or another branch's name is in the way: "
                "`git branch --list`, then pull again",
            ) from error
