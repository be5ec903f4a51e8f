"""Something that happens while a command runs in this process, at a step that the test chooses."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STEPS = ("ctypes.dlsym", "open", "os.link", "os.mkdir", "os.remove", "os.rename", "subprocess.Popen")
"""Whatever can stand between a look at a file and its change: PEP 578's events, raised before each call."""


@dataclass(slots=True)
class Meanwhile:
    """What happens at step `at`, counted from 0; `steps` is how many there were."""

    place: Path
    at: int
    act: Callable[[], None]
    only_files: bool
    steps: int = 0
    is_acting: bool = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Hear of one event."""
        if event not in STEPS or self.is_acting:
            return
        names = [os.fsdecode(name) for name in arguments if isinstance(name, str | bytes | os.PathLike)]
        is_file = any(name.startswith(str(self.place)) for name in names)
        is_other = event in ("ctypes.dlsym", "subprocess.Popen") and not self.only_files
        if not is_file and not is_other:
            return
        self.steps += 1
        if self.steps == self.at + 1:
            self.is_acting = True
            try:
                self.act()
            finally:
                self.is_acting = False


_hooks: list[Meanwhile] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    for hook in _hooks:
        hook(event, arguments)


_is_listening = False


@contextlib.contextmanager
def meanwhile(
    place: Path, act: Callable[[], None], *, at: int = 0, only_files: bool = False
) -> Iterator[Meanwhile]:
    """Call `act` once, before the step number `at` that touches `place`, or what is in it, or starts a program.

    only_files: programs don't count.
    """
    global _is_listening  # noqa: PLW0603 - an audit hook cannot be taken away again
    if not _is_listening:
        sys.addaudithook(_hear)
        _is_listening = True
    hook = Meanwhile(place, at, act, only_files)
    _hooks.append(hook)
    try:
        yield hook
    finally:
        _hooks.remove(hook)


def save(path: Path, data: bytes, *, in_place: bool) -> None:
    """Save as an editor does: into the file that is there, or beside it and renamed."""
    if in_place:
        path.write_bytes(data)
        return
    beside = path.with_suffix(".swp")
    beside.write_bytes(data)
    beside.replace(path)
