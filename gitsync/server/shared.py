"""What all requests share: the service, its bounds, the lanes of work, and the turn to write."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import anyio
from anyio import to_thread

from gitsync.errors import GitsyncError
from gitsync.server.answers import HttpError, http_error
from gitsync.server.lanes import Lane, Recent
from gitsync.server.metrics import Metrics
from gitsync.server.service import BODIES, READERS, STRANGERS, WHOLE, Service
from gitsync.stores.database.tokens import Token, is_token

T = TypeVar("T")
VERDICT_SECONDS: Final = 2.0
"""How long a verdict on a token holds, and so how late a revocation is seen."""
READY_SECONDS: Final = 1.0
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one request may take: bytes of its body, seconds to send it, and seconds to wait for its turn.

    head: seconds for a request's first lines. idle: seconds between two requests of a connection.
    connections: how many there may be.
    """

    body: int = 32 * 1024 * 1024
    upload: float = 60.0
    turn: float = 60.0
    head: float = 10.0
    idle: float = 30.0
    connections: int = 512

    @property
    def values(self) -> int:
        """Return how many JSON values a body may hold: twice as many as workflows have in as many bytes."""
        return max(1000, self.body // 24)


@dataclass(slots=True)
class Shared:
    """What all requests share; one import is written at a time.

    clock: seconds, from anywhere.
    readers, strangers: the lanes of those who are signed in, and of those of whom that isn't known yet.
    whole, bodies: those of what takes much memory: all workflows in one answer, and what is to be imported.
    """

    service: Service
    bounds: Bounds = Bounds()
    clock: Callable[[], float] = time.monotonic
    is_stopping: bool = False
    metrics: Metrics = field(default_factory=Metrics)
    readers: Lane = field(init=False)
    strangers: Lane = field(init=False)
    whole: Lane = field(init=False)
    bodies: Lane = field(init=False)
    _writer: asyncio.Lock = field(default_factory=asyncio.Lock)
    _verdicts: Recent[str, Token | None] = field(init=False)
    _signed_in: set[str] = field(default_factory=set)
    _readiness: Recent[None, HttpError | None] = field(init=False)

    def __post_init__(self) -> None:
        self.readers = Lane(READERS, queue=1000, patience=self.bounds.turn)
        self.strangers = Lane(STRANGERS, queue=64, patience=self.bounds.turn)
        self.whole = Lane(WHOLE, queue=100, patience=self.bounds.turn)
        self.bodies = Lane(BODIES, queue=1000, patience=self.bounds.turn)
        self._verdicts = Recent(VERDICT_SECONDS, most=1024, clock=self.clock)
        self._readiness = Recent(READY_SECONDS, clock=self.clock)

    async def call(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Return what a blocking function gives, called in a thread for one who is signed in."""
        return await self.readers.call(function, *arguments, **named)

    async def find_token(self, text: str) -> Token | None:
        """Return the token in use that `text` is; a verdict holds for VERDICT_SECONDS."""
        if not is_token(text):
            return None
        name = hashlib.sha256(text.encode()).hexdigest()  # the token itself is kept nowhere

        async def ask() -> Token | None:
            lane = self.readers if name in self._signed_in else self.strangers
            token = await lane.call(self.service.find_token, text)
            (self._signed_in.discard if token is None else self._signed_in.add)(name)
            return token

        return await self._verdicts.get(name, ask)

    async def check_ready(self) -> None:
        """Raise HttpError where an import could not be written now; looks at most once in READY_SECONDS."""
        if self.is_stopping:
            self.metrics.ready.set(0)
            raise HttpError(503, "STOPPING", "the server is about to stop")
        error = await self._readiness.get(None, self._find_obstacle)
        if error is not None:
            raise error.with_traceback(None)

    async def _find_obstacle(self) -> HttpError | None:
        """Return what stands in the way of an import now."""
        self.metrics.ready.set(0)
        try:
            await self.strangers.call(self.service.check_ready)
        except GitsyncError as error:
            _log.error("not ready: %s: %s", error.code, error.message)
            return http_error(error)
        self.metrics.ready.set(1)
        return None

    @contextlib.asynccontextmanager
    async def turn_to_write(self) -> AsyncIterator[None]:
        """Wait for the imports before; none begins any more where the server is about to stop."""
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
            with self.metrics.importing.track_inprogress():
                yield
        finally:
            self._writer.release()

    @staticmethod
    async def write(function: Callable[[], T]) -> T:
        """Return what a blocking function gives that writes; it runs to its end whatever becomes of the client."""
        return await to_thread.run_sync(function, limiter=anyio.CapacityLimiter(1))
