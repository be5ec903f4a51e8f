"""Commits made by plumbing: no hook runs, and a commit holds exactly the objects that it was asked to hold."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from gitsync.errors import GitError
from gitsync.stores.git.process import reason_of
from gitsync.stores.git.repository import _WHOLE, ZERO, GitRepository, TreeEntry

_OWN_INDEX: Final = (*_WHOLE, "-c", "core.splitIndex=false", "-c", "i18n.commitEncoding=UTF-8")
"""A split index would leave its shared half in the repository."""
_HASH: Final = ("-c", "core.safecrlf=false", "hash-object", "-w", "--stdin-paths")
_TRIES: Final = 20
"""How often a commit is made anew where another one came first, or waits for the index."""
_PAUSE: Final = 0.1
"""Seconds to wait for whoever holds the index's lock: a `git commit` at work."""


class Commits(GitRepository):
    """A repository as a place to commit to."""

    @classmethod
    def of(cls, repository: GitRepository) -> Self:
        """The same repository."""
        return cls(repository.top, repository.git_dir, is_bare=repository.is_bare)

    @contextmanager
    def storing(self) -> Iterator[Callable[[str], None]]:
        """A function to tell the paths of files as they are written: git makes objects of them meanwhile.

        A commit made later finds the objects there, so that compressing them costs no time of its own. It needs
        none of them: what fails here is done again, and explained, by `hash_files`.
        """
        is_alive = True
        with self._git.feeding(_HASH) as feed:

            def store(path: str) -> None:
                nonlocal is_alive
                if is_alive and _is_plain(path):
                    try:
                        feed(os.fsencode(path) + b"\n")
                    except (OSError, GitError):
                        is_alive = False

            yield store

    def hash_files(self, paths: Sequence[str]) -> dict[str, str]:
        """Path → the object that ``git add`` would make of the file, filters and all; it is stored."""
        plain = [path for path in paths if _is_plain(path)]
        oids = (
            self._bytes(_HASH, stdin=b"".join(os.fsencode(path) + b"\n" for path in plain)).decode().split()
        )
        odd = [path for path in paths if not _is_plain(path)]
        return dict(zip(plain, oids, strict=True)) | {
            path: self._text([*_HASH[:-1], "--", path]).strip() for path in odd
        }

    @property
    def is_detached(self) -> bool:
        """Whether HEAD names a commit and no branch."""
        return bool(self._git.ask(["symbolic-ref", "--quiet", "HEAD"]).status)

    @property
    def signs(self) -> bool:
        """Whether commits are to be signed here: ``commit.gpgSign``."""
        return self._git.ask(["config", "--type=bool", "--get", "commit.gpgSign"]).out.strip() == b"true"

    def changed_since(self, before: str, now: str, folder: str) -> frozenset[str] | None:
        """The paths in `folder` that the commits after `before` up to `now` change.

        ``None`` where `now` doesn't follow `before` in a straight line: a merge, or another branch.
        """
        if before == now:
            return frozenset()
        lines = (
            []
            if ZERO in (before, now)
            else self._text(["rev-list", "--parents", now, f"^{before}"]).split("\n")
        )
        behind = [line.split()[1:] for line in lines if line]
        if not behind or any(len(parents) != 1 for parents in behind) or behind[-1] != [before]:
            return None
        return frozenset(change.path for change in self.log(now, [folder or "."], exclude=[before]))

    def commit(
        self,
        files: Mapping[str, TreeEntry | None],
        message: Callable[[str], str],
        *,
        sign: bool = False,
        stand_in: str = "",
    ) -> str | None:
        """Commit `files` onto HEAD, whatever else is staged; ``None`` where HEAD holds them already.

        HEAD moves by compare-and-swap; where another commit came first, the commit is made again on that one, a
        bounded number of times. message: what to say on that HEAD (ZERO for none); it raises where the files are
        no longer right there. stand_in: the name to commit under where git knows nobody.
        """
        self._stage(files)
        for tries in range(_TRIES):
            head = self.resolve("HEAD")
            text = message(head or ZERO)
            commit = self.write_commit(head, files, text, sign=sign, stand_in=stand_in)
            if commit is None:
                return None
            reason = f"commit: {text.splitlines()[0]}"
            answer = self._git.ask(["update-ref", "-m", reason, "HEAD", commit, head or ZERO])
            if not answer.status:
                return commit
            if tries + 1 < _TRIES and self.resolve("HEAD") == head:
                time.sleep(_PAUSE)  # somebody holds the lock of the branch
        raise GitError(
            f"HEAD cannot be moved: {reason_of(answer.said)}; the files are written, nothing was committed",
            code="BRANCH_MOVED",
            cure="pull again with --commit: it commits what was written",
        )

    def write_commit(
        self,
        parent: str | None,
        files: Mapping[str, TreeEntry | None],
        message: str,
        *,
        sign: bool = False,
        stand_in: str = "",
    ) -> str | None:
        """The id of a commit after `parent` with `files` changed, ``None`` where that changes nothing.

        parent: ``None`` for a commit without one. files: path → its entry, ``None`` where it is to go.
        Raises GitError (CANNOT_SIGN) where it is to be signed and cannot be.
        """
        with tempfile.TemporaryDirectory() as folder:
            own = {"GIT_INDEX_FILE": str(Path(folder) / "index")}

            def run(*words: str, stdin: bytes = b"") -> str:
                return self._bytes([*_OWN_INDEX, *words], stdin=stdin, env=own).decode().strip()

            run("read-tree", parent or "--empty")
            run("update-index", "-z", "--index-info", stdin=_index_info(files))
            tree = run("write-tree", "--missing-ok")
            if parent and tree == run("rev-parse", f"{parent}^{{tree}}"):
                return None
        behind = ["-p", parent] if parent else []
        names = {f"GIT_{role}_NAME": stand_in for role in ("AUTHOR", "COMMITTER")}
        mails = {f"GIT_{role}_EMAIL": f"{stand_in}@localhost" for role in ("AUTHOR", "COMMITTER")}
        words = ["commit-tree", "-S" if sign else "--no-gpg-sign", tree, *behind, "-F", "-"]
        try:
            return (
                self._bytes(
                    [*_OWN_INDEX, *words], stdin=message.encode(), env=names | mails if stand_in else {}
                )
                .decode()
                .strip()
            )
        except GitError as error:
            if not sign or error.code != GitError.code:
                raise
            raise GitError(
                f"the commit could not be signed, as commit.gpgSign wants it: "
                f"{'; '.join(error.message.splitlines())}; nothing was committed",
                code="CANNOT_SIGN",
                cure="mend what `git commit` signs with, or pull again with `--no-gpg-sign`",
            ) from error

    def _stage(self, files: Mapping[str, TreeEntry | None]) -> None:
        """Let the index hold `files`; it waits a moment for another git that is writing it."""
        words = [*_WHOLE, "update-index", "-z", "--index-info"]
        for tries in range(_TRIES):
            answer = self._git.ask(words, stdin=_index_info(files))
            if not answer.status:
                break
            if "index.lock" not in answer.said or tries + 1 == _TRIES:
                raise GitError(
                    f"git cannot write its index: {reason_of(answer.said)}; the files are written, nothing was committed",
                    cure="mend the cause and pull again with --commit: it commits what was written",
                )
            time.sleep(_PAUSE)
        self._git.ask([*_WHOLE, "update-index", "-q", "--refresh"])  # says 1 where there are edits


def _is_plain(path: str) -> bool:
    """Whether ``--stdin-paths`` takes the path as it is."""
    return "\n" not in path and not path.startswith('"')


def _index_info(files: Mapping[str, TreeEntry | None]) -> bytes:
    """The lines of ``update-index -z --index-info``."""
    entries = {path: entry or TreeEntry("0", "blob", ZERO) for path, entry in sorted(files.items())}
    return b"".join(
        f"{entry.mode} {entry.oid}\t".encode() + os.fsencode(path) + b"\0" for path, entry in entries.items()
    )
