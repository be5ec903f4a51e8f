"""What the verbs share that write a bundle."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

from gitsync.cli.options import Settings
from gitsync.cli.output import echo_data

if TYPE_CHECKING:
    from typing import Any

    from gitsync.commands.bundles import ExportReport

F = TypeVar("F", bound="Callable[..., Any]")


def out_options(function: F) -> F:
    """Add the options that say where a bundle goes and which time it names."""
    function = click.option(
        "--exported-at",
        metavar="TIME",
        help="The time that the bundle names, such as 2026-01-31T12:00:00Z: equal exports are then equal bytes.",
    )(function)
    return click.option(
        "--out", metavar="FILE", help="Write the bundle to a file, whole or not at all; else to stdout."
    )(function)


def now() -> str:
    """Return the time as the product writes it: UTC with milliseconds."""
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_time(given: str | None) -> str:
    """Return the time to name, now by default."""
    from gitsync.workflow.schema import is_date_time

    if given is None:
        return now()
    if not is_date_time(given):
        raise click.BadParameter(
            f"{given!r} is no date and time with an offset, such as 2026-01-31T12:00:00Z",
            param_hint="'--exported-at'",
        )
    return given


def emit_bundle(report: ExportReport, settings: Settings, out: str | None) -> int:
    """Write the bundle to the file `out` and print the report, or the bundle itself to standard output."""
    from gitsync.cli.emit import emit
    from gitsync.cli.files import write_output

    is_file = out not in (None, "-")
    if is_file:
        write_output(settings, str(out), report.data)
    else:
        echo_data(report.data)
    for warning in report.warnings:
        settings.tell(f"warning: {warning}")
    return emit(report, settings, file=str(out)) if is_file else report.exit_code
