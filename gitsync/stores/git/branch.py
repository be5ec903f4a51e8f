"""A branch as the target of a pull: a commit that starts where both sides were last in step.

Git merges three versions of a file: ours, theirs, and that of the commit where both began. The merge of
what a database holds is right only if this third version is what both sides held when they were last in
step, so the branch has to start at a commit that holds just that, for every workflow that is pulled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from gitsync.errors import Conflict, GitError, PlanStale
from gitsync.rules.names import SUFFIX
from gitsync.stores.git import ZERO, TreeEntry
from gitsync.stores.git.branches import Branches
from gitsync.stores.git.commit import CommitSide
from gitsync.stores.git.history import PULL_TRAILER, seal_of
from gitsync.stores.git.past import Past
from gitsync.sync.pull import Need
from gitsync.workflow.canonical import canonical_bytes, digest_of
from gitsync.workflow.types import Digest, Document, Key

_FILE: Final = "100644"
_MOST_LISTED: Final = 12


@dataclass(frozen=True, slots=True)
class Start:
    """Where the branch goes on.

    parent: of the new commit, ``None`` for a commit without one. base: the commit that a merge into HEAD
    will take as the common one, ``None`` where they share none. tip: where the branch stands now.
    """

    parent: str | None
    base: str | None
    tip: str | None


class BranchTarget:
    """One branch to pull onto, over the commit that HEAD names.

    source: the side of that commit. database_id: only a branch whose last commit is a pull of this database
    is gone on with. sign: as ``commit.gpgSign`` says, unless it is ``False``.
    """

    def __init__(self, name: str, source: CommitSide, *, database_id: str, sign: bool = True) -> None:
        self.name, self._source, self._database_id = name, source, database_id
        self._git = Branches.of(source.git)
        self._sign = sign and self._git.signs
        self._git.check_name(name)
        self._git.check_identity()
        self.tip = self._git.tip(name)
        if self.tip is not None:
            self._check_is_pull(self.tip)

    def find_start(self, needs: Mapping[Key, Need]) -> Start:
        """Where to commit so that a merge into HEAD compares with what both sides held last.

        needs: key → whether what a commit holds for it can be that. Raises Conflict (NO_COMMON_BASE) where
        the keys have no commit in common, naming those that have.
        """
        head, tip = self._source.commit, self.tip
        past = Past(self._source, needs)
        if tip is None:
            base = self._newest(past)
            return Start(base, base, None)
        if not self._is_behind(tip, head):
            bases = [] if head == ZERO else self._git.merge_bases(head, tip)
            if not (all(map(past.fits, bases)) if bases else past.fits(None)):
                raise self._in_the_way("starts where other workflows were in step, and isn't merged yet")
            return Start(tip, bases[0] if bases else None, tip)
        base = self._newest(past)
        if base is None or not self._is_behind(tip, base):
            raise self._in_the_way("is merged, and a new one has to start before it", merged=True)
        return Start(base, base, tip)

    def left_behind(self, start: Start) -> Mapping[Key, tuple[Digest | None, Digest | None]]:
        """Key → (what the start held, what the branch holds) of what earlier pulls wrote there."""
        if start.tip is None or start.parent != start.tip:
            return {}
        old, new = (
            CommitSide(self._git, folder=self._source.folder, commit=commit or ZERO).blobs
            for commit in (start.base, start.tip)
        )
        keys = sorted(old.keys() | new.keys())
        return {key: (old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)}

    def differing(self, start: Start, digests: Mapping[Key, Digest | None]) -> dict[Key, Digest | None]:
        """Return those of `digests` (``None``: no file) that the branch doesn't hold yet."""
        entries = self._entries(start)
        oids = {key: entry.oid if (entry := entries.get(f"{key}{SUFFIX}")) else None for key in digests}
        return {key: digest for key, digest in digests.items() if oids[key] != digest}

    def write(
        self,
        start: Start,
        digests: Mapping[Key, Digest | None],
        documents: Iterable[tuple[Key, Document]],
        *,
        message: str,
        seal: Callable[[str], str],
    ) -> str | None:
        """Return the id of the commit that makes the branch hold `digests`; ``None`` where it does so already.

        digests: key → digest, ``None`` for a file that is to go. documents: of what has to be stored.
        seal: makes the value of the commit's trailer from the hash of what it changes.
        Raises PlanStale where the database has moved meanwhile; the branch moves last, or not at all.
        """
        if not digests:
            return None
        entries = self._entries(start)

        self._git.store(
            self._source.note_size(key, data)
            for key, document in documents
            if digest_of(data := canonical_bytes(document)) == digests[key]
        )
        moved = self._git.missing({digest for digest in digests.values() if digest})
        if moved:
            keys = sorted(key for key, digest in digests.items() if digest in moved)
            raise PlanStale(
                f"{', '.join(keys)} changed in the database meanwhile; nothing was written",
                details={"keys": keys},
                cure="run the pull again",
            )
        files: dict[str, TreeEntry | None] = {}
        for key, oid in digests.items():
            before = entries.get(f"{key}{SUFFIX}")
            mode = before.mode if before and before.mode == "100755" else _FILE
            files[self._source.path(key)] = None if oid is None else TreeEntry(mode, "blob", oid)
        value = seal(seal_of({path: entry.oid if entry else None for path, entry in files.items()}))
        commit = self._git.write_commit(
            start.parent, files, f"{message.rstrip()}\n\n{PULL_TRAILER}: {value}\n", sign=self._sign
        )
        if commit is not None:
            self._git.move(self.name, commit, before=start.tip, reason=f"gitsync: {message.splitlines()[0]}")
        return commit

    def _entries(self, start: Start) -> Mapping[str, TreeEntry]:
        return self._git.tree(start.parent, self._source.folder) if start.parent else {}

    def _newest(self, past: Past) -> str | None:
        newest = past.newest()
        if newest is None and not past.fits(None):
            raise self._no_common_base(past)
        return newest

    def _is_behind(self, commit: str, other: str) -> bool:
        return other != ZERO and self._git.merge_bases(commit, other) == [commit]

    def _check_is_pull(self, tip: str) -> None:
        """Raise where the branch's last commit is anything but a pull of this database, as it was made."""
        for _, value in self._git.trailers(tip, PULL_TRAILER, is_alone=True):
            match value.split():
                case [_, database_id, _, seal] if database_id == self._database_id:
                    if seal == seal_of(self._git.changed_by(tip, self._source.folder)):
                        return
        raise self._in_the_way("has commits that no pull of this database made")

    def _in_the_way(self, why: str, *, merged: bool = False) -> GitError:
        flag = "-d" if merged else "-D"
        return GitError(
            f"branch {self.name} {why}; nothing was written",
            code="BRANCH_EXISTS",
            cure=f"give another name, or delete it (`git branch {flag} {self.name}`)",
        )

    def _no_common_base(self, past: Past) -> Conflict:
        groups = past.groups()
        listed, cures = [], []
        for number, (commit, keys) in enumerate(groups, 1):
            names = ", ".join(keys[:_MOST_LISTED]) + (" and more" if len(keys) > _MOST_LISTED else "")
            place = f"at {commit[:10]}" if commit else "at no commit that is here"
            listed.append(f"{names}: {place}")
            if commit or past.fits_beginning(keys):
                cures.append(f"`gitsync pull --branch {self.name}-{number} {' '.join(keys[:_MOST_LISTED])}`")
            else:
                cures.append(
                    f"decide with `gitsync pull --force {keys[0]}` or `gitsync push --force {keys[0]}`"
                )
        what = "these workflows were last in step at different commits" if len(groups) > 1 else (
            "no commit here holds what both sides held last"
        )  # fmt: skip
        return Conflict(
            f"{what}, so one branch cannot carry them ({'; '.join(listed)}); nothing was written",
            code="NO_COMMON_BASE",
            details={"groups": [{"commit": commit, "keys": keys} for commit, keys in groups]},
            cure="one branch for each: " + ", ".join(cures) if len(groups) > 1 else ", ".join(cures),
        )
