"""Ctrl-C at any moment: exit 130 without a traceback, and one chance to undo what was begun.

By itself Python raises KeyboardInterrupt wherever it stands: in an import, where nobody catches it; in a finalizer, which
prints it and goes on; in the words of an error. Here it is raised once, and only where it is caught. Otherwise the process
ends at once, which loses nothing: what was not committed is undone, as for a process that is killed.

Next to nothing is imported here: until this module has its say, Python's own way holds.
"""

from __future__ import annotations

import os
import signal
import sys
import types

EXIT = 130
MESSAGE = "interrupted; what was not committed yet was rolled back"

_process = 0
_is_caught = False
_has_come = False


def heed() -> None:
    """End the process with exit code 130 on Ctrl-C from now on, unless whoever started it has that ignored."""
    global _process  # noqa: PLW0603 (a process has one handler of a signal)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        _process = os.getpid()
        sys.unraisablehook = _tell
        signal.signal(signal.SIGINT, _interrupt)


def catch() -> None:
    """Raise KeyboardInterrupt from now on, once: the caller catches it."""
    global _is_caught  # noqa: PLW0603
    _is_caught = True


def has_come() -> bool:
    """Whether KeyboardInterrupt was raised: what fails after that is its consequence."""
    return _has_come


def ignore() -> None:
    """Take no more notice of Ctrl-C: all is done, and the exit code is known."""
    if _process:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _interrupt(_number: int, _frame: types.FrameType | None) -> None:
    global _has_come  # noqa: PLW0603
    if not _is_caught or _has_come or os.getpid() != _process:
        _end()
    _has_come = True
    raise KeyboardInterrupt


def _tell(unraisable: sys.UnraisableHookArgs) -> None:
    """End where a finalizer would print the interruption and go on; print all else as Python does."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        _end()
    sys.__unraisablehook__(unraisable)


def _end() -> None:
    if os.getpid() == _process:  # the one who started a worker tells of it
        from contextlib import suppress

        with suppress(OSError):  # nobody may listen
            os.write(2, f"{MESSAGE}\n".encode())
    os._exit(EXIT)
