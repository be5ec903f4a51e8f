"""The reports of ``token``, drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gitsync.commands.tokens import TokenReport
from gitsync.render.json import head
from gitsync.render.text import say

if TYPE_CHECKING:
    from rich.console import Console


def print_text(report: TokenReport, console: Console, *, tell: Callable[[str], None], **_: object) -> None:
    """Print the token, the list, or whose use has ended."""
    if report.action == "add":
        say(console, report.secret)
        return
    if report.action == "revoke":
        say(console, f"revoked {report.name}")
        return
    width = max((len(token.name) for token in report.tokens), default=0)
    for token in report.tokens:
        revoked = "" if token.revoked_at is None else f", revoked {token.revoked_at}"
        say(console, f"{token.name:<{width}}  {token.role:<5}  since {token.created_at}{revoked}")
    if not report.tokens:
        tell("there is no token; `gitsync token add NAME` makes one")


def as_json(report: TokenReport, **_: object) -> dict[str, Any]:
    """Return the result as ``-o json`` prints it."""
    base = head("token", environment=report.environment, commit=None)
    if report.action == "add":
        return {**base, "token": report.secret, "tokens": [{"name": report.name, "role": report.role}]}
    if report.action == "revoke":
        return {**base, "tokens": [{"name": report.name}]}
    rows = [
        {
            "name": token.name,
            "role": token.role,
            "createdAt": str(token.created_at),
            "revokedAt": None if token.revoked_at is None else str(token.revoked_at),
        }
        for token in report.tokens
    ]
    return {**base, "tokens": rows}
