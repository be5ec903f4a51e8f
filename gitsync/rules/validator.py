"""What is wrong with workflows: which rules apply, how severe what they find is, and where it stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gitsync.errors import Problem
from gitsync.rules.calls import dependency_faults
from gitsync.rules.catalogue import RULES
from gitsync.rules.definition import definition_faults
from gitsync.rules.layout import layout_faults
from gitsync.rules.rule import Severities, Severity
from gitsync.workflow.faults import Fault, part_of, problem_of
from gitsync.workflow.parse import scan_bytes
from gitsync.workflow.reading import WorkflowFile
from gitsync.workflow.registry import Registry
from gitsync.workflow.scan import Scan
from gitsync.workflow.types import Document


@dataclass(frozen=True, slots=True)
class Validator:
    """Which rules workflows are held to.

    registry: what the runtime offers, ``None`` where nobody knows. settings: the severities of ``gitsync.yaml``.
    reads_text: whether the rules about a file's text count, of which nothing reaches a database.
    """

    registry: Registry | None = None
    settings: Severities = Severities()
    reads_text: bool = False

    def check(self, file: WorkflowFile) -> tuple[Problem, ...]:
        """Return everything that is wrong with one file, each with its place, sorted."""
        if file.unreadable:
            return file.unreadable
        faults = list(file.faults)
        if file.document is not None and file.has_header:
            faults += file.in_order_of_text(self.faults(file.document))
            faults += layout_faults(file) if self.reads_text else ()
        return self._place(faults, file, key=file.key or "")

    def place(self, faults: Sequence[Fault], file: WorkflowFile) -> tuple[Problem, ...]:
        """Return `faults` of the document of `file`, seen by other means, as problems of the file, sorted."""
        if file.document is None:
            return ()
        return self._place(file.in_order_of_text(faults), file, key=file.document["key"])

    def _place(self, faults: Sequence[Fault], file: WorkflowFile, *, key: str) -> tuple[Problem, ...]:
        if not faults:
            return ()  # to know where everything stands takes milliseconds a file
        text = scan_bytes(file.data)
        return tuple(self.problems(faults, text, file=file.name, key=key, numbers=file.version_numbers))

    def faults(self, document: Document) -> list[Fault]:
        """Return all that is wrong with `document`, which is in normal form and has the form of a workflow."""
        faults = definition_faults(document, self.registry)
        if self.registry is not None:
            faults += dependency_faults(document, self.registry)
        return faults

    def problems(
        self, faults: Iterable[Fault], text: Scan, *, file: str, key: str, numbers: Sequence[Any] = ()
    ) -> list[Problem]:
        """Return `faults` with their severities and their places in `text`, sorted, without those switched off.

        numbers: of the published versions, in the order of the text.
        """
        problems = []
        for fault in faults:
            rule = RULES[fault.rule]
            is_published = bool(fault.path) and fault.path[0] == "publishedVersions"
            severity = self.settings.severity(rule, is_published=is_published, key=key)
            if severity is Severity.OFF or (rule.is_of_text and not self.reads_text):
                continue
            problem = problem_of(fault, text, file=file, key=key)
            problems.append(replace(problem, severity=str(severity), part=part_of(fault.path, numbers)))
        return sorted(set(problems))

    def problems_without_text(self, document: Document, *, file: str) -> list[Problem]:
        """Return all that is wrong with `document`, which is in normal form and has no text to point at."""
        numbers = [version["version"] for version in document["publishedVersions"]]
        problems = self.problems(
            self.faults(document), Scan(""), file=file, key=document["key"], numbers=numbers
        )
        return [replace(problem, line=0, column=0) for problem in problems]

    def count_faults(self, document: Document) -> Counter[tuple[str, str, str]]:
        """Return how often each (rule, part, message) is there in what a database holds, in normal form."""
        numbers = [version["version"] for version in document["publishedVersions"]]
        return Counter(
            (fault.rule, part_of(fault.path, numbers), fault.message) for fault in self.faults(document)
        )


def forgive(problems: Iterable[Problem], stored: Counter[tuple[str, str, str]]) -> list[Problem]:
    """Return `problems`, those that the database has already no worse than warnings: nobody brings them in.

    stored: see `Validator.count_faults`.
    """
    left = Counter(stored)
    forgiven = []
    for problem in problems:
        fact = (problem.rule, problem.part, problem.message)
        if problem.severity == Severity.ERROR and left[fact] > 0:
            left[fact] -= 1
            forgiven.append(replace(problem, severity=str(Severity.WARNING)))
        else:
            forgiven.append(problem)
    return forgiven
