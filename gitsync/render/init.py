"""The report of ``init``, drawn: what differs; all else is said on the side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitsync.commands.init import FileDifference, InitReport
from gitsync.render.text import print_diff, say, unified

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console


def print_text(report: InitReport, console: Console, **_: object) -> None:
    """Print each file that differs, as a unified diff from what is there."""
    for difference in report.differences:
        if difference.is_kept:
            say(console, _title(difference), style="bold")
        print_diff(console, _lines(difference))


def as_json(report: InitReport, **_: object) -> str:
    """Return what the text form prints: the files of ``init`` have no other."""
    lines = [
        line
        for difference in report.differences
        for line in ([_title(difference)] if difference.is_kept else []) + list(_lines(difference))
    ]
    return "".join(f"{line}\n" for line in lines)


def _title(difference: FileDifference) -> str:
    return f"{difference.name} is there already and would be kept; to take over by hand:"


def _lines(difference: FileDifference) -> Iterator[str]:
    old_name = "/dev/null" if difference.before is None else f"a/{difference.name}"
    return unified(difference.before or b"", difference.after, names=(old_name, f"b/{difference.name}"))
