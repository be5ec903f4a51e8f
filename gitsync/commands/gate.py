"""The tests in front of a deploy: what a plan would write is run before it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gitsync.errors import GitsyncError, InvalidInput, plural
from gitsync.sync.model import Action
from gitsync.testing.coverage import percent
from gitsync.workflow.types import Key

if TYPE_CHECKING:
    from gitsync.commands.project import Project
    from gitsync.stores.git.commit import CommitSide
    from gitsync.sync.plan import Plan
    from gitsync.testing.coverage import Coverage
    from gitsync.testing.suite import Result


@dataclass(frozen=True, slots=True)
class Gate:
    """What the tests of a plan came to.

    covered: of the keys that the plan writes. untested: of these, the ones that no case is for.
    obstacle: why the plan must not be written.
    """

    results: Sequence[Result] = ()
    covered: Sequence[Coverage] = ()
    untested: Sequence[Key] = ()
    obstacle: GitsyncError | None = None
    is_run: bool = True

    def check(self) -> None:
        """Raise what speaks against the plan."""
        if self.obstacle is not None:
            raise self.obstacle


NO_GATE = Gate(is_run=False)


def run_gate(project: Project, side: CommitSide, plan: Plan, *, is_asked: bool) -> Gate:
    """The tests of what `plan` writes and of what calls it, run on the commit's definitions.

    is_asked: on the command line; an environment may require it. Raises InvalidInput (INVALID_TEST).
    """
    environment = project.environment
    if not (is_asked or environment.require_tests) or side.revision is None:
        return NO_GATE
    written = tuple(change.key for change in plan.changes if change.action is not Action.DELETE)
    if not written:
        return NO_GATE if not is_asked else Gate()
    return _run(project, side, written)


@dataclass(slots=True)
class _Reasons:
    """Why a plan is stopped: lines for a person, and the code of the first kind."""

    codes: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def add(self, code: str, part: str, lines: Sequence[str]) -> None:
        self.codes.append(code)
        self.parts.append(part)
        self.lines += lines


def _run(project: Project, side: CommitSide, written: Sequence[Key]) -> Gate:
    from gitsync.commands.running import commit_source, commit_tests
    from gitsync.testing.cases import coverage_of, read_tests, run_cases, select

    source = commit_source(project, side)
    touched = source.callers_of(written)
    files = read_tests(commit_tests(project, side.commit))
    selection = select(source, files, is_chosen=lambda case: case.workflow in touched)
    folder = str(project.git.top / project.prefix)
    results = list(run_cases(source, selection, modules=(), folder=folder))
    tested = {case.workflow for case in selection.cases if case.skip is None}
    untested = [key for key in sorted(written) if key not in tested]
    cases_of_written = [case for case in selection.cases if case.workflow in set(written)]
    covered = coverage_of(source, cases_of_written, results, untested=untested)
    return Gate(results, covered, untested, _obstacle(project, results, covered, untested))


def _obstacle(
    project: Project, results: Sequence[Result], covered: Sequence[Coverage], untested: Sequence[Key]
) -> GitsyncError | None:
    environment = project.environment
    reasons = _Reasons()
    failed = [result for result in results if result.verdict in ("failed", "error")]
    if failed:
        lines = [
            f"{result.case.title}: {'; '.join(reason.strip() for reason in result.reasons)}"
            for result in failed
        ]
        reasons.add("TESTS_FAILED", f"{plural(len(failed), 'test')} failed", lines)
    if environment.require_tests and untested:
        part = f"{plural(len(untested), 'workflow')} without a test, which {environment.name} requires"
        reasons.add("TESTS_MISSING", part, [f"{key}: no test" for key in untested])
    least = environment.require_coverage
    short = (
        [] if least is None else [c for c in covered if c.share < least and c.workflow not in set(untested)]
    )
    if least is not None and short:
        lines = [
            f"{item.workflow}, version {item.version}: {percent(item.share).strip()}, not reached: "
            + ", ".join(place.describe() for place in item.missed[:5])
            for item in short
        ]
        part = (
            f"{plural(len(short), 'workflow')} covered below {least:.0%}, which {environment.name} requires"
        )
        reasons.add("COVERAGE_TOO_LOW", part, lines)
    if not reasons.codes:
        return None
    return InvalidInput(
        f"{'; '.join(reasons.parts)}; nothing was written",
        code=reasons.codes[0],
        lines=reasons.lines,
        details={"reasons": reasons.lines},
        cure="`gitsync test --coverage` runs the same here; mend the workflows or their tests, and commit",
    )
