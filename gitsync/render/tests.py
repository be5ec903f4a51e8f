"""The results of tests: as text while they come, as JSON, Markdown and JUnit when all are there."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from gitsync.errors import listed
from gitsync.render.text import say
from gitsync.testing.coverage import Coverage, percent, share_of
from gitsync.testing.suite import Result, Verdict

if TYPE_CHECKING:
    from rich.console import Console

    from gitsync.commands.gate import Gate
    from gitsync.commands.test import TestReport

_SIGNS: Final = {
    Verdict.PASSED: "ok   ",
    Verdict.FAILED: "FAIL ",
    Verdict.ERROR: "ERROR",
    Verdict.SKIPPED: "skip ",
}
_SHOWN: Final = 5
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def result_lines(result: Result, *, is_verbose: bool) -> Iterator[str]:
    """One case as text: its verdict, and why."""
    yield f"{_SIGNS[result.verdict]} {result.case.title}"
    if result.verdict is Verdict.SKIPPED:
        yield f"      {result.reasons[0]}"
        return
    if result.verdict is not Verdict.PASSED:
        yield f"      {result.case.file}:{result.case.line}"
        yield from (f"      {reason}" for reason in result.reasons)
    if is_verbose or result.verdict is not Verdict.PASSED:
        yield from (f"      warning: {warning}" for warning in result.warnings)


def summary(results: Sequence[Result]) -> str:
    """Such as ``7 passed, 1 failed``."""
    counts = Counter(result.verdict for result in results)
    words = {
        Verdict.PASSED: "passed",
        Verdict.FAILED: "failed",
        Verdict.ERROR: "in error",
        Verdict.SKIPPED: "skipped",
    }
    return (
        ", ".join(f"{counts[verdict]} {word}" for verdict, word in words.items() if counts[verdict])
        or "no cases"
    )


def coverage_lines(covered: Sequence[Coverage]) -> Iterator[str]:
    """The coverage of each workflow, with the first places that were missed."""
    for item in covered:
        version = "draft" if item.version == "draft" else f"version {item.version}"
        missed = listed([place.describe() for place in item.missed], _SHOWN)
        yield (
            f"{percent(item.share)} {item.workflow}, {version}: {item.reached} of {item.total}"
            + (f"; not reached: {missed}" if missed else "")
        )
    yield f"{percent(share_of(covered))} of all steps and branches"


def render_report(
    results: Sequence[Result], covered: Sequence[Coverage] | None, *, source: str
) -> dict[str, Any]:
    """The result of ``test``."""
    value: dict[str, Any] = {
        "format": "gitsync.test-report",
        "formatVersion": 1,
        "source": source,
        **report_json(results, covered),
    }
    return value


def report_json(results: Sequence[Result], covered: Sequence[Coverage] | None) -> dict[str, Any]:
    """The cases and their coverage, as they also stand in a plan."""
    counts = Counter(result.verdict for result in results)
    return {
        "passed": counts[Verdict.PASSED],
        "failed": counts[Verdict.FAILED] + counts[Verdict.ERROR],
        "skipped": counts[Verdict.SKIPPED],
        "cases": [_case_json(result) for result in results],
        "coverage": None
        if covered is None
        else {
            "share": round(share_of(covered), 4),
            "workflows": [item.as_json() for item in covered],
        },
    }


def _case_json(result: Result) -> dict[str, Any]:
    return {
        "file": result.case.file,
        "line": result.case.line,
        "workflow": result.case.workflow,
        "name": result.case.name,
        "verdict": str(result.verdict),
        "reasons": list(result.reasons),
        "warnings": list(result.warnings),
        "run": result.run,
    }


def render_report_markdown(results: Sequence[Result], covered: Sequence[Coverage] | None) -> Iterator[str]:
    """The results for a pull request: the verdict, what failed and why, the coverage."""
    failed = [result for result in results if result.verdict in (Verdict.FAILED, Verdict.ERROR)]
    yield f"## Tests {'failed' if failed else 'passed'}: {summary(results)}"
    yield ""
    for result in failed:
        yield f"- **{_plain(result.case.title)}** ({_plain(result.case.file)}:{result.case.line})"
        yield from (f"  - {_plain(reason.strip())}" for reason in result.reasons)
    if failed:
        yield ""
    if covered is not None:
        yield "| workflow | version | coverage | not reached |"
        yield "| --- | --- | --- | --- |"
        for item in covered:
            missed = listed([place.describe() for place in item.missed], _SHOWN)
            yield f"| {item.workflow} | {item.version} | {percent(item.share).strip()} | {_plain(missed)} |"


def render_junit(results: Sequence[Result]) -> str:
    """The results as JUnit XML: a suite for each file."""
    root = ET.Element("testsuites", name="gitsync")
    by_file: dict[str, list[Result]] = {}
    for result in results:
        by_file.setdefault(result.case.file, []).append(result)
    for file, found in by_file.items():
        counts = Counter(result.verdict for result in found)
        suite = ET.SubElement(
            root,
            "testsuite",
            name=_xml(file),
            tests=str(len(found)),
            failures=str(counts[Verdict.FAILED]),
            errors=str(counts[Verdict.ERROR]),
            skipped=str(counts[Verdict.SKIPPED]),
            time=f"{sum(result.seconds for result in found):.3f}",
        )
        for result in found:
            _junit_case(suite, result)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _junit_case(suite: ET.Element, result: Result) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=_xml(result.case.workflow),
        name=_xml(result.case.name),
        file=_xml(result.case.file),
        line=str(result.case.line),
        time=f"{result.seconds:.3f}",
    )
    kind = {Verdict.FAILED: "failure", Verdict.ERROR: "error", Verdict.SKIPPED: "skipped"}.get(result.verdict)
    if kind is not None:
        detail = ET.SubElement(case, kind, message=_xml(result.reasons[0] if result.reasons else ""))
        detail.text = _xml("\n".join(result.reasons))
    if result.warnings:
        ET.SubElement(case, "system-out").text = _xml("\n".join(result.warnings))


def _xml(text: str) -> str:
    """`text` without what XML cannot hold."""
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def _plain(text: str) -> str:
    """`text` that Markdown takes as it is."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", text.replace("\n", " "))


def gate_json(gate: Gate) -> dict[str, Any]:
    """Return the member ``tests`` of a plan's JSON; nothing where no test was asked for."""
    if not gate.is_run:
        return {}
    return {"tests": report_json(gate.results, gate.covered) | {"untested": list(gate.untested)}}


def gate_lines(gate: Gate) -> Iterator[str]:
    """Yield the verdict of a plan's tests as text."""
    if not gate.is_run:
        return
    share = (
        f"; {percent(share_of(gate.covered)).strip()} of steps and branches reached" if gate.covered else ""
    )
    yield f"tests: {summary(gate.results)}{share}"
    if gate.untested:
        yield f"  without a test: {', '.join(gate.untested)}"


def print_text(report: TestReport, console: Console, **_: object) -> None:
    """Print the coverage and the verdict; the results themselves were printed as they came."""
    if report.covered is not None:
        for line in coverage_lines(report.covered):
            say(console, line)
    say(console, summary(report.results))


def as_json(report: TestReport, **_: object) -> dict[str, Any]:
    """Return the result as ``-o json`` prints it."""
    return render_report(report.results, report.covered, source=report.source)


def render_markdown(report: TestReport, **_: object) -> str:
    """Return the page of a comment or a job's summary."""
    return "\n".join(render_report_markdown(report.results, report.covered)) + "\n"
