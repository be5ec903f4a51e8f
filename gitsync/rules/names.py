"""Whether a file's name can be that of a workflow, everywhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import orjson

from gitsync.errors import Problem
from gitsync.workflow.document import FORMAT, is_key
from gitsync.workflow.faults import Fault
from gitsync.workflow.types import Key

SUFFIX: Final = ".json"
CONFIG_NAME: Final = "gitsync.yaml"
"""The file that makes a folder a project of its own, wherever it lies."""
_HEADER: Final = re.compile(rb'"format"\s*:\s*"' + re.escape(FORMAT.encode()) + rb'"')
_DEVICES: Final = frozenset(
    {"aux", "con", "nul", "prn", *(f"{name}{number}" for name in ("com", "lpt") for number in range(1, 10))}
)
"""Names that Windows keeps to itself, with any ending.

Source: Microsoft, "Naming Files, Paths, and Namespaces".
"""


@dataclass(frozen=True)
class WorkflowTree:
    """Which files of a folder are workflows; one answer for a commit, the index and the disk.

    entries: what stands directly in the folder, by name, and whether it is a regular file.
    """

    entries: Mapping[str, bool]

    @cached_property
    def names(self) -> list[str]:
        """The names that stand for workflows, well named or not, sorted."""
        return sorted(name for name in self.entries if is_workflow_name(name))

    @cached_property
    def keys(self) -> list[Key]:
        """The workflows that there are, sorted by name."""
        return [key for name in self.names if (key := self.key(name)) is not None]

    @cached_property
    def strays(self) -> list[tuple[str, Fault]]:
        """The names that stand for workflows where there can be none, each with what is wrong with it."""
        faults = ((name, self.fault(name)) for name in self.names if self.key(name) is None)
        return [(name, fault) for name, fault in faults if fault is not None]

    def key(self, name: str) -> Key | None:
        """Return the workflow that the file of this name holds, ``None`` where it can be none."""
        return key_of_name(name) if self.entries.get(name, True) else None

    def fault(self, name: str) -> Fault | None:
        """Return what is wrong with a file's name, or with what stands under it."""
        return name_fault(name, is_regular=self.entries.get(name, True))


def is_workflow_name(name: str) -> bool:
    """Return whether a file of this name stands for a workflow, well named or not."""
    return name.lower().endswith(SUFFIX)


def key_of_name(name: str) -> Key | None:
    """Return the key that a file's name says, ``None`` where it says none."""
    stem = name.removesuffix(SUFFIX)
    return Key(stem) if stem != name and is_key(stem) else None


def name_fault(name: str, *, is_regular: bool = True) -> Fault | None:
    """Return what is wrong with a workflow file's own name, or with what stands under it."""
    if not is_regular:
        return Fault((), "INVALID_FILE", "is no regular file", "put the file itself there")
    stem = name.removesuffix(SUFFIX)
    if stem == name:
        return Fault((), "INVALID_KEY", f"the file name {name!r} does not end in .json", "rename the file")
    if not is_key(stem):
        message = f"the file name {stem!r} is no key (lower-case letters, digits, '.', '_', '-'; at most 200)"
        return Fault((), "INVALID_KEY", message, "rename the file and its key")
    if stem.partition(".")[0] in _DEVICES:
        message = f"Windows has no files named {name}: {stem.partition('.')[0]} is a device there"
        return Fault((), "UNPORTABLE_NAME", message, "rename the file and its key")
    return None


def doubtful_names(names: Collection[str]) -> list[str]:
    """Return those of `names`, paths of files from the folder, that may be workflows in a subfolder; sorted.

    What lies beside or below a configuration of its own belongs to another project.
    """
    tops = [name.removesuffix(CONFIG_NAME) for name in names if name.endswith(f"/{CONFIG_NAME}")]
    below = (name for name in names if "/" in name and is_workflow_name(name))
    return sorted(name for name in below if not any(name.startswith(top) for top in tops))


def find_out_of_place(
    contents: Iterable[tuple[str, bytes]], *, folder: str, taken: Collection[str], typed: str | None = None
) -> list[Problem]:
    """Return a FILE_OUT_OF_PLACE for each of `contents`, paths from `folder` and data, that is a workflow's.

    folder: as messages name it. taken: the names directly in it. typed: the folder as one types it in a command,
    where that differs.
    """
    prefix = f"{folder}/" if folder else ""
    typed = folder if typed is None else typed
    return [
        _out_of_place(prefix + path, path, name, typed=f"{typed}/" if typed else "", is_taken=name in taken)
        for path, data in contents
        for name in [path.rpartition("/")[2]]
        if _holds_workflow(data)
    ]


def _holds_workflow(data: bytes) -> bool:
    """Return whether a file says that it is a workflow's, be it one that cannot be read."""
    if FORMAT.encode() not in data and b"\\u" not in data:
        return False
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return _HEADER.search(data) is not None
    return isinstance(value, dict) and value.get("format") == FORMAT


def _out_of_place(file: str, path: str, name: str, *, typed: str, is_taken: bool) -> Problem:
    message = "this workflow lies in a subfolder, where it is neither pushed nor pulled"
    if is_taken:
        place = file.removesuffix(path) + name
        message, cure = f"{message}; {place} is there as well", "keep one of the two"
    else:
        cure = f"`mv -n {shlex.quote(typed + path)} {shlex.quote(typed + name)}`"
    return Problem(file, rule="FILE_OUT_OF_PLACE", message=message, cure=cure)


def collisions(names: Collection[str]) -> list[tuple[str, Fault]]:
    """Return an UNPORTABLE_NAME for each name that another one equals but for case."""
    by_name: dict[str, list[str]] = {}
    for name in names:
        by_name.setdefault(name.lower(), []).append(name)
    faults = []
    for alike in by_name.values():
        for name in alike if len(alike) > 1 else ():
            other = next(item for item in sorted(alike) if item != name)
            message = f"{name} and {other} are one file where names are not told apart by case"
            faults.append((name, Fault((), "UNPORTABLE_NAME", message, "rename one of them")))
    return faults
