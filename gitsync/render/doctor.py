"""The report of ``doctor``, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitsync.commands.doctor import DoctorReport, Section
from gitsync.doctor.finding import Level
from gitsync.errors import plural
from gitsync.render.json import finding_json
from gitsync.render.text import print_finding, say

if TYPE_CHECKING:
    from rich.console import Console


def print_text(report: DoctorReport, console: Console, **_: object) -> None:
    """Print the findings section by section, with their cures below, and how many are bad."""
    for section in Section:
        findings = [finding for place, finding in report.findings if place is section]
        if findings:
            say(console, section, style="bold")
        for finding in findings:
            print_finding(console, finding)
    counts = [(report.count(level), level) for level in (Level.ERROR, Level.WARNING)]
    say(console, ", ".join(plural(*row) for row in counts if row[0]) or "all is well")


def as_json(report: DoctorReport, **_: object) -> dict[str, Any]:
    """Return the result as ``-o json`` prints it."""
    return {
        "format": "gitsync.doctor",
        "formatVersion": 1,
        "environment": report.environment,
        "commit": report.commit,
        "findings": [
            {"section": section.value, **finding_json(finding)} for section, finding in report.findings
        ],
        "errors": report.count(Level.ERROR),
        "warnings": report.count(Level.WARNING),
    }
