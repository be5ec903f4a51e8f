"""Commits on a branch that nobody has checked out: work tree, index and HEAD stay as they are."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final, Self

from gitsync.errors import GitError
from gitsync.git.process import reason_of
from gitsync.git.repository import _WHOLE, ZERO, GitRepository, TreeEntry

_OWN_INDEX: Final = (*_WHOLE, "-c", "core.splitIndex=false", "-c", "i18n.commitEncoding=UTF-8")
"""A split index would leave its shared half in the repository."""


class Branches(GitRepository):
    """A repository as a place to commit to by plumbing alone, bare or with a work tree."""

    @classmethod
    def of(cls, repository: GitRepository) -> Self:
        """The same repository."""
        return cls(repository.top, repository.git_dir, is_bare=repository.is_bare)

    def check_name(self, name: str) -> None:
        """Raise GitError (INVALID_BRANCH) where no branch can be called `name`."""
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

    def write_commit(
        self, parent: str | None, files: Mapping[str, TreeEntry | None], message: str
    ) -> str | None:
        """The id of a commit after `parent` with `files` changed, ``None`` where that changes nothing.

        parent: ``None`` for a commit without one. files: path → its entry, ``None`` where it is to go.
        """
        lines = []
        for path, entry in sorted(files.items()):
            mode, oid = ("0", ZERO) if entry is None else (entry.mode, entry.oid)
            lines.append(f"{mode} {oid}\t".encode() + path.encode() + b"\0")
        with tempfile.TemporaryDirectory() as folder:
            own = {"GIT_INDEX_FILE": str(Path(folder) / "index")}

            def run(*words: str, stdin: bytes = b"") -> str:
                return self._bytes([*_OWN_INDEX, *words], stdin=stdin, env=own).decode().strip()

            run("read-tree", parent or "--empty")
            run("update-index", "-z", "--index-info", stdin=b"".join(lines))
            tree = run("write-tree", "--missing-ok")
            if parent and tree == run("rev-parse", f"{parent}^{{tree}}"):
                return None
            behind = ["-p", parent] if parent else []
            return run("commit-tree", "--no-gpg-sign", tree, *behind, "-F", "-", stdin=message.encode())

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
