"""The report of ``validate``, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitsync.commands.validate import ValidateReport
from gitsync.errors import Problem, plural
from gitsync.render.lines import Lines
from gitsync.render.problems import iter_text


def write_text(report: ValidateReport, lines: Lines) -> None:
    """Write the problems as a compiler does, and how many there are."""
    for line in iter_text(report.problems, read_line=report.read_line, paint=lines.paint):
        lines.write_painted(line)
    lines.tell(count_text(report.problems, len(report.files)))


def write_github(report: ValidateReport, lines: Lines) -> None:
    """Write the problems as workflow commands of GitHub Actions, and how many there are."""
    from gitsync.render.github import iter_commands

    for line in iter_commands(report.problems):
        lines.write_painted(line)
    lines.tell(count_text(report.problems, len(report.files)))


def as_json(report: ValidateReport) -> dict[str, Any]:
    """Return the result as ``-o json`` prints it."""
    items = [problem.as_json() for problem in report.problems]
    errors = sum(item["severity"] == "error" for item in items)
    return {
        "format": "gitsync.validate",
        "formatVersion": 1,
        "files": len(report.files),
        "errors": errors,
        "warnings": len(items) - errors,
        "problems": items,
    }


def render_sarif(report: ValidateReport) -> str:
    """Return the problems as code scanning services read them."""
    from gitsync.render.json import render_json
    from gitsync.render.sarif import sarif_json
    from gitsync.rules.catalogue import RULES

    return render_json(sarif_json(report.problems, RULES.values()))


def render_junit(report: ValidateReport) -> str:
    """Return the files as test cases, which fail where they have an error."""
    from gitsync.render.junit import junit_text

    return junit_text(report.problems, report.files)


def count_text(problems: Sequence[Problem], files: int) -> str:
    """Return one line that counts."""
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = len(problems) - errors
    words = [plural(errors, "error")] if errors else []
    words += [plural(warnings, "warning")] if warnings else []
    return f"{' and '.join(words) or 'no problems'} in {plural(files, 'file')}"
