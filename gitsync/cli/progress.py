"""A progress bar on a terminal, and nothing in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final, TypeVar

from gitsync.cli.options import Settings

T = TypeVar("T")
SMALLEST: Final = 200
"""Fewer things than this are done before a bar is seen."""


def watch(settings: Settings, title: str, items: Iterable[T], total: int) -> Iterator[T]:
    """The items as they come, counted on the terminal."""
    if total < SMALLEST or not is_shown(settings):
        yield from items
        return
    with _bar() as bar:
        yield from bar.track(items, total=total, description=title)


@contextmanager
def counter(settings: Settings, title: str) -> Iterator[Callable[[int, int], None] | None]:
    """A function to tell (done, total) to, or ``None`` where nobody looks; the bar goes when all is done."""
    if not is_shown(settings):
        yield None
        return
    with ExitStack() as stack:
        drawn: list[Any] = []

        def tell(done: int, total: int) -> None:
            if total < SMALLEST:
                return
            if not drawn:
                bar = stack.enter_context(_bar())
                drawn.extend((bar, bar.add_task(title, total=total)))
            drawn[0].update(drawn[1], completed=done)
            if done == total:
                stack.close()
                drawn.clear()

        yield tell


def is_shown(settings: Settings) -> bool:
    """Whether there is a terminal to draw on, and the person wants it."""
    return not settings.quiet and sys.stderr.isatty()


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import Progress

    return Progress(console=Console(stderr=True), transient=True)
