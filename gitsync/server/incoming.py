"""What comes in with a request: who sent it, its options, its body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import anyio
from starlette.requests import Request

from gitsync.commands.imports import ImportWishes
from gitsync.server.answers import HttpError
from gitsync.server.service import ImportRequest
from gitsync.server.shared import Bounds, Shared
from gitsync.stores.database.tokens import Role, Token
from gitsync.workflow.parse import most_values

COOKIE: Final = "gitsync-token"
_FLAGS: Final = {"1": True, "true": True, "0": False, "false": False}


async def admit(shared: Shared, request: Request, role: Role) -> Token:
    """Return the token of a request that may do what takes `role`; raises HttpError 401 and 403."""
    text, is_cookie = _credentials(request)
    token = await shared.find_token(text)
    if token is None:
        raise HttpError(
            401,
            "UNAUTHORIZED",
            "Unauthorized",
            headers={"www-authenticate": 'Bearer realm="gitsync"'},
        )
    request.state.token_name = token.name
    if role is Role.ADMIN and token.role is not Role.ADMIN:
        raise HttpError(403, "FORBIDDEN", "Forbidden: this takes a token with the role admin")
    origin = request.headers.get("origin")
    if is_cookie and origin is not None and origin.partition("://")[2] != request.headers.get("host"):
        raise HttpError(403, "FORBIDDEN", "Forbidden: a page of another site may not use this cookie")
    return token


def _credentials(request: Request) -> tuple[str, bool]:
    """Return the token of a request, and whether it came as a cookie."""
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return text.strip(), False
    return request.cookies.get(COOKIE, ""), True


async def read_import(shared: Shared, request: Request) -> ImportRequest:
    """Return the import that a request asks for: its query, its conditions, its body; raises HttpError."""
    query = request.query_params
    most = query.get("maxOverwrites")
    if most is not None and not (most.isascii() and most.isdigit() and len(most) < 10):
        raise HttpError(400, "INVALID_PARAMETER", "maxOverwrites is a number, 0 or more")
    update, force = _flag(query, "update"), _FLAGS.get(query.get("force", ""), False)
    if update and force:
        raise HttpError(400, "INVALID_PARAMETER", "update and force are two policies; choose one")
    return ImportRequest(
        await _read_body(shared.bounds, request),
        ImportWishes(
            update=bool(update),
            force=force,
            in_place=_flag(query, "inPlace"),
            discard_runs=bool(_flag(query, "discardRuns")),
            max_overwrites=None if most is None else int(most),
        ),
        dry_run=bool(_flag(query, "dryRun")),
        if_match=request.headers.get("if-match"),
        if_none_match=request.headers.get("if-none-match"),
    )


def _flag(query: Mapping[str, str], name: str) -> bool | None:
    value = query.get(name)
    if value is None:
        return None
    if value not in _FLAGS:
        raise HttpError(400, "INVALID_PARAMETER", f"{name} is 1, true, 0 or false")
    return _FLAGS[value]


async def _read_body(bounds: Bounds, request: Request) -> bytes:
    """Return the whole body; raises HttpError where it is too large, or comes too slowly."""
    too_large = HttpError(
        413,
        "BODY_TOO_LARGE",
        f"the body is larger than {bounds.body} bytes",
        {"limit": bounds.body},
        {"connection": "close"},
    )
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > bounds.body:
        raise too_large
    parts = bytearray()
    try:
        with anyio.fail_after(bounds.upload):
            async for chunk in request.stream():
                parts += chunk
                if len(parts) > bounds.body:
                    raise too_large
    except TimeoutError:
        raise HttpError(
            408,
            "REQUEST_TIMEOUT",
            f"the body did not arrive within {bounds.upload:g} seconds; nothing was written",
            headers={"connection": "close"},
        ) from None
    if most_values(parts) > bounds.values:
        raise HttpError(
            413,
            "BODY_TOO_LARGE",
            f"the body holds more than {bounds.values} values, which would take too much memory",
            {"limit": bounds.values},
        )
    return bytes(parts)
