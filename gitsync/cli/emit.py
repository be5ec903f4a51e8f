"""The end of every verb: a report in the form that was asked for, and the exit code."""

from __future__ import annotations

import importlib
from typing import Any, ClassVar, Protocol

import click

from gitsync.cli.options import Settings
from gitsync.errors import GitsyncError


class Report(Protocol):
    """What a command did: ``kind`` names the module of ``gitsync.render`` that draws it.

    error: what it ended with after all else was done. exit_code: of a run that ended without one.
    """

    kind: ClassVar[str]

    @property
    def error(self) -> GitsyncError | None: ...

    @property
    def exit_code(self) -> int: ...


def emit(report: Report, settings: Settings, **wishes: Any) -> int:
    """Print a report as text, JSON, or whatever else was asked for; return the exit code.

    wishes: what the text alone may be asked to hold, such as ``words``.
    Raises the report's error in text form, where it follows the result; in other forms it stands in the result.
    """
    drawing = importlib.import_module(f"gitsync.render.{report.kind}")
    if settings.output == "text":
        drawing.print_text(report, settings.console(), tell=settings.tell, **wishes)
    elif settings.output == "json":
        from gitsync.render.json import render_json

        click.echo(render_json(drawing.as_json(report)), nl=False)
    else:
        click.echo(getattr(drawing, f"render_{settings.output}")(report, **wishes), nl=False)
    if report.error is None:
        return report.exit_code
    if settings.output == "text":
        raise report.error
    if settings.output != "json":
        settings.tell(f"gitsync: {report.error.message} [{report.error.code}]")
    return report.error.exit_code
