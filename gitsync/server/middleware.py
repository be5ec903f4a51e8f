"""What surrounds each request: its id, its line in the access log, its counts, and the last net for errors."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import time
import uuid
from collections.abc import Callable
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gitsync import __version__
from gitsync.server.answers import HttpError, error_answer
from gitsync.server.metrics import Metrics

ACCESS: Final = logging.getLogger("gitsync.server.access")
_log: Final = logging.getLogger(__name__)
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
CLOSED: Final = 499
"""The status in the log of a request whose client has gone, which got no answer."""


class Observed:
    """The outermost layer. Headers, queries and bodies are never logged: they may hold secrets."""

    def __init__(
        self, app: ASGIApp, *, metrics: Metrics, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._app, self._metrics, self._clock = app, metrics, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens inside."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        started, status, sent = self._clock(), 0, 0

        async def observed_send(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                added = ((b"x-request-id", request_id.encode()), (b"gitsync-version", __version__.encode()))
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            else:
                sent += len(message.get("body", b""))
            await send(message)

        self._metrics.in_flight.inc()
        try:
            async with contextlib.AsyncExitStack() as until_sent:
                scope["state"]["until_sent"] = until_sent  # what is let go when the answer has been sent
                await self._answer(scope, receive, observed_send, is_started=lambda: status != 0)
        finally:
            self._metrics.in_flight.dec()
            seconds = self._clock() - started
            route = str(scope.get("gitsync_route", "other"))
            self._metrics.count_request(
                method=scope["method"], route=route, status=status or CLOSED, seconds=seconds
            )
            ACCESS.info(
                "%s",
                json.dumps(
                    {
                        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                        "request": request_id,
                        "client": (scope.get("client") or ["-"])[0],
                        "token": scope["state"].get("token_name"),
                        "method": scope["method"],
                        "path": scope["path"],
                        "status": status or CLOSED,
                        "code": scope["state"].get("error_code"),
                        "bytes": sent,
                        "seconds": round(seconds, 4),
                    }
                ),
            )

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, *, is_started: Callable[[], bool]
    ) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception:
            state: dict[str, Any] = scope["state"]
            _log.exception("request %s failed", state["request_id"])
            if is_started():
                raise
            state["error_code"] = "ERROR"
            answer = error_answer(
                HttpError(
                    500,
                    "ERROR",
                    "internal error; the server's log says more under this request's id",
                    {"request": state["request_id"]},
                )
            )
            await answer(scope, receive, send)


def _request_id(scope: Scope) -> str:
    """Return the client's own id of the request where it sent a decent one, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(text := value.decode("latin-1")):
            return str(text)
    return uuid.uuid4().hex
