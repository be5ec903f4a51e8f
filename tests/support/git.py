"""Real git repositories in a few lines, each alone with itself.

Every repository has an identity of its own and sees no configuration but its own: HOME is empty, the
system's configuration is off, and nothing of the caller's ``GIT_*`` gets through.
"""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_KEPT = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ")
_clock = itertools.count(1_700_000_000, 60)


def git_environment(home: Path, **extra: str) -> dict[str, str]:
    """The whole environment of a git process: `home` as HOME, `extra` on top, no ``GIT_*`` of the caller."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    isolated = {"HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    return {**kept, **isolated, **extra}


@dataclass(frozen=True, slots=True)
class TestRepository:
    """A repository on disk; `home` is the empty folder that its git processes take for HOME."""

    __test__ = False  # pytest: not a class of tests

    path: Path
    home: Path

    def git(self, *arguments: str, stdin: str | bytes | None = None, **environment: str) -> str:
        """What ``git ARGUMENTS`` prints, without the last line end; raises AssertionError with its stderr."""
        return self.git_bytes(*arguments, stdin=stdin, **environment).decode().removesuffix("\n")

    def git_bytes(self, *arguments: str, stdin: str | bytes | None = None, **environment: str) -> bytes:
        """The bytes that ``git ARGUMENTS`` prints; raises AssertionError with its stderr."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            env=git_environment(self.home, **environment),
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"git {' '.join(arguments)}: exit {done.returncode}\n{done.stderr.decode()}")
        return done.stdout

    @property
    def head(self) -> str:
        """The commit id of HEAD."""
        return self.git("rev-parse", "HEAD")

    def write(self, name: str, content: str | bytes) -> Path:
        """The path of the file `name`, written with `content`; folders are made."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def commit(self, message: str = "Change", *, allow_empty: bool = False) -> str:
        """The id of a commit of everything in the work tree, later than every commit before it."""
        self.git("add", "--all")
        date = f"{next(_clock)} +0000"
        options = ["--allow-empty"] if allow_empty else []
        self.git("commit", "--quiet", *options, "-m", message, GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date)
        return self.head

    def commit_file(self, name: str, content: str | bytes, message: str | None = None) -> str:
        """The id of a commit that writes the file `name`."""
        self.write(name, content)
        return self.commit(message or f"Write {name}")

    def commit_files(self, files: Mapping[str, str | bytes], message: str = "Write files") -> str:
        """The id of one commit that writes all `files`, path → content."""
        for name, content in files.items():
            self.write(name, content)
        return self.commit(message)

    def remove_file(self, name: str, message: str | None = None) -> str:
        """The id of a commit that deletes the file `name`."""
        (self.path / name).unlink()
        return self.commit(message or f"Delete {name}")

    def merge(self, branch: str, *options: str, message: str | None = None) -> str:
        """The id of HEAD after merging `branch`; a merge commit unless `options` say otherwise."""
        date = f"{next(_clock)} +0000"
        how = options or ("--no-ff",)
        self.git(
            "merge",
            "--quiet",
            *how,
            "-m",
            message or f"Merge {branch}",
            branch,
            GIT_AUTHOR_DATE=date,
            GIT_COMMITTER_DATE=date,
        )
        return self.head


def make_repository(path: Path, *, bare: bool = False, home: Path | None = None) -> TestRepository:
    """An empty repository at `path` with branch ``main``; HOME is an empty folder beside it."""
    path.mkdir(parents=True, exist_ok=True)
    repository = TestRepository(path, home or _make_home(path))
    options = ["--bare"] if bare else []
    repository.git("init", "--quiet", "--template=", "--initial-branch=main", *options)
    return _with_identity(repository)


def clone(origin: TestRepository, path: Path, *options: str) -> TestRepository:
    """A clone of `origin` at `path`; `options` such as ``--depth=1`` need the ``file://`` that it uses."""
    path.parent.mkdir(parents=True, exist_ok=True)
    origin.git("clone", "--quiet", "--template=", *options, origin.path.as_uri(), str(path))
    return _with_identity(TestRepository(path, origin.home))


def make_origin_and_clone(folder: Path) -> tuple[TestRepository, TestRepository]:
    """A bare ``origin.git`` and a ``clone`` of it in `folder`, both without a commit, on ``main``.

    The clone's ``main`` follows ``origin/main``, so ``git push`` needs no arguments.
    """
    origin = make_repository(folder / "origin.git", bare=True)
    return origin, clone(origin, folder / "clone")


def commit_file(
    repository: TestRepository, name: str, content: str | bytes, message: str | None = None
) -> str:
    """The id of a commit in `repository` that writes the file `name`."""
    return repository.commit_file(name, content, message)


def _make_home(path: Path) -> Path:
    home = path.parent / f".home-of-{path.name}"
    home.mkdir(exist_ok=True)
    return home


def _with_identity(repository: TestRepository) -> TestRepository:
    repository.git("config", "user.name", "Test Author")
    repository.git("config", "user.email", "author@example.com")
    return repository
