"""What the commands share that write a bundle, or read files to put into one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, TypeVar

import click

from gitsync.cli.options import Settings
from gitsync.cli.output import echo, echo_data

if TYPE_CHECKING:
    from typing import Any

    from gitsync.errors import Problem
    from gitsync.stores.bundle import BundleSide
    from gitsync.sync.model import Applied, Change
    from gitsync.workflow.types import Key

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


def read_time(given: str | None) -> str:
    """The time to name, now by default, as the product writes it: UTC with milliseconds."""
    from datetime import UTC, datetime

    from gitsync.workflow.schema import is_date_time

    if given is None:
        return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if not is_date_time(given):
        raise click.BadParameter(
            f"{given!r} is no date and time with an offset, such as 2026-01-31T12:00:00Z",
            param_hint="'--exported-at'",
        )
    return given


def new_bundle(
    settings: Settings, out: str | None, *, exported_at: str, id_of: Callable[[Key], str] | None = None
) -> BundleSide:
    """An empty bundle to export into; it goes to the file `out`, or to standard output."""
    from gitsync.cli.files import write_output
    from gitsync.stores.bundle import BundleSide
    from gitsync.workflow.bundle import Bundle, offline_id

    def write(data: bytes) -> None:
        if _is_file(out):
            write_output(settings, str(out), data)
        else:
            echo_data(data)

    return BundleSide(
        Bundle("the bundle"),
        write=write,
        exported_at=exported_at,
        id_of=id_of or offline_id,
    )


def report_export(
    settings: Settings,
    out: str | None,
    exported: tuple[tuple[Change, ...], Applied],
    warnings: Collection[str],
    *,
    environment: str,
    commit: str | None = None,
) -> None:
    """Say what went into the bundle; where that went to standard output, it is the whole result."""
    for warning in warnings:
        settings.tell(f"warning: {warning}")
    if not _is_file(out):
        return
    changes, applied = exported
    if settings.is_json:
        from gitsync.render.json import export_json, render_json

        value = export_json(
            changes, applied, environment=environment, commit=commit, file=str(out), warnings=warnings
        )
        echo(render_json(value), nl=False)
        return
    from gitsync.render.text import say

    say(settings.console(), f"{len(changes)} workflow{'' if len(changes) == 1 else 's'} in {out}")


def check_files(problems: Iterable[Problem]) -> None:
    """Raise InvalidInput with all `problems`, if there are any."""
    from gitsync.errors import InvalidInput

    if found := sorted(problems):
        rules = {problem.rule for problem in found}
        raise InvalidInput(
            f"{len(found)} problem{'' if len(found) == 1 else 's'} in the files; nothing was written",
            code=rules.pop() if len(rules) == 1 else "INVALID_WORKFLOW",
            problems=found,
            cure="mend the files first",
        )


def _is_file(out: str | None) -> bool:
    """Whether ``--out`` names a file; ``-`` is standard output."""
    return out not in (None, "-")
