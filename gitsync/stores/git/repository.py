"""The few git operations that gitsync uses, asked of one repository.

Everything is asked in bulk: one tree listing, one ``cat-file --batch``, one ``log``. Output is read
NUL-separated.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from gitsync.errors import ConfigError, GitError, linked_file
from gitsync.stores.git.process import Git, reason_of, target_of

_WHOLE: Final = ("-c", "core.sparseCheckout=false")
"""A sparse checkout would hide its marks from us, and refuse paths outside its definition."""
_IN_PROGRESS: Final = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "rebase-merge": "rebase",
    "rebase-apply/applying": "am",
    "rebase-apply": "rebase",
}
"""What git leaves in its folder while it waits for a person."""
ZERO: Final = "0" * 40
"""The object id that stands for none: before the first commit, or a file that is not there."""

_AMBIGUOUS: Final = re.compile(r"^warning: refname '(.+)' is ambiguous", re.MULTILINE)
_FULL_ID: Final = re.compile("[0-9a-f]{40}")
_REF_FORMS: Final = ("refs/heads/{}", "refs/tags/{}", "refs/{}", "refs/remotes/{}", "refs/remotes/{}/HEAD")
"""What a short name may stand for; gitrevisions(7)."""


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One name in a tree: mode such as ``100644``, kind ``blob``, ``tree`` or ``commit``."""

    mode: str
    kind: str
    oid: str


@dataclass(frozen=True, slots=True)
class PathChange:
    """One path that a commit changed against one or more of its parents.

    old: what stood there in those parents. new: ``None`` where the commit deleted it.
    is_introduced: the commit differs from every parent.
    """

    commit: str
    path: str
    old: tuple[str | None, ...]
    new: str | None
    is_introduced: bool


class GitRepository:
    """One repository, bare or with a work tree, linked or not."""

    def __init__(self, top: Path, git_dir: Path, *, is_bare: bool) -> None:
        self.top = top
        self.git_dir = git_dir
        self.is_bare = is_bare
        self._git = Git(top, git_dir if is_bare else None)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The repository that `folder` is in.

        Raises GitError where there is none, where git cannot read it, and where it poses as one inside another's
        work tree.
        """
        probe = Git(folder)
        words = ["rev-parse", "--is-bare-repository", "--show-object-format", "--absolute-git-dir"]
        answer = probe.ask(words)
        if answer.status and "safe.bareRepository" in answer.said:
            # looked for, and not just given by --git-dir: so git looks at its owner, too
            answer = probe.ask(["-c", "safe.bareRepository=all", *words])
        if answer.status:
            raise _opening_error(folder, reason_of(answer.said))
        bare, object_format, found = os.fsdecode(answer.out).split("\n")[:3]
        git_dir = Path(found)
        _check_place(folder, git_dir, is_bare=bare == "true")
        if object_format != "sha1":
            raise GitError(
                f"{folder} is a {object_format} repository; gitsync needs SHA-1 object ids",
                code="UNSUPPORTED_REPOSITORY",
                cure="make a repository with `git init --object-format=sha1`",
            )
        if bare == "true":
            return cls(git_dir, git_dir, is_bare=True)
        top = os.fsdecode(probe.run(["rev-parse", "--show-toplevel"])).rstrip("\n")
        return cls(Path(top), git_dir, is_bare=False)

    @property
    def common_dir(self) -> Path:
        """The git directory that all work trees of the repository share; gitrepository-layout(5), "commondir"."""
        pointer = self.git_dir / "commondir"
        return self.git_dir / pointer.read_text().strip() if pointer.is_file() else self.git_dir

    # ---------------------------------------------------------------- commits and trees

    def resolve(self, revision: str) -> str | None:
        """The commit that `revision` names; ``None`` where HEAD has no commit yet.

        Raises GitError where it names none, or a branch and a tag, say: git would take the tag.
        """
        words = ["rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}"]
        answer = self._git.ask(["-c", "core.warnAmbiguousRefs=true", *words])
        if answer.status == 0:
            if doubted := _AMBIGUOUS.search(answer.said):
                self._check_alone(doubted[1])
            return os.fsdecode(answer.out).strip()
        if revision == "HEAD":
            self._check_unborn_head()
            return None
        raise GitError(
            f"there is no commit {revision!r} here",
            code="UNKNOWN_REVISION",
            cure="`git log --oneline` shows what there is; `git fetch` brings what is missing",
        )

    def _check_alone(self, name: str) -> None:
        """Raise GitError where several refs, or a ref and a commit's short id, can be meant by `name`."""
        if name == "HEAD" or _FULL_ID.fullmatch(name):
            return  # these are never taken for a branch
        places = [form.format(name) for form in _REF_FORMS]
        refs = set(self._text(["for-each-ref", "--format=%(refname)", *places]).splitlines())
        named = [place for place in places if place in refs]
        others = "" if len(named) > 1 else ", and the id of a commit begins so"
        raise GitError(
            f"{name!r} is ambiguous: it can be {' or '.join(named)}{others}",
            code="AMBIGUOUS_REVISION",
            cure=f"say which one in full, such as {named[0]}" + (", or more of the id" if others else ""),
        )

    def _check_unborn_head(self) -> None:
        """Raise GitError where HEAD names a commit that cannot be read: that is not being before the first one."""
        try:
            oid = self._text(["rev-parse", "--verify", "--quiet", "HEAD"]).strip()
        except GitError:
            return
        raise broken_object(oid)

    def tree(self, commit: str, folder: str, *, is_deep: bool = False) -> dict[str, TreeEntry]:
        """The direct content of `folder` in `commit`, by name; empty where the folder isn't there.

        is_deep: the files in it and in all of its subfolders instead, by path.
        """
        spec = f"{commit}:{folder}" if folder not in ("", ".") else f"{commit}:"
        if self._kind(spec) != "tree":
            self._check_absent(commit, folder)
            return {}
        found = {}
        words = ["ls-tree", "-z", "--full-tree", *(["-r"] if is_deep else []), spec]
        for line in self._bytes(words).split(b"\0")[:-1]:
            facts, _, name = line.partition(b"\t")
            mode, kind, oid = facts.decode().split(" ")
            found[os.fsdecode(name)] = TreeEntry(mode, kind, oid)
        return found

    def _check_absent(self, commit: str, folder: str) -> None:
        """Raise where `folder` stands in the commit, or may stand there, and its files cannot be read.

        Read as an empty one, it would seem that all its files were deleted.
        """
        parts = [part for part in folder.split("/") if part not in ("", ".")]
        paths = ["/".join(parts[: count + 1]) for count in range(len(parts))]
        for entry in self._bytes(["ls-tree", "-z", "--full-tree", commit, "--", *paths]).split(b"\0")[:-1]:
            facts, _, name = entry.partition(b"\t")
            mode, kind, oid = facts.decode().split(" ")
            path = os.fsdecode(name)
            if kind == "tree" and (path == folder or not parts):
                raise broken_object(oid)
            if path in paths and kind != "tree":
                raise submodule(path) if kind == "commit" else _no_folder(path, mode)

    def check_holds(self, folder: str) -> None:
        """Raise ConfigError where the files of `folder`, in the work tree, belong to another repository."""
        parts = [part for part in folder.split("/") if part not in ("", ".")]
        for count in range(len(parts)):
            path = "/".join(parts[: count + 1])
            if os.path.lexists(self.top / path / ".git"):
                raise submodule(path)

    def read_file(self, commit: str, path: str) -> bytes | None:
        """The content of `path` in `commit`, or ``None``; raises InvalidInput where a symbolic link stands there."""
        found = self._bytes(["ls-tree", "-z", "--full-tree", commit, "--", path])
        if not found:
            return None
        mode, kind, oid = found.partition(b"\t")[0].decode().split(" ")
        if mode == "120000":
            raise linked_file(path)
        return self._bytes(["cat-file", "blob", oid]) if kind == "blob" else None

    def read_blobs(self, oids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Each blob's content in the order asked, through one process; raises GitError on a missing one."""
        wanted = list(oids)
        if not wanted:
            return
        asked = "".join(f"{oid}\n" for oid in wanted).encode()
        with self._git.reading(["cat-file", "--batch", "--buffer"], stdin=asked) as stream:
            for oid in wanted:
                try:
                    head = stream.readline().split()
                    if len(head) != 3 or head[1] != b"blob":
                        raise broken_object(oid)
                    data = stream.read(int(head[2]))
                    stream.read(1)
                except GitError as error:
                    if error.code == "GIT_ERROR":
                        raise broken_object(oid) from error
                    raise
                yield oid, data

    def have(self, oids: Collection[str], *, kind: str = "commit") -> frozenset[str]:
        """Those of `oids` that this clone holds, as objects of that kind."""
        if not oids:
            return frozenset()
        asked = "".join(f"{oid}\n" for oid in oids).encode()
        out = self._bytes(["cat-file", "--batch-check", "--buffer"], stdin=asked)
        lines = (line.split() for line in out.decode().splitlines())
        return frozenset(words[0] for words in lines if len(words) == 3 and words[1] == kind)

    def graph(self, tips: Collection[str]) -> list[tuple[str, list[str]]]:
        """Every commit behind `tips` with its parents, children first; a shallow clone ends at its boundary."""
        if not tips:
            return []
        out = self._text(["rev-list", "--topo-order", "--parents", "--end-of-options", *tips])
        return [(words[0], words[1:]) for words in (line.split() for line in out.splitlines())]

    def count(self, commit: str, *, but: str) -> int:
        """How many commits are behind `commit`, itself included, and not behind `but`."""
        return int(self._text(["rev-list", "--count", "--end-of-options", commit, f"^{but}"]))

    def shallow_boundary(self) -> frozenset[str]:
        """The commits whose parents a shallow clone cut off."""
        path = self.top / self._text(["rev-parse", "--git-path", "shallow"]).strip()
        return frozenset(path.read_text().split()) if path.is_file() else frozenset()

    def merge_bases(self, *commits: str) -> list[str]:
        """The best common ancestors of all of them; empty where they share none."""
        try:
            return self._text(["merge-base", "--all", "--octopus", *commits]).split()
        except GitError:
            return []

    def log(self, commit: str, paths: Sequence[str], *, exclude: Sequence[str] = ()) -> Iterator[PathChange]:
        """Every change to `paths` behind `commit`, merged side branches included.

        Plain ``git log -- path`` drops branches whose content a merge did not take: those count here.
        """
        words = [
            "log",
            "--full-history",
            "-m",
            "--raw",
            "--no-renames",
            "--no-abbrev",
            "-z",
            "--format=%x01%H %P",
        ]
        words += ["--no-ext-diff", "--no-textconv", "--no-notes", "--no-mailmap"]
        known = [f"^{commit}" for commit in exclude]
        out = self._bytes([*words, commit, *known, "--", *paths])
        yield from _parse_log(out)

    def trailers(self, commit: str, name: str, *, is_alone: bool = False) -> list[tuple[str, str]]:
        """(commit, value) of each trailer `name` in the history of `commit`; `is_alone`: of that commit only."""
        form = f"--format=%H%x00%(trailers:key={name},valueonly,separator=%x00)%x01"
        words = ["log", "--no-notes", "--no-mailmap", f"--grep=^{name}:", form]
        out = self._text([*words, *(["--no-walk"] if is_alone else []), commit])
        found = []
        for record in out.split("\x01"):
            oid, *values = record.strip("\n").split("\0")
            found += [(oid, value.strip()) for value in values if value.strip()]
        return found

    def changed_by(self, commit: str, folder: str) -> dict[str, str | None]:
        """path → blob of what a commit with at most one parent changed in `folder`; empty for a merge."""
        words = ["diff-tree", "--root", "-r", "-z", "--raw", "--no-renames", "--no-commit-id", commit]
        fields = self._bytes([*words, "--", folder or "."]).split(b"\0")[:-1]
        return {
            os.fsdecode(path): _oid(facts.decode().split(" ")[3])
            for facts, path in zip(fields[::2], fields[1::2], strict=True)
        }

    # ---------------------------------------------------------------- the work tree

    def uncommitted(self, folder: str) -> frozenset[str]:
        """Paths in `folder` whose work tree or index differs from HEAD, untracked and ignored ones included."""
        words = [
            "status",
            "--porcelain=v1",
            "-z",
            "--untracked-files=all",
            "--ignored=traditional",
            "--no-renames",
            "--ignore-submodules",
        ]
        out = self._bytes([*words, "--", folder or "."])
        return frozenset(os.fsdecode(line[3:]) for line in out.split(b"\0") if len(line) > 3)

    def unwatched(self, folder: str) -> frozenset[str]:
        """Paths in `folder` that git was told not to look at: assume-unchanged or skip-worktree."""
        lines = self._bytes([*_WHOLE, "ls-files", "-v", "-z", "--", folder or "."]).split(b"\0")[:-1]
        return frozenset(os.fsdecode(line[2:]) for line in lines if line[:1].islower() or line[:1] == b"S")

    def check_can_commit(self) -> None:
        """Raise GitError where a commit could not be made: no identity, or a merge or the like in progress."""
        if what := self.in_progress:
            raise GitError(
                f"a {what} is in progress in {self.top}",
                code="MERGE_IN_PROGRESS",
                cure=f"finish it (`git {what} --continue`) or leave it (`git {what} --abort`), then pull again",
            )
        self.check_identity()

    @property
    def in_progress(self) -> str | None:
        """The operation that waits to be finished, such as ``merge``."""
        return next((word for name, word in _IN_PROGRESS.items() if (self.git_dir / name).exists()), None)

    def check_identity(self) -> None:
        """Raise GitError where git doesn't know who commits."""
        try:
            self._text(["var", "GIT_COMMITTER_IDENT"])
            self._text(["var", "GIT_AUTHOR_IDENT"])
        except GitError as error:
            raise GitError(
                "git doesn't know who commits here",
                code="NO_IDENTITY",
                cure='`git config user.name "Your Name"` and `git config user.email you@example.com`',
            ) from error

    # ---------------------------------------------------------------- one call

    def _kind(self, spec: str) -> str:
        out = self._bytes(["cat-file", "--batch-check=%(objecttype)"], stdin=os.fsencode(spec) + b"\n")
        return out.decode(errors="replace").split("\n")[0].rsplit(" ", 1)[-1]

    def _bytes(
        self, words: Sequence[str], *, stdin: bytes = b"", env: Mapping[str, str] | None = None
    ) -> bytes:
        return self._git.run(words, stdin=stdin, env=env)

    def _text(self, words: Sequence[str], *, stdin: bytes = b"") -> str:
        return os.fsdecode(self._bytes(words, stdin=stdin))


def submodule(path: str) -> ConfigError:
    """The error of a folder whose files git keeps in a repository of their own."""
    return ConfigError(
        f"{path} is a git submodule: its files belong to a repository of their own",
        code="UNSUPPORTED_FOLDER",
        cure=f"`git rm --cached {path} && rm -rf {path}/.git && git add {path}` takes them into this one; "
        "or put gitsync.yaml into the submodule, and run gitsync there",
    )


def _no_folder(path: str, mode: str) -> ConfigError:
    what = "a symbolic link" if mode == "120000" else "a file"
    return ConfigError(
        f"{path} is {what} and no folder",
        code="UNSUPPORTED_FOLDER",
        cure="put the folder itself there, or name another one under `workflows:` in gitsync.yaml; then commit",
    )


def broken_object(oid: str) -> GitError:
    """The error of an object that cannot be read, or is not what its name says."""
    return GitError(
        f"git object {oid} is missing or broken here",
        code="MISSING_OBJECT",
        cure="`git fsck` tells more; a new clone brings what is missing",
    )


def _parse_log(out: bytes) -> Iterator[PathChange]:
    """The changes in ``log -m --raw -z`` output: a header per parent, each with what differs from that parent."""
    commit, parents = "", 1
    seen: dict[str, tuple[list[str | None], str | None]] = {}

    def finished() -> Iterator[PathChange]:
        for path, (old, new) in seen.items():
            yield PathChange(commit, path, tuple(old), new, len(old) >= parents)
        seen.clear()

    fields = iter(out.split(b"\0"))
    for raw in fields:
        field = raw.lstrip(b"\n")
        if field.startswith(b"\x01"):
            this, *behind = field[1:].decode().split()
            if this != commit:
                yield from finished()
            commit, parents = this, max(1, len(behind))
        elif field.startswith(b":"):
            _, _, before, after, _ = field.decode().split(" ", 4)
            path = os.fsdecode(next(fields))
            seen.setdefault(path, ([], _oid(after)))[0].append(_oid(before))
    yield from finished()


def _oid(text: str) -> str | None:
    return None if text == ZERO else text


def _opening_error(folder: Path, reason: str) -> GitError:
    if "not a git repository" in reason:
        return GitError(
            f"{folder} is not in a git repository",
            code="NOT_A_REPOSITORY",
            cure="`git init` makes one here, or go to yours with `-C DIR`",
        )
    if "dubious ownership" in reason:
        return GitError(
            f"git doesn't trust {folder}: it belongs to another user",
            code="DUBIOUS_OWNERSHIP",
            cure=f"`git config --global --add safe.directory {folder}`",
        )
    return GitError(f"git cannot read {folder}: {reason}")


def _check_place(folder: Path, git_dir: Path, *, is_bare: bool) -> None:
    """Raise GitError where `folder` lies in the git directory, and that in a work tree or beside its own.

    ``HEAD``, ``objects`` and ``refs`` can be committed like any files: git takes their folder for a repository, with
    settings of its own, where it doesn't know of safe.bareRepository (before 2.38).
    """
    inside = folder.resolve()
    if git_dir not in (inside, *inside.parents):
        return
    for parent in git_dir.parents:
        if os.path.lexists(parent / ".git") and target_of(parent / ".git") != git_dir:
            raise GitError(
                f"{git_dir} poses as a repository of its own inside the work tree of {parent}",
                code="EMBEDDED_REPOSITORY",
                cure=f"`git -C {parent} log -- {git_dir.relative_to(parent)}` shows who put it there; "
                "move a bare repository of your own out of the work tree",
            )
    if not is_bare:
        raise GitError(
            f"{folder} is git's own folder, without the files",
            code="NOT_A_WORK_TREE",
            cure="go to the work tree with `-C DIR`",
        )
