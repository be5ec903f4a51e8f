"""The end of every verb: a report in the form that was asked for, and the exit code."""

from __future__ import annotations

import importlib
from typing import Any

from gitsync.cli.options import Settings
from gitsync.cli.output import echo
from gitsync.commands.report import Report


def emit(report: Report, settings: Settings, **wishes: Any) -> int:
    """Print a report as text, JSON, or whatever else was asked for; return the exit code.

    wishes: what the drawing is asked for, such as ``words``.
    Raises the report's error in text form, where it follows the result; in other forms it stands in the result.
    """
    drawing = importlib.import_module(f"gitsync.render.{report.kind}")
    if settings.output == "text":
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
