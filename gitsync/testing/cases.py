"""Finding cases and running them: for ``test``, and for the gate of a push."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitsync.errors import InvalidInput, Problem
from gitsync.runtime.functions import load_functions
from gitsync.testing.coverage import Coverage, Point, cover
from gitsync.testing.names import Names, check_names, names_in
from gitsync.testing.suite import Result, Suite, run_suite
from gitsync.testing.testfile import Case, TestFile, read_test_file
from gitsync.workflow.types import Document, Key

if TYPE_CHECKING:
    from gitsync.commands.running import Source


@dataclass(frozen=True, slots=True)
class Selection:
    """The cases to run, and the documents that they need."""

    cases: tuple[Case, ...]
    documents: dict[Key, Document]


def read_tests(files: Iterable[tuple[str, bytes]]) -> list[TestFile]:
    """The test files; raises InvalidInput with every problem of every file."""
    read = [read_test_file(data, file=name) for name, data in files]
    check_problems([problem for file in read for problem in file.problems])
    return read


def select(
    source: Source,
    files: Sequence[TestFile],
    *,
    wanted: Callable[[Case], bool] = lambda _case: True,
) -> Selection:
    """The cases wanted; raises InvalidInput with everything that they name and that is not there."""
    cases = tuple(case for file in files for case in file.cases if wanted(case))
    documents = source.closure({case.workflow for case in cases})
    found: dict[Key, tuple[dict[Key, Document], Names]] = {}
    problems: list[Problem] = []
    for case in cases:
        if case.workflow not in found:
            closure = source.closure([case.workflow])
            found[case.workflow] = closure, names_in(closure.values())
        problems += check_names(case, *found[case.workflow])
    check_problems(problems)
    return Selection(cases, documents)


def run_cases(
    source: Source, selection: Selection, *, modules: Sequence[str], folder: str, processes: int | None = None
) -> Iterator[Result]:
    """The results, in the order of the cases."""
    load = functools.partial(load_functions, tuple(modules), folder=folder)
    suite = Suite(selection.documents, source.registry, load)
    return run_suite(suite, selection.cases, processes=processes or core_count())


def core_count() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def coverage_of(
    source: Source, cases: Sequence[Case], results: Sequence[Result], *, untested: Collection[Key]
) -> list[Coverage]:
    """What was reached of each version that a case is for, and of the workflows that none is for; by key."""
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
            f"the tests have {len(problems)} problem{'' if len(problems) == 1 else 's'}; none was run",
            code="INVALID_TEST",
            problems=tuple(problems),
            cure="mend the test files; schemas/test.schema.json describes them to an editor",
        )
