"""The index: what the next commit will hold."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from gitsync.errors import linked_file, no_regular_file, oversized_file
from gitsync.stores.git.process import Git
from gitsync.stores.git.repository import GitRepository, broken_object

_LINK: Final = "120000"
_REGULAR: Final = ("100644", "100755")
_CHANGES: Final = ("diff", "--cached", "--name-status", "--no-renames", "--no-ext-diff", "-z")


class Index:
    """The files in the index of the repository at `top`, asked for once; it stands where `Disk` does.

    The environment counts: git hands a hook the index of the commit in it.
    """

    def __init__(self, top: Path) -> None:
        self._repository = GitRepository.open(top)
        self.top = top
        self._git = Git(top, keeps_index=True)
        self._contents: dict[str, bytes] = {}
        self._entries: dict[str, tuple[str, str]] = {}
        for record in self._git.run(["ls-files", "--stage", "-z"]).split(b"\0")[:-1]:
            facts, _, path = record.partition(b"\t")
            mode, oid, _ = facts.decode().split(" ")
            self._entries[os.fsdecode(path)] = mode, oid
        fields = self._git.run(_CHANGES).split(b"\0")[:-1]
        changes = {os.fsdecode(path): kind for kind, path in zip(fields[::2], fields[1::2], strict=True)}
        self.staged = [top / path for path, kind in changes.items() if kind != b"D"]
        self.deleted = [top / path for path, kind in changes.items() if kind == b"D"]

    def prepare(self, paths: Iterable[Path]) -> None:
        """Read these files at once, by one process, for `read` to hand out."""
        entries = (self._entries.get(self._name(path), ("", "")) for path in paths)
        oids = {oid for mode, oid in entries if mode in _REGULAR} - self._contents.keys()
        self._contents |= self._repository.read_blobs(sorted(oids))

    def read(self, path: Path, *, most: int | None = None) -> bytes:
        """Return the content of a file of at most so many bytes; see `Disk.read` for what it raises."""
        self._check_way(path)
        name = self._name(path)
        if name not in self._entries:
            raise FileNotFoundError(2, "not in the index", str(path))
        mode, oid = self._entries[name]
        if mode not in _REGULAR:
            raise no_regular_file(str(path))
        self.prepare([path])
        if oid not in self._contents:
            raise broken_object(oid)
        data = self._contents[oid]
        if most is not None and len(data) > most:
            raise oversized_file(str(path), size=len(data), most=most)
        return data

    def names(self, folder: Path) -> dict[str, bool]:
        """Return what stands directly in a folder, and whether it is a regular file."""
        parts = ((path.partition("/"), is_regular) for path, is_regular in self.walk(folder).items())
        return {name: is_regular and not below for (name, _, below), is_regular in parts}

    def walk(self, folder: Path) -> dict[str, bool]:
        """Return the files in a folder and below, by their paths from it, and whether each is a regular one."""
        self._check_way(folder)
        prefix = f"{self._name(folder)}/" if folder != self.top else ""
        return {
            path[len(prefix) :]: mode in _REGULAR
            for path, (mode, _) in sorted(self._entries.items())
            if path.startswith(prefix)
        }

    def is_there(self, path: Path) -> bool:
        """Return whether the index has a file of this name, be it a link."""
        return path.is_relative_to(self.top) and self._name(path) in self._entries

    def is_folder(self, path: Path) -> bool:
        """Return whether the index has a file below."""
        if path == self.top:
            return True
        prefix = f"{self._name(path)}/" if path.is_relative_to(self.top) else "\0"
        return any(name.startswith(prefix) for name in self._entries)

    def _check_way(self, path: Path) -> None:
        for place in (path, *path.parents):
            if place == self.top:
                return
            if self._entries.get(self._name(place), ("", ""))[0] == _LINK:
                raise linked_file(str(place))

    def _name(self, path: Path) -> str:
        return path.relative_to(self.top).as_posix()
