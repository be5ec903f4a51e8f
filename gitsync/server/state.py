"""What all requests share: the service, its bounds, and the turn to write."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import anyio
from anyio import to_thread

from gitsync.server.answers import HttpError
from gitsync.server.metrics import Metrics
from gitsync.server.service import READERS, Service
from gitsync.sync.limits import Limits
from gitsync.workflow.rules.rule import Settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one request may take: bytes of its body, seconds to send it, and seconds to wait for its turn."""

    body: int = 64 * 1024 * 1024
    upload: float = 60.0
    turn: float = 60.0


@dataclass(slots=True)
class Server:
    """What all requests share; one import is written at a time.

    rules: the severities of the rules that an import is judged by.
    """

    service: Service
    limits: Limits
    rules: Settings = Settings()
    bounds: Bounds = Bounds()
    is_stopping: bool = False
    metrics: Metrics = field(default_factory=Metrics)
    _readers: anyio.CapacityLimiter | None = None
    _writer: anyio.Lock | None = None

    async def call(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """What a blocking function gives, called in a thread."""
        if self._readers is None:
            self._readers = anyio.CapacityLimiter(READERS)
        return await to_thread.run_sync(partial(function, *arguments, **named), limiter=self._readers)

    @contextlib.asynccontextmanager
    async def turn_to_write(self) -> AsyncIterator[None]:
        """Wait for the imports before; none begins any more where the server is about to stop."""
        if self._writer is None:
            self._writer = anyio.Lock()
        try:
            with anyio.fail_after(self.bounds.turn):
                await self._writer.acquire()
        except TimeoutError:
            raise HttpError(
                503, "SYNC_IN_PROGRESS", "other imports took too long; nothing was written"
            ) from None
        try:
            if self.is_stopping:
                raise HttpError(503, "STOPPING", "the server is about to stop; nothing was written")
            yield
        finally:
            self._writer.release()

    @staticmethod
    async def write(function: Callable[[], T]) -> T:
        """What a blocking function gives that writes; it runs to its end whatever becomes of the client."""
        return await to_thread.run_sync(function, limiter=anyio.CapacityLimiter(1))
