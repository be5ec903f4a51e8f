"""Files that a command is given by name, or on standard input."""

from __future__ import annotations

import sys

from gitsync.cli.options import Settings
from gitsync.errors import GitsyncError


def read_input(settings: Settings, file: str, *, what: str) -> bytes:
    """The content of `file`, a path from the command's folder, or ``-`` for standard input.

    what: such as ``a bundle``, for the message. Raises GitsyncError where it cannot be read.
    """
    if file == "-":
        return sys.stdin.buffer.read()
    from gitsync.stores.disk import read_named

    try:
        return read_named(settings.place(file))
    except OSError as error:
        raise GitsyncError(
            f"cannot read {file}: {error.strerror}",
            code="CANNOT_READ",
            cure=f"give the path of {what}, or - for standard input",
        ) from error


def write_output(settings: Settings, file: str, data: bytes) -> None:
    """Write `file`, a path from the command's folder, in one step; raises GitsyncError where it cannot be."""
    from gitsync.stores.files import write_aside

    path = settings.place(file)
    try:
        write_aside(path, data)
    except OSError as error:
        raise GitsyncError(
            f"cannot write {file}: {error.strerror}",
            code="CANNOT_WRITE",
            cure="check the folder and its rights",
        ) from error
