"""``test``: the tests beside the workflows, run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from gitsync.commands.project import Project
from gitsync.commands.report import tell_unchecked
from gitsync.commands.running import (
    Source,
    changed_since,
    commit_source,
    commit_tests,
    file_source,
    file_tests,
    path_tests,
)
from gitsync.testing.cases import coverage_of, read_tests, run_cases, select
from gitsync.testing.coverage import Coverage, percent, share_of
from gitsync.testing.selection import selector
from gitsync.testing.suite import Result
from gitsync.testing.testfile import Case


@dataclass(frozen=True, slots=True, kw_only=True)
class TestReport:
    """The results of tests.

    source: where the workflows were from, for people. covered: ``None`` where coverage was not asked for.
    fail_under: the least coverage in percent.
    """

    __test__: ClassVar[bool] = False  # pytest takes a class of this name for one of its own
    kind: ClassVar[str] = "tests"
    source: str
    results: Sequence[Result]
    covered: Sequence[Coverage] | None = None
    fail_under: float | None = None
    error: None = None

    @property
    def is_short(self) -> bool:
        """Whether less is covered than was asked for."""
        if self.fail_under is None or self.covered is None:
            return False
        return share_of(self.covered) * 100 < self.fail_under

    @property
    def notes(self) -> Sequence[str]:
        """What is said on the side: that there is no test, or too little covered."""
        notes = []
        if not self.results:
            notes.append("note: there is no test to run; a test file is tests/NAME.yaml beside gitsync.yaml")
        if self.is_short:
            share = percent(share_of(self.covered or ())).strip()
            notes.append(f"the coverage of {share} is below {self.fail_under:g}%")
        return notes

    @property
    def exit_code(self) -> int:
        """4 where a case failed, or too little is covered, else 0."""
        has_failed = any(result.verdict in ("failed", "error") for result in self.results)
        return 4 if has_failed or self.is_short else 0


def test(
    project: Project,
    *,
    paths: Sequence[Path] = (),
    words: str | None = None,
    since: str | None = None,
    ref: str | None = None,
    actions: Sequence[str] = (),
    with_coverage: bool = False,
    fail_under: float | None = None,
    processes: int | None = None,
    on_result: Callable[[Result], None] = lambda _: None,
) -> TestReport:
    """Run the tests beside gitsync.yaml, or those of `paths`.

    words: cases whose workflow::name has these words, such as ``a and not b``. since: only tests of what has changed
    since this revision. ref: test this commit with its own tests. actions: Python modules whose ACTIONS answer calls.
    fail_under: the least coverage in percent. on_result: told each result as it comes.
    Raises InvalidInput (INVALID_TEST) with every problem of every test file.
    """
    fits = selector(words) if words else lambda _title: True
    source, files = _source(project, ref, paths)
    tell_unchecked(project.context, source.registry)
    is_touched = _touched(project, source, files, since)
    selection = select(
        source, read_tests(files), is_chosen=lambda case: fits(case.title) and is_touched(case)
    )
    results = []
    folder = str(project.git.top / project.prefix)
    for result in run_cases(source, selection, modules=tuple(actions), folder=folder, processes=processes):
        results.append(result)
        on_result(result)
    covered = None
    if with_coverage or fail_under is not None:
        is_whole = not (paths or words or since)
        tested = {case.workflow for case in selection.cases}
        untested = source.keys - tested if is_whole else frozenset()
        covered = coverage_of(source, selection.cases, results, untested=untested)
    return TestReport(source=source.label, results=results, covered=covered, fail_under=fail_under)


def _source(
    project: Project, ref: str | None, paths: Sequence[Path]
) -> tuple[Source, list[tuple[str, bytes]]]:
    """Where the workflows come from, and the test files."""
    if ref is not None:
        side = project.commit_side(ref)
        return commit_source(project, side), list(commit_tests(project, side.commit))
    files = path_tests(project.context.where, paths) if paths else file_tests(project)
    return file_source(project), list(files)


def _touched(
    project: Project, source: Source, files: list[tuple[str, bytes]], since: str | None
) -> Callable[[Case], bool]:
    """Whether a case is about something that has changed; always so without a revision."""
    if since is None:
        return lambda _case: True
    keys, names = changed_since(project, source, files, since)
    return lambda case: case.workflow in keys or case.file in names
