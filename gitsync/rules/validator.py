"""A judge of workflows: which rules apply, how severe what they find is, and where it stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gitsync.errors import Problem
from gitsync.rules.calls import dependency_faults
from gitsync.rules.catalogue import RULES
from gitsync.rules.definition import definition_faults
from gitsync.rules.rule import Fault, Severities, Severity
from gitsync.workflow.registry import Registry
from gitsync.workflow.scan import Path, Scan, json_path
from gitsync.workflow.types import Document


@dataclass(frozen=True, slots=True)
class Judge:
    """How workflows are judged.

    registry: what the runtime offers, ``None`` where nobody knows. settings: the severities of ``gitsync.yaml``.
    reads_text: whether the rules about a file's text count, of which nothing reaches a database.
    """

    registry: Registry | None = None
    settings: Severities = Severities()
    reads_text: bool = False

    def faults(self, document: Document) -> list[Fault]:
        """All that is wrong with `document`, which is in normal form and has the form of a workflow."""
        faults = definition_faults(document, self.registry)
        if self.registry is not None:
            faults += dependency_faults(document, self.registry)
        return faults

    def problems(
        self, faults: Iterable[Fault], found: Scan, *, file: str, key: str, numbers: Sequence[Any] = ()
    ) -> list[Problem]:
        """`faults` with their severities and their places in `found`, sorted; those switched off are left out.

        numbers: of the published versions, in the order of the text.
        """
        problems = []
        for fault in faults:
            rule = RULES[fault.rule]
            is_published = bool(fault.path) and fault.path[0] == "publishedVersions"
            severity = self.settings.severity(rule, is_published=is_published, key=key)
            if severity is Severity.OFF or (rule.is_of_text and not self.reads_text):
                continue
            place = (
                found.locate(fault.path)
                if fault.offset is None
                else found.locate_character(fault.path, fault.offset)
            )
            problem = Problem(file, *place, json_path(fault.path), fault.rule, fault.message, fault.cure, key)
            problems.append(replace(problem, severity=str(severity), part=_part(fault.path, numbers)))
        return sorted(set(problems))

    def problems_without_text(self, document: Document, *, file: str) -> list[Problem]:
        """All that is wrong with `document`, which is in normal form and of which there is no text to point at."""
        numbers = [version["version"] for version in document["publishedVersions"]]
        found = self.problems(
            self.faults(document), Scan(""), file=file, key=document["key"], numbers=numbers
        )
        return [replace(problem, line=0, column=0) for problem in found]

    def held_faults(self, document: Document) -> Counter[tuple[str, str, str]]:
        """How often each (rule, part, message) is found in what a database holds, in normal form."""
        numbers = [version["version"] for version in document["publishedVersions"]]
        return Counter(
            (fault.rule, _part(fault.path, numbers), fault.message) for fault in self.faults(document)
        )


def forgive(problems: Iterable[Problem], held: Counter[tuple[str, str, str]]) -> list[Problem]:
    """`problems`, those that the database holds already no worse than warnings: nobody brings them in."""
    left = Counter(held)
    judged = []
    for problem in problems:
        fact = (problem.rule, problem.part, problem.message)
        if problem.severity == Severity.ERROR and left[fact] > 0:
            left[fact] -= 1
            judged.append(replace(problem, severity=str(Severity.WARNING)))
        else:
            judged.append(problem)
    return judged


def _part(path: Path, numbers: Sequence[Any]) -> str:
    """What of a workflow `path` lies in: ``draft``, ``version 3``, or a field of the metadata."""
    if not path:
        return ""
    if path[0] == "publishedVersions" and len(path) > 1 and isinstance(path[1], int):
        return f"version {numbers[path[1]]}" if path[1] < len(numbers) else "version"
    return "draft" if path[0] == "draft" else ".".join(str(step) for step in path[:2])
