"""Whether a file's name can be that of a workflow, everywhere."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from gitsync.workflow.document import is_key
from gitsync.workflow.rules.rule import Fault

SUFFIX: Final = ".json"
_DEVICES: Final = frozenset(
    {"aux", "con", "nul", "prn", *(f"{name}{number}" for name in ("com", "lpt") for number in range(1, 10))}
)
"""Names that Windows keeps to itself, with any ending.

Source: Microsoft, "Naming Files, Paths, and Namespaces".
"""


def is_workflow_name(name: str) -> bool:
    """Whether a file of this name stands for a workflow, well named or not."""
    return name.lower().endswith(SUFFIX)


def name_fault(name: str, *, is_regular: bool = True) -> Fault | None:
    """What is wrong with a workflow file's own name, or with what stands under it."""
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


def collisions(names: Collection[str]) -> list[tuple[str, Fault]]:
    """An UNPORTABLE_NAME for each name that another one equals but for case."""
    by_name: dict[str, list[str]] = {}
    for name in names:
        by_name.setdefault(name.lower(), []).append(name)
    found = []
    for alike in by_name.values():
        for name in alike if len(alike) > 1 else ():
            other = next(item for item in sorted(alike) if item != name)
            message = f"{name} and {other} are one file where names are not told apart by case"
            found.append((name, Fault((), "UNPORTABLE_NAME", message, "rename one of them")))
    return found
