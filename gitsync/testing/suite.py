"""Running many cases: in as many processes as there are cores at most, each case within its budget."""

from __future__ import annotations

import enum
import math
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from typing import Any, Final

from gitsync.errors import GitsyncError
from gitsync.runtime.interpreter import run_workflow
from gitsync.runtime.limits import Stopped, held
from gitsync.runtime.model import Budget, Options
from gitsync.runtime.redact import Redactor
from gitsync.runtime.stubs import ActionFunction, Outside
from gitsync.testing.coverage import Point
from gitsync.testing.expectations import unmet
from gitsync.testing.testfile import Case
from gitsync.workflow.registry import Registry
from gitsync.workflow.types import Document, Key

CASES_EACH: Final = 250
"""A process more is started for so many cases: fewer are done before it is up."""
_CHUNK: Final = 8


class Verdict(enum.StrEnum):
    """How a case ended; an error is a case that could not be judged."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Result:
    """How one case went; all text redacted. run: the run's JSON where the case failed."""

    case: Case
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    run: Mapping[str, Any] | None = None
    reached: frozenset[Point] = frozenset()


@dataclass(frozen=True, slots=True)
class Suite:
    """What all cases share. documents: every workflow that they run or that those call.

    load_functions: finds the Python actions, once in each process.
    """

    documents: Mapping[Key, Document]
    registry: Registry | None = None
    load_functions: Callable[[], Mapping[str, ActionFunction]] | None = None
    budget: Budget = field(default_factory=Budget)


def run_suite(suite: Suite, cases: Sequence[Case], *, processes: int) -> Iterator[Result]:
    """The result of each case, in their order, as they come.

    processes: the most that may be started; few cases are run in this one.
    """
    count = min(processes, math.ceil(len(cases) / CASES_EACH))
    if count < 2:
        functions = suite.load_functions() if suite.load_functions else {}
        for case in cases:
            yield run_case(suite, case, functions)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_prepare, initargs=(suite,))
    done = 0
    try:
        # The processes inherit that Ctrl-C waits: this one hears it afterwards, and ends them.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            results = pool.map(_run_prepared, cases, chunksize=_CHUNK)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        for result in results:
            done += 1
            yield result
    except BrokenProcessPool:
        for case in cases[done:]:
            reason = "the process that ran it, or a case beside it, was ended from outside or crashed"
            yield Result(case, Verdict.ERROR, (reason,))
    finally:
        pool.shutdown(cancel_futures=True)


def run_case(suite: Suite, case: Case, functions: Mapping[str, ActionFunction]) -> Result:
    """How one case goes; it never raises for what the case does."""
    if case.skip is not None:
        return Result(case, Verdict.SKIPPED, (case.skip,))
    redactor = Redactor(case.setting.secrets)
    started = time.perf_counter()
    document = suite.documents.get(case.workflow)
    if document is None:
        return Result(case, Verdict.ERROR, (f"there is no workflow {case.workflow}",))
    budget = replace(suite.budget, **case.budget)
    outside = Outside(case.setting.stubs, functions, case.setting.script)
    options = Options(now=case.setting.now, budget=budget, secrets=case.setting.secrets, clock=time.monotonic)
    try:
        with held(budget.seconds):
            run = run_workflow(
                document,
                case.start,
                library=suite.documents.get,
                registry=suite.registry,
                outside=outside,
                options=options,
            )
            reasons = unmet(case.expect, run)
    except GitsyncError as error:
        verdict = Verdict.FAILED if isinstance(error, Stopped) else Verdict.ERROR
        return Result(case, verdict, (redactor.text(error.message),), seconds=_since(started))
    unused = [
        f"the script's {entry.kind} {entry.name} was not used" for entry in outside.left if entry.name != "*"
    ]
    return Result(
        case,
        Verdict.FAILED if reasons else Verdict.PASSED,
        tuple(redactor.text(reason) for reason in reasons),
        tuple(redactor.text(warning) for warning in [*run.warnings, *unused]),
        _since(started),
        redactor.value(run.as_json()) if reasons else None,
        frozenset(run.reached),
    )


def _since(started: float) -> float:
    return time.perf_counter() - started


_PREPARED: list[tuple[Suite, Mapping[str, ActionFunction]]] = []


def _prepare(suite: Suite) -> None:
    _PREPARED.append((suite, suite.load_functions() if suite.load_functions else {}))


def _run_prepared(case: Case) -> Result:
    suite, functions = _PREPARED[0]
    return run_case(suite, case, functions)
