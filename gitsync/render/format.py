"""The report of ``fmt``, drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitsync.commands.format import FormatReport, Reformatted
from gitsync.render.lines import Lines


def write_text(report: FormatReport, lines: Lines) -> None:
    """Write what changed, which files those were, which were left alone, and how many there are."""
    for difference in report.differences:
        for line in _difference_lines(difference):
            lines.write(line)
    for name in report.changed:
        lines.write(f"{'would reformat' if report.check else 'reformatted'} {name}")
    for problem in report.problems:
        lines.complain(f"left alone: {problem}")
    changed = len(report.changed)
    left = max(0, report.files - changed - len({problem.file for problem in report.problems}))
    lines.tell(f"{changed} {'to reformat' if report.check else 'reformatted'}, {left} as they should be")


def as_json(report: FormatReport) -> dict[str, Any]:
    """Return the result as ``-o json`` prints it."""
    return {
        "format": "gitsync.fmt",
        "formatVersion": 1,
        "files": report.files,
        "check": report.check,
        "changed": list(report.changed),
        "problems": [problem.as_json() for problem in report.problems],
    }


def _difference_lines(difference: Reformatted) -> Iterator[str]:
    """Yield the lines of a unified diff, without the secrets in them."""
    import difflib
    import re

    from gitsync.rules.masked import Masker
    from gitsync.workflow.reading import read_stored_document

    name = difference.name
    masker = Masker()
    masker.document(read_stored_document(difference.after, file=name))
    before, after = (
        re.findall(r"[^\n]*\n|[^\n]+", data.decode("utf-8", "replace"))
        for data in (difference.before, difference.after)
    )
    for line in difflib.unified_diff(before, after, f"a/{name}", f"b/{name}"):
        shown = masker.line(line)
        yield shown.removesuffix("\n") if shown.endswith("\n") else f"{shown}\n\\ No newline at end of file"
