"""The end of every verb: a report in the form that was asked for, and the exit code."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import click

from gitsync.cli.options import Settings
from gitsync.cli.output import echo, echo_painted
from gitsync.commands.report import Report

_COLOURS: Final[Mapping[str, Mapping[str, Any]]] = {
    "file": {"bold": True},
    "error": {"fg": "red", "bold": True},
    "warning": {"fg": "yellow", "bold": True},
    "quiet": {"dim": True},
    "caret": {"fg": "green", "bold": True},
}


def emit(report: Report, settings: Settings, **wishes: Any) -> int:
    """Print a report as text, JSON, or whatever else was asked for; return the exit code.

    wishes: what the drawing is asked for, such as ``words``.
    Raises the report's error in text form, where it follows the result; in other forms it stands in the result.
    """
    drawing = importlib.import_module(f"gitsync.render.{report.kind}")
    if write := getattr(drawing, f"write_{settings.output}", None):  # without rich: hooks run these
        write(report, Terminal(settings), **wishes)
    elif settings.output == "text":
        drawing.print_text(report, settings.console(), tell=settings.tell, **wishes)
    elif settings.output == "json":
        from gitsync.render.json import render_json

        value = drawing.as_json(report, **wishes)
        echo(value if isinstance(value, str) else render_json(value), nl=False)
    else:
        echo(getattr(drawing, f"render_{settings.output}")(report, **wishes), nl=False)
    for note in report.notes:
        settings.tell(note)
    if report.error is None:
        return report.exit_code
    if settings.output == "text":
        raise report.error
    if settings.output != "json":
        settings.tell(f"gitsync: {report.error.message} [{report.error.code}]")
    return report.error.exit_code


@dataclass(frozen=True, slots=True)
class Terminal:
    """Standard output and standard error, line by line: see `gitsync.render.lines.Lines`."""

    settings: Settings

    def write(self, line: str) -> None:
        """Print a line of the result."""
        echo(line)

    def write_painted(self, line: str) -> None:
        """Print a line of the result that is printable already, and has colours or is meant for a CI system."""
        echo_painted(line)

    def complain(self, line: str) -> None:
        """Print a line on standard error, also with ``-q``."""
        echo(line, err=True)

    def tell(self, text: str) -> None:
        """Say something on the side, unless ``-q`` forbids it."""
        self.settings.tell(text)

    def paint(self, text: str, what: str) -> str:
        """Return the text in the colours of what it is, on a terminal whose user has not refused them."""
        is_plain = self.settings.no_color or bool(self.settings.variables.get("NO_COLOR"))
        return text if is_plain or not sys.stdout.isatty() else click.style(text, **_COLOURS[what])
