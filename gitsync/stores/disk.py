"""Files on disk, read through no symbolic link: which there are, and what is in them.

Light, since a hook imports it on every commit.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from gitsync.errors import Problem, linked_file, no_regular_file, oversized_file
from gitsync.rules.names import doubtful_names, find_out_of_place
from gitsync.sync.limits import LARGEST

TESTS: Final = "tests"
"""The folder of the test files, beside gitsync.yaml."""
YAML: Final = (".yaml", ".yml")


class Files(Protocol):
    """Where files are read from: `Disk`, or `Index`."""

    def read(self, path: Path, *, most: int | None) -> bytes:
        """Return the content of a file of at most so many bytes; raises InvalidInput and OSError."""

    def prepare(self, paths: Iterable[Path]) -> None:
        """Be told what will be read, where that makes it cheaper."""

    def names(self, folder: Path) -> Mapping[str, bool]:
        """Return what stands directly in a folder, and whether it is a regular file; nothing without one."""

    def walk(self, folder: Path) -> Mapping[str, bool]:
        """Return the files in a folder and below, by their paths from it, and whether each is a regular one."""

    def is_there(self, path: Path) -> bool:
        """Return whether a file or link stands there."""

    def is_folder(self, path: Path) -> bool:
        """Return whether a folder stands there."""


@dataclass(frozen=True, slots=True)
class Disk:
    """The files below a folder as they stand. What lies behind a symbolic link is not one of them.

    Whoever proposes a change of a repository also chooses its links: followed, they would lead to any file of
    the machine, whose text then stands in a message. What leads to `top` itself may be one.
    """

    top: Path

    @classmethod
    def around(cls, folder: Path) -> Disk:
        """Return the files of the repository that `folder` is in; outside of any, those of the folder."""
        return cls(repository_top(folder) or folder)

    def read(self, path: Path, *, most: int | None = LARGEST) -> bytes:
        """Return the content of a file of at most so many bytes.

        Raises InvalidInput where it is a link or lies behind one, is no file, or is too large; OSError.
        """
        with self._open(path, os.O_NONBLOCK) as handle:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise no_regular_file(str(path))
            if most is not None and status.st_size > most:
                raise oversized_file(str(path), size=status.st_size, most=most)
            with os.fdopen(os.dup(handle), "rb") as file:
                return file.read()

    def prepare(self, paths: Iterable[Path]) -> None:
        """Do nothing: each file is read when its turn comes."""

    def names(self, folder: Path) -> dict[str, bool]:
        """Return what stands directly in a folder, and whether it is a regular file; nothing without one."""
        return {name: is_regular for name, _, is_regular in self._scan(folder)}

    def walk(self, folder: Path) -> dict[str, bool]:
        """Return the files in a folder and below, by their paths from it, and whether each is a regular one.

        Other repositories are passed over.
        """
        files: dict[str, bool] = {}
        for name, is_folder, is_regular in self._scan(folder):
            if not is_folder:
                files[name] = is_regular
            elif name != ".git" and not os.path.lexists(folder / name / ".git"):
                with suppress(PermissionError):  # of another user, such as a server's data
                    files |= {f"{name}/{path}": is_file for path, is_file in self.walk(folder / name).items()}
        return files

    def is_there(self, path: Path) -> bool:
        """Return whether anything stands there, be it a link."""
        return os.path.lexists(path)

    def is_folder(self, path: Path) -> bool:
        """Return whether a folder stands there."""
        return path.is_dir()

    def _scan(self, folder: Path) -> list[tuple[str, bool, bool]]:
        """Return each name in a folder, whether it is a folder, and whether a regular file; sorted."""
        try:
            with self._open(folder, os.O_DIRECTORY) as handle, os.scandir(handle) as entries:
                return sorted(
                    (one.name, one.is_dir(follow_symlinks=False), one.is_file(follow_symlinks=False))
                    for one in entries
                )
        except (FileNotFoundError, NotADirectoryError):
            return []

    @contextmanager
    def _open(self, path: Path, flags: int) -> Iterator[int]:
        """Give a handle of what stands there, opened part by part from the top."""
        parts = path.relative_to(self.top).parts
        handle = os.open(self.top, os.O_RDONLY | (os.O_DIRECTORY if parts else flags))
        try:
            for number, part in enumerate(parts, start=1):
                how = flags if number == len(parts) else os.O_DIRECTORY
                try:
                    inner = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | how, dir_fd=handle)
                except OSError as error:
                    if _is_link(part, handle):
                        raise linked_file(str(self.top.joinpath(*parts[:number]))) from None
                    raise OSError(error.errno, error.strerror, str(path)) from None
                os.close(handle)
                handle = inner
            yield handle
        finally:
            os.close(handle)


def misplaced_files(files: Files, folder: Path, *, shown: str, typed: str | None = None) -> list[Problem]:
    """Return a FILE_OUT_OF_PLACE for each workflow's file in a subfolder of `folder`.

    shown: the folder in messages. typed: in commands, where that differs.
    """
    entries = files.walk(folder)
    names = doubtful_names([name for name, is_regular in entries.items() if is_regular])

    def contents() -> Iterator[tuple[str, bytes]]:
        for name in names:
            with suppress(FileNotFoundError, PermissionError):
                yield name, files.read(folder / name, most=None)

    return find_out_of_place(contents(), folder=shown, taken=entries, typed=typed)


def test_names(files: Files, folder: Path) -> list[str]:
    """Return the paths of the test files in a folder and below, from it; with links to folders, to be refused."""
    return [
        name
        for name, is_regular in files.walk(folder).items()
        if name.endswith(YAML) or (not is_regular and files.is_folder(folder / name))
    ]


def read_named(path: Path) -> bytes:
    """Return the content of a file that a person has named, of a repository or not; raises as `Disk.read`."""
    top = repository_top(path.parent)
    return path.read_bytes() if top is None else Disk(top).read(path, most=None)


def repository_top(folder: Path) -> Path | None:
    """Return the nearest folder, `folder` or above it, that git keeps a repository in."""
    return next((place for place in (folder, *folder.parents) if os.path.lexists(place / ".git")), None)


def _is_link(name: str, handle: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode)
    except OSError:
        return False
