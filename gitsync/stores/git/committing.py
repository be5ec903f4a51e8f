"""The commit of a pull: it holds exactly what was pulled, or isn't made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from gitsync.errors import GitError, PlanStale
from gitsync.stores.files import look
from gitsync.stores.git import ZERO, TreeEntry
from gitsync.stores.git.commit import WorkTree
from gitsync.stores.git.commits import Commits
from gitsync.stores.git.facts import GitFacts, plain_attributes
from gitsync.workflow.canonical import digest_of
from gitsync.workflow.types import Digest, Key


@dataclass(frozen=True, slots=True)
class Committed:
    """The id of a commit, ``None`` where it would have changed nothing.

    kept: the keys whose files were saved after they had been written, which it leaves out.
    """

    commit: str | None
    kept: frozenset[Key] = frozenset()


class PullCommit:
    """A commit onto HEAD of files that a pull has written into the work tree.

    sign: as ``commit.gpgSign`` says, unless it is ``False``.
    """

    def __init__(self, side: WorkTree, *, sign: bool) -> None:
        self._side, self._git = side, Commits.of(side.git)
        self._sign = sign and self._git.signs
        self._git.check_can_commit()

    @property
    def is_detached(self) -> bool:
        """Whether no branch will hold the commit."""
        return self._git.is_detached

    def storing(self) -> AbstractContextManager[Callable[[str], None]]:
        """A function to tell the paths of files as they are written, for git to begin with."""
        return self._git.storing()

    def make(
        self, written: Mapping[Key, Digest | None], message: Callable[[Mapping[str, str | None]], str]
    ) -> Committed:
        """Make the commit.

        written: key → what its file was made to hold, ``None`` where it was deleted. message: for path → blob of
        what the commit changes. Raises GitError (FILTERED_FILES) where git would put something else into the
        commit than was written, and PlanStale where somebody has committed the same files meanwhile.
        """
        side = self._side
        files, kept = self._entries(written)
        if not files:
            return Committed(None, kept)

        def describe(head: str) -> str:
            tree = {} if head == ZERO else self._git.tree(head, side.folder)
            head_entries = {path: tree.get(path.rpartition("/")[2]) for path in files}
            ending = "the files are written, nothing was committed"
            for path in side.changed_since(head, files, ending=ending):
                if head_entries[path] != files[path]:
                    raise PlanStale(
                        f"{path} was committed by somebody else meanwhile; {ending}",
                        cure=f"compare with `git diff -- {path}`, then pull again",
                    )
            return message(
                {path: _oid(entry) for path, entry in files.items() if entry != head_entries[path]}
            )

        return Committed(self._git.commit(files, describe, sign=self._sign), kept)

    def _entries(
        self, written: Mapping[Key, Digest | None]
    ) -> tuple[dict[str, TreeEntry | None], frozenset[Key]]:
        """Return path → entry of what is committed, and the keys that are kept out of it."""
        side, folder = self._side, self._side.git.top
        present = [path for key in sorted(written) if (folder / (path := side.path(key))).is_file()]
        oids = self._git.hash_files(present)
        tree = {} if side.commit == ZERO else self._git.tree(side.commit, side.folder)
        files: dict[str, TreeEntry | None] = {}
        kept = set()
        for key, digest in written.items():
            path = side.path(key)
            if oids.get(path) == digest:
                before = tree.get(path.rpartition("/")[2])
                mode = before.mode if before and before.mode == "100755" else "100644"
                files[path] = None if digest is None else TreeEntry(mode, "blob", digest)
                continue
            file = look(folder / path)
            if file is not None and file.is_file and digest_of(file.data) == digest:
                raise self._filtered(path)
            kept.add(key)
        return files, frozenset(kept)

    def _filtered(self, path: str) -> GitError:
        attributes = GitFacts.of(self._git).attributes(path)
        why = ", ".join(f"{name}={value}" for name, value in attributes.items() if value != "unset")
        return GitError(
            f"git changes {path} on its way into a commit ({why or 'a filter'}), so the commit would not hold what "
            "was pulled; the files are written, nothing was committed",
            code="FILTERED_FILES",
            cure=f"{plain_attributes(self._side.folder)}, then pull again",
        )


def _oid(entry: TreeEntry | None) -> str | None:
    return None if entry is None else entry.oid
