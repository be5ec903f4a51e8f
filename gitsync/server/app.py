"""The application: which path leads to which route, and what becomes of errors."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from gitsync.errors import GitsyncError
from gitsync.server.answers import HttpError, error_answer, http_error
from gitsync.server.middleware import CLOSED, Observed
from gitsync.server.routes import Routes
from gitsync.server.shared import Shared

Handler = Callable[[Request], Awaitable[Response]]
_DEFINITIONS: Final = "/api/workflow-definitions"
_REGISTRY: Final = "/api/workflow/registry"
_log: Final = logging.getLogger(__name__)


def make_app(shared: Shared) -> Starlette:
    """Return the ASGI application over what its requests share."""
    routes = Routes(shared)
    table: dict[str, Handler] = {
        _DEFINITIONS: routes.definitions,
        f"{_DEFINITIONS}/export": routes.export_all,
        f"{_DEFINITIONS}/{{id}}/versions": routes.versions,
        f"{_DEFINITIONS}/{{id}}/export": routes.export,
        f"{_DEFINITIONS}/{{id}}/{{version}}": routes.version,
        f"{_REGISTRY}/actions": routes.actions,
        f"{_REGISTRY}/nodes": routes.nodes,
        f"{_REGISTRY}/schemas/{{ref}}": routes.schema,
        "/healthz": routes.healthz,
        "/readyz": routes.readyz,
        "/metrics": routes.metrics,
        "/openapi.json": routes.describe,
    }
    app = Starlette(
        routes=[
            _route(f"{_DEFINITIONS}/import", routes.import_, "POST"),
            *(_route(path, handler, "GET") for path, handler in table.items()),
        ],
        exception_handlers={
            HttpError: _on_http_error,
            GitsyncError: _on_gitsync_error,
            HTTPException: _on_starlette_error,
            ClientDisconnect: _on_disconnect,
        },
    )
    app.add_middleware(Observed, metrics=shared.metrics)
    return app


def _route(path: str, handler: Handler, method: str) -> Route:
    """Return A route whose pattern the metrics know."""

    async def endpoint(request: Request) -> Response:
        request.scope["gitsync_route"] = path
        return await handler(request)

    return Route(path, endpoint, methods=[method])


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HttpError)
    request.state.error_code = error.code
    return error_answer(error)


async def _on_gitsync_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, GitsyncError)
    answer = http_error(error)
    if answer.status >= 500:
        _log.error("request %s: %s: %s", request.state.request_id, error.code, error.message)
    return await _on_http_error(request, answer)


async def _on_starlette_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}.get(error.status_code, "BAD_REQUEST")
    answer = HttpError(error.status_code, code, str(error.detail), headers=error.headers or {})
    return await _on_http_error(request, answer)


async def _on_disconnect(request: Request, _error: Exception) -> Response:
    """Answer nobody, since the client has gone; the log says so."""
    request.state.error_code = "CLIENT_GONE"
    return Response(status_code=CLOSED)
