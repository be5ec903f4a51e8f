"""Faults in a value, and where they stand in its text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from gitsync.errors import Problem
from gitsync.workflow.parse import scan_bytes
from gitsync.workflow.scan import Path, Scan, json_path


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a value, at `path`; a Problem once file, line and column are known.

    offset: of the character in the text at `path` that is to blame, ``None`` for the text as a whole.
    """

    path: Path
    rule: str
    message: str
    cure: str = ""
    offset: int | None = None


def problem_of(fault: Fault, text: Scan, *, file: str, key: str = "") -> Problem:
    """Return `fault` as a problem of a file, at its place in `text`."""
    line, column = (
        text.locate(fault.path) if fault.offset is None else text.locate_character(fault.path, fault.offset)
    )
    return Problem(file, line, column, json_path(fault.path), fault.rule, fault.message, fault.cure, key)


def problems_of(faults: Sequence[Fault], data: bytes, *, file: str) -> list[Problem]:
    """Return `faults` with their places in `data`."""
    text = scan_bytes(data)
    return [problem_of(fault, text, file=file) for fault in faults]


def part_of(path: Path, numbers: Sequence[Any]) -> str:
    """Return what of a workflow `path` lies in: ``draft``, ``version 3``, or a field of the metadata.

    numbers: of the published versions, in the order that `path` counts in.
    """
    if not path:
        return ""
    if path[0] == "publishedVersions" and len(path) > 1 and isinstance(path[1], int):
        return f"version {numbers[path[1]]}" if path[1] < len(numbers) else "version"
    return "draft" if path[0] == "draft" else ".".join(str(step) for step in path[:2])


def locate(problems: Sequence[Problem], data: bytes) -> list[Problem]:
    """Return `problems` with line and column of their JSON path in `data`, or of the nearest thing around it."""
    text = scan_bytes(data)
    places = {json_path(path): path for path in text.offsets}

    def place_of(path: str) -> tuple[int, int]:
        while path not in places and path != "$":
            path = path[: max(path.rfind("."), path.rfind("["))] or "$"
        return text.locate(places.get(path, ()))

    located = []
    for problem in problems:
        line, column = place_of(problem.path or "$")
        located.append(replace(problem, line=line, column=column))
    return located
