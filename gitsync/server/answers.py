"""What goes back to a client: JSON, and errors in the product's form with gitsync's code beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gitsync.errors import (
    AccessDenied,
    ConfigError,
    Conflict,
    DuplicateKey,
    GitsyncError,
    InvalidInput,
    LockNotAcquired,
    PlanStale,
    Refused,
)
from gitsync.workflow.canonical import canonical_bytes

JSON: Final = "application/json; charset=utf-8"
RETRY_AFTER: Final = 5
"""Seconds that a client is told to wait, where waiting may help."""
_PIECE: Final = 256 * 1024

_STATUS: Final[Mapping[type[GitsyncError], int]] = {
    InvalidInput: 400,
    Conflict: 409,
    PlanStale: 409,
    Refused: 409,
    DuplicateKey: 409,
    LockNotAcquired: 503,
    AccessDenied: 503,  # the database's own login, or a right that the server lacks: nothing of the client's
    ConfigError: 503,  # likewise: `gitsync.yaml`, the tenant
}
_STATUS_OF_CODE: Final = {
    "DIGEST_MISMATCH": 412,
    "UNKNOWN_KEY": 404,
    "INVALID_KEY": 400,
    "MISSING_REGISTRY": 404,
    "DATABASE_UNREACHABLE": 503,
    "DATABASE_TIMEOUT": 503,
    "UNKNOWN_DATABASE": 503,
    "MISSING_DATABASE": 503,
    "NOT_A_DATABASE": 503,
    "MISSING_TABLES": 503,
    "MISSING_COLUMNS": 503,
    "MISSING_LEDGER": 503,
    "MISSING_TOKENS": 503,
    "LEDGER_VERSION": 503,
}


@dataclass(slots=True)
class HttpError(Exception):
    """An answer that ends a request early, in the product's form."""

    status: int
    code: str
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


class Pieces(Response):
    """An answer that is sent bit by bit, so that its end means that nearly all of it has been taken."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; the server waits where the client does not take what was sent before."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        body = memoryview(self.body)
        for start in range(0, max(1, len(body)), _PIECE):
            end = start + _PIECE
            await send(
                {"type": "http.response.body", "body": bytes(body[start:end]), "more_body": end < len(body)}
            )


def json_answer(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return the value as JSON, every digit of its numbers kept."""
    return written_answer(canonical_bytes(value), status=status, headers=headers)


def written_answer(data: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return JSON that is written already."""
    return Pieces(data, status, {"content-type": JSON, "cache-control": "no-store", **(headers or {})})


def error_answer(error: HttpError) -> Response:
    """Return the product's error body, with the code beside its two fields."""
    body: dict[str, Any] = {"error": error.message, "code": error.code}
    if error.details:
        body["details"] = dict(error.details)
    headers = dict(error.headers)
    if error.status == 503:
        headers.setdefault("retry-after", str(RETRY_AFTER))
    return json_answer(body, status=error.status, headers=headers)


def http_error(error: GitsyncError) -> HttpError:
    """Return what a client is told of an error of gitsync's own.

    The database's address and the server's own words stay in the log where the fault is not the client's.
    """
    status = _STATUS_OF_CODE.get(error.code) or next(
        (_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500
    )
    if status in (500, 503) and not isinstance(error, LockNotAcquired):
        message = (
            "the server cannot use its database now; nothing was written"
            if status == 503
            else "the database refused this; nothing was written"
        )
        return HttpError(status, error.code, message)
    if isinstance(error, LockNotAcquired):
        return HttpError(status, error.code, "another run is writing to the database; nothing was written")
    hint = "; force=true overwrites them" if error.code == "WORKFLOW_KEY_CONFLICT" else ""
    return HttpError(status, error.code, error.message + hint, error.details)
