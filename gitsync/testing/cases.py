"""Choosing cases and running them: for ``test``, and for the gate of a push."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from gitsync.errors import InvalidInput, Problem, plural
from gitsync.runtime.functions import load_functions
from gitsync.testing.coverage import Coverage, Point, cover
from gitsync.testing.names import Names, check_names, names_in
from gitsync.testing.suite import Result, Suite, run_suite
from gitsync.testing.testfile import Case, TestFile, read_test_file
from gitsync.workflow.registry import Registry
from gitsync.workflow.types import Document, Key


class WorkflowSource(Protocol):
    """A place that has the workflows of the cases."""

    @property
    def registry(self) -> Registry | None:
        """What the runtime offers, ``None`` where nothing is said of it."""

    def __call__(self, key: Key) -> Document | None:
        """Return a workflow, ``None`` where there is no such."""

    def closure(self, keys: Iterable[Key]) -> dict[Key, Document]:
        """Return the workflows of `keys` that are there, and all that they call, directly or not."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The cases to run, and the documents that they need."""

    cases: tuple[Case, ...]
    documents: dict[Key, Document]


def read_tests(files: Iterable[tuple[str, bytes]]) -> list[TestFile]:
    """Return the test files; raises InvalidInput with every problem of every file."""
    read = [read_test_file(data, file=name) for name, data in files]
    check_problems([problem for file in read for problem in file.problems])
    return read


def select(
    source: WorkflowSource,
    files: Sequence[TestFile],
    *,
    is_chosen: Callable[[Case], bool] = lambda _case: True,
) -> Selection:
    """Return the cases that `is_chosen` says yes to; raises InvalidInput with everything that they name and that is not there."""
    cases = tuple(case for file in files for case in file.cases if is_chosen(case))
    documents = source.closure({case.workflow for case in cases})
    named: dict[Key, tuple[dict[Key, Document], Names]] = {}
    problems: list[Problem] = []
    for case in cases:
        if case.workflow not in named:
            closure = source.closure([case.workflow])
            named[case.workflow] = closure, names_in(closure.values())
        problems += check_names(case, *named[case.workflow])
    check_problems(problems)
    return Selection(cases, documents)


def run_cases(
    source: WorkflowSource,
    selection: Selection,
    *,
    modules: Sequence[str],
    folder: str,
    processes: int | None = None,
) -> Iterator[Result]:
    """Yield the results, in the order of the cases."""
    load = functools.partial(load_functions, tuple(modules), folder=folder)
    suite = Suite(selection.documents, source.registry, load)
    return run_suite(suite, selection.cases, processes=processes or core_count())


def core_count() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def coverage_of(
    source: WorkflowSource, cases: Sequence[Case], results: Sequence[Result], *, untested: Collection[Key]
) -> list[Coverage]:
    """Return what was reached of each version that a case is for, and of the workflows that none is for; by key."""
    reached: set[Point] = {point for result in results for point in result.reached}
    versions = {(case.workflow, case.start.version): None for case in cases}
    versions |= {(key, None): None for key in untested}
    covered: dict[tuple[Key, str], Coverage] = {}
    for key, version in versions:
        document = source(key)
        if document is not None:
            item = cover(document, version, reached)
            covered[item.workflow, item.version] = item
    return [covered[name] for name in sorted(covered)]


def check_problems(problems: Collection[Problem]) -> None:
    """Raise InvalidInput (INVALID_TEST) where there is a problem."""
    if problems:
        raise InvalidInput(
            f"the tests have {plural(len(problems), 'problem')}; none was run",
            code="INVALID_TEST",
            problems=tuple(problems),
            cure="mend the test files; schemas/test.schema.json describes them to an editor",
        )
