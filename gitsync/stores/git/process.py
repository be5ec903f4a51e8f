"""Git's processes: each is started here, has its stderr read, and a deadline.

Settings that would change an answer (quoting, line ends, merges in logs) or run a program (hooks, a monitor)
are pinned on each call, so that neither a person's configuration nor a repository's can do either.
"""

from __future__ import annotations

import io
import os
import re
import selectors
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from gitsync.errors import GitError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PINNED: Final = (
    "-c", "core.quotePath=false",
    "-c", "core.fsmonitor=false",
    "-c", "core.hooksPath=/dev/null",
    "-c", "safe.bareRepository=explicit",
    "-c", "core.commentChar=#",
    "-c", "log.diffMerges=separate",
    "-c", "log.showRoot=true",
    "-c", "log.showSignature=false",
    "-c", "diff.noprefix=false",
    "-c", "diff.orderFile=/dev/null",
    "-c", "color.ui=false",
    "--no-pager",
    "--no-replace-objects",
)  # fmt: skip
REPOSITORY_VARIABLES: Final = (
    "GIT_COMMON_DIR", "GIT_CONFIG", "GIT_DIR", "GIT_GLOB_PATHSPECS", "GIT_GRAFT_FILE", "GIT_ICASE_PATHSPECS",
    "GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_LITERAL_PATHSPECS", "GIT_NAMESPACE",
    "GIT_NOGLOB_PATHSPECS", "GIT_NO_REPLACE_OBJECTS", "GIT_PREFIX", "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE", "GIT_WORK_TREE",
)  # fmt: skip
"""What a git hook leaves in the environment, and what would point git elsewhere or show it something else.

Of ``git rev-parse --local-env-vars`` these are dropped.
"""
SETTING_VARIABLES: Final = ("GIT_CONFIG_COUNT", "GIT_CONFIG_PARAMETERS")
"""Kept: containers name safe directories and identities so, and ``git -c`` hands its settings to an alias."""
_OBJECT_VARIABLES: Final = ("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_OBJECT_DIRECTORY")
"""Where a pre-receive hook is shown what is being pushed; they belong to the repository of ``GIT_DIR``."""
DEADLINE: Final = 600.0
"""Seconds that one git process may take, or that it may keep a stream waiting."""
_GRACE: Final = 5.0
"""Seconds that a process has to remove its lock files once it is told to end."""
_LEFT_OUT: Final = re.compile(r"could not fetch ([0-9a-f]{40}) from promisor remote")
_MOST_TOLD: Final = 10_000
"""Characters of what git says that are looked at for the reason of a failure."""


@dataclass(frozen=True, slots=True)
class Completed:
    """What one process has printed, and its exit status."""

    status: int
    out: bytes
    said: str


@dataclass(frozen=True, slots=True)
class Git:
    """Git at work in one folder.

    git_dir: of a bare repository, which git takes from a command line alone.
    keeps_index: the index that git hands to a hook before a commit counts.
    only_looks: write nothing on the way, as ``git status`` would, which refreshes the index (git 2.15).
    """

    folder: Path
    git_dir: Path | None = None
    keeps_index: bool = False
    only_looks: bool = False

    def run(
        self,
        words: Sequence[str],
        *,
        stdin: bytes | IO[bytes] = b"",
        env: Mapping[str, str] | None = None,
    ) -> bytes:
        """What ``git WORDS`` prints; raises GitError where it fails."""
        answer = self.ask(words, stdin=stdin, env=env)
        if answer.status:
            raise _failure(words, answer.said)
        return answer.out

    def ask(
        self,
        words: Sequence[str],
        *,
        stdin: bytes | IO[bytes] = b"",
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """What ``git WORDS`` prints and says, also where it fails; raises GitError where it cannot be asked."""
        data, source = (stdin, subprocess.PIPE) if isinstance(stdin, bytes) else (None, stdin)
        process = self._start(words, stdin=source, stderr=subprocess.PIPE, env=env)
        with _ending(process):
            try:
                out, said = process.communicate(data, timeout=DEADLINE)
            except subprocess.TimeoutExpired as error:
                raise self._too_slow(words) from error
        return Completed(process.returncode, out, said.decode("utf-8", "replace"))

    @contextmanager
    def reading(self, words: Sequence[str], *, stdin: bytes) -> Iterator[IO[bytes]]:
        """The stream of what ``git WORDS`` prints.

        It raises GitError where it keeps the reader waiting, and at the end of a process that fails.
        """
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            given.write(stdin)
            given.seek(0)
            process = self._start(words, stdin=given, stderr=said)
            with _ending(process), selectors.DefaultSelector() as selector:
                assert process.stdout is not None
                selector.register(process.stdout, selectors.EVENT_READ)

                def check_end() -> None:
                    try:
                        status = process.wait(DEADLINE)
                    except subprocess.TimeoutExpired as error:
                        raise self._too_slow(words) from error
                    if status:
                        said.seek(0)
                        raise _failure(words, said.read().decode("utf-8", "replace"))

                raw = _Patient(process.stdout.fileno(), lambda: self._wait(selector, words), check_end)
                with io.BufferedReader(raw, 1 << 16) as stream:
                    yield stream

    @contextmanager
    def feeding(self, words: Sequence[str]) -> Iterator[Callable[[bytes], None]]:
        """A function that hands bytes to ``git WORDS``, whose output nobody needs.

        It raises GitError where the process keeps it waiting, BrokenPipeError where that has ended. Whether the
        process succeeds in the end is not looked at.
        """
        with tempfile.TemporaryFile() as said:
            process = self._start(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said)
            with _ending(process), selectors.DefaultSelector() as selector:
                assert process.stdin is not None
                pipe = process.stdin.fileno()
                os.set_blocking(pipe, False)
                selector.register(pipe, selectors.EVENT_WRITE)

                def feed(data: bytes) -> None:
                    while data:
                        self._wait(selector, words)
                        with suppress(BlockingIOError):
                            data = data[os.write(pipe, data) :]

                yield feed
                selector.unregister(pipe)
                process.stdin.close()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(DEADLINE)

    def _start(
        self,
        words: Sequence[str],
        *,
        stdin: int | IO[bytes],
        stderr: int | IO[bytes],
        stdout: int = subprocess.PIPE,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        where = [] if self.git_dir is None else [f"--git-dir={self.git_dir}"]
        try:
            return subprocess.Popen(
                ["git", *where, *PINNED, *words],
                cwd=self.folder,
                env=self._environment() | dict(env or {}),
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
            )
        except OSError as error:
            if not self.folder.is_dir():
                raise GitError(f"there is no folder {self.folder}", cure="name one that is there") from error
            if isinstance(error, FileNotFoundError):
                raise GitError(
                    "there is no `git` on the PATH", code="GIT_MISSING", cure="install git 2.30 or newer"
                ) from error
            raise GitError(
                f"git cannot be started in {self.folder}: {error.strerror}",
                cure=f"`cd {self.folder} && git version` says whether you may",
            ) from error

    def _environment(self) -> dict[str, str]:
        """What git is to see: it speaks English, asks nobody, fetches nothing by itself, and stays in its folder."""
        dropped = set(REPOSITORY_VARIABLES)
        if self.keeps_index:
            dropped.remove("GIT_INDEX_FILE")
        theirs = os.environ.get("GIT_DIR")
        if theirs and Path(theirs).resolve() not in (self.folder.resolve(), target_of(self.folder / ".git")):
            dropped.update(_OBJECT_VARIABLES)
        kept = {name: value for name, value in os.environ.items() if name not in dropped}
        pinned = {"LANGUAGE": "C", "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1"}
        if self.only_looks:
            pinned["GIT_OPTIONAL_LOCKS"] = "0"
        return {**kept, **pinned, "GIT_LITERAL_PATHSPECS": "1"}

    def _wait(self, selector: selectors.BaseSelector, words: Sequence[str]) -> None:
        if not selector.select(DEADLINE):
            raise self._too_slow(words)

    def _too_slow(self, words: Sequence[str]) -> GitError:
        return GitError(
            f"`git {_verb(words)}` has not answered for {DEADLINE:g} seconds in {self.folder}; it was ended",
            code="GIT_TIMEOUT",
            cure=f"`git -C {self.folder} status` shows whether git waits there as well, for a filter or a drive",
        )


class _Patient(io.RawIOBase):
    """A pipe that is waited for before each read."""

    def __init__(self, pipe: int, wait: Callable[[], None], check_end: Callable[[], None]) -> None:
        self._pipe, self._wait, self._check_end = pipe, wait, check_end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        self._wait()
        size = os.readv(self._pipe, [buffer])
        if size == 0:
            self._check_end()
        return size


@contextmanager
def _ending(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Let no process outlive the block, nor wait for one that doesn't end by itself."""
    try:
        yield
    finally:
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        for end in (process.terminate, process.kill):
            if process.poll() is None:
                end()
                with suppress(
                    subprocess.TimeoutExpired
                ):  # not even a kill ends one that waits for a dead drive
                    process.wait(_GRACE)


def target_of(marker: Path) -> Path:
    """The git directory that a ``.git`` is, or names where it is a file; gitrepository-layout(5)."""
    if marker.is_file():
        marker = marker.parent / os.fsdecode(marker.read_bytes()).removeprefix("gitdir:").strip()
    return marker.resolve()


def _failure(words: Sequence[str], said: str) -> GitError:
    """The error of a process that failed; what a partial clone left out has a cure of its own."""
    if left_out := _LEFT_OUT.search(said):
        return GitError(
            f"git object {left_out[1]} is not here: this clone was made with --filter",
            code="MISSING_OBJECT",
            cure="`git fetch --refetch --no-filter` brings what is missing; "
            "`git config --unset remote.origin.partialCloneFilter` keeps later fetches whole",
        )
    return GitError(f"git {_verb(words)} failed: {reason_of(said)}")


def reason_of(said: str) -> str:
    """Why git failed, from what it says on stderr: warnings and progress come before it."""
    lines = said[-_MOST_TOLD:].strip().splitlines()
    reasons = [line.partition(": ")[2] for line in lines if line.startswith(("fatal: ", "error: "))]
    return "\n".join(reasons or lines) or "no reason given"


def _verb(words: Sequence[str]) -> str:
    return next((word for word in words if not word.startswith("-") and "=" not in word), "")
