"""``token``: who may use the server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from gitsync.commands.context import Context
from gitsync.commands.tables import engine_of
from gitsync.stores.database.tokens import Role, Token, Tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenReport:
    """A token that was made (`secret` is shown this once), ended, or all that there are.

    action: ``add``, ``list`` or ``revoke``. name, role: of the one that it is about.
    """

    kind: ClassVar[str] = "token"
    environment: str
    action: str
    name: str = ""
    role: str = ""
    secret: str = ""
    tokens: Sequence[Token] = ()
    notes: Sequence[str] = ()
    error: None = None
    exit_code: int = 0


def add_token(context: Context, name: str, *, role: str) -> TokenReport:
    """Make a token; the database keeps its hash alone. role: ``admin`` or ``read``."""
    with _tokens(context) as (environment, tokens):
        secret = tokens.add(name, Role(role))
    note = f"keep it: it cannot be shown again; `gitsync token revoke {name}` ends its use"
    return TokenReport(
        environment=environment, action="add", name=name, role=role, secret=secret, notes=[note]
    )


def list_tokens(context: Context, *, with_revoked: bool = False) -> TokenReport:
    """Return the tokens in use, or all that there ever were; never their secrets."""
    with _tokens(context) as (environment, tokens):
        listed = tokens.list(with_revoked=with_revoked)
    return TokenReport(environment=environment, action="list", tokens=listed)


def revoke_token(context: Context, name: str) -> TokenReport:
    """End a token's use."""
    with _tokens(context) as (environment, tokens):
        tokens.revoke(name)
    return TokenReport(environment=environment, action="revoke", name=name)


@contextmanager
def _tokens(context: Context) -> Iterator[tuple[str, Tokens]]:
    """The environment's name, and its tokens."""
    with engine_of(context, command="token", is_told=True) as (environment, engine, address):
        tokens = Tokens(engine, tenant=environment.tenant, address=address)
        yield environment.name, tokens
