"""Who is let in when, and what is asked but once: so that no kind of work can take another's room."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from functools import partial
from typing import Any, Generic, TypeVar

from anyio import to_thread

from gitsync.server.answers import HttpError

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


class Lane:
    """Room for `width` pieces of one kind of work at a time.

    Others wait for at most `patience` seconds, and at most `queue` of them; who cannot wait is told to come back.
    """

    def __init__(self, width: int, *, queue: int, patience: float) -> None:
        self._room = asyncio.Semaphore(width)
        self._queue, self._patience = queue, patience
        self.waiting = 0

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold one place; raises HttpError 503 (SERVER_BUSY) where none comes free."""
        if self.waiting >= self._queue:
            raise _busy()
        self.waiting += 1
        try:
            async with asyncio.timeout(self._patience):
                await self._room.acquire()
        except TimeoutError:
            raise _busy() from None
        finally:
            self.waiting -= 1
        try:
            yield
        finally:
            self._room.release()

    async def call(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Return what a blocking function gives, called in a thread."""
        async with self.turn():
            return await to_thread.run_sync(partial(function, *arguments, **named))


class Recent(Generic[K, T]):
    """The answers of the last `seconds`, at most `most` of them: who asks meanwhile, or at one moment, shares one.

    An error is shared by those who wait for it, and not kept. Use it in one event loop.
    """

    def __init__(self, seconds: float, *, most: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._most, self._clock = seconds, most, clock
        self._held: OrderedDict[K, tuple[float, asyncio.Future[T]]] = OrderedDict()

    async def get(self, key: K, ask: Callable[[], Awaitable[T]]) -> T:
        """Return the answer to `key`, which `ask` finds; an answer's age counts from when it was asked for."""
        asked_at, task = self._held.get(key, (0.0, None))
        if task is None or (task.done() and (_error(task) or self._clock() - asked_at >= self._seconds)):
            task = asyncio.ensure_future(ask())
            task.add_done_callback(_error)  # somebody has looked at it, even if nobody waits any more
            self._held[key] = self._clock(), task
            self._held.move_to_end(key)
            if len(self._held) > self._most:
                self._held.popitem(last=False)
        return await asyncio.shield(task)  # who goes away does not take the answer from the others


def _error(task: asyncio.Future[Any]) -> BaseException | None:
    return None if task.cancelled() else task.exception()


def _busy() -> HttpError:
    return HttpError(503, "SERVER_BUSY", "too much is asked at one time; nothing was written, try again")
