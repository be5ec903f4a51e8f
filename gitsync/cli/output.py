"""The one door of every output: nothing leaves it that a terminal or a CI system would obey, and no credential."""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import click

from gitsync.masking import credentials_in, mask_values
from gitsync.printable import printable, printable_json, printable_text

if TYPE_CHECKING:
    from rich.console import Console


_hidden: list[str] = []
"""What is masked in every output of this process."""


def hide_credentials() -> None:
    """From here on mask the values of the variables that hold a credential."""
    _hidden[:] = credentials_in(os.environ)


def echo(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print lines of a result, or (`err`) of what is said about it."""
    click.echo(cleaned(printable_text(text)), err=err, nl=nl)


def echo_painted(text: str) -> None:
    """Print a line that is printable already, and has colours or is meant for a CI system."""
    click.echo(cleaned(text))


def echo_data(data: bytes) -> None:
    """Print a file of JSON, byte for byte; on a terminal the same values without what it would obey."""
    click.echo(printable_json(data.decode()) if sys.stdout.isatty() else data, nl=False)


def cleaned(text: str) -> str:
    """`text` without the values of the variables that hold a credential."""
    return mask_values(text, _hidden)


def make_console(*, stderr: bool = False, no_color: bool | None = None) -> Console:
    """What draws a result on standard output, or on standard error."""
    return _console_class()(stderr=stderr, no_color=no_color, highlight=False, soft_wrap=True)


@cache
def _console_class() -> type[Console]:
    from rich.console import Console

    class LineConsole(Console):
        """A console each of whose prints is one line."""

        def print(self, *objects: Any, **how: Any) -> None:
            super().print(*(cleaned(printable(o)) if isinstance(o, str) else o for o in objects), **how)

    return LineConsole
