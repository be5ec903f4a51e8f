"""What each kind of server can do, and what it cannot: known before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gitsync.errors import AccessDenied
from gitsync.sync.model import Capabilities


@dataclass(frozen=True, slots=True)
class ServerKind:
    """What one kind of server can do; writer: whose credentials it takes an import from. hint: how to have them."""

    name: str
    capabilities: Capabilities
    writer: str
    hint: str

    def denied_write(self, address: str) -> AccessDenied:
        """Return the error for credentials from which the server would take no import."""
        return AccessDenied(
            f"{address} takes an import from {self.writer} only, and these credentials are none; nothing was sent",
            code="NOT_AN_ADMINISTRATOR",
            cure=self.hint,
        )


_BY_HISTORY: Final = (
    "a server tells no deployments, so history alone says which side moved: a revert made in the editor looks "
    "like an older deployment"
)
_COMPLETE_HINT: Final = "sign in as an administrator (`--cookie`), from whom nothing is hidden"
PRODUCT: Final = ServerKind(
    "the product",
    Capabilities(
        noun="server",
        deletes=False,
        links_new=False,
        keeps_system=False,
        compares=False,
        overwrites_as_told=False,
        guards_hidden=True,
        checks_runtime=True,
        complete_hint=_COMPLETE_HINT,
        notes=(
            (
                "the server overwrites in its own way: the product keeps a workflow's id and runs "
                "(its first release deletes both)"
            ),
            (
                "the product cannot compare before it writes: what is edited there within the moment between "
                "gitsync's last look and the import is overwritten"
            ),
            _BY_HISTORY,
        ),
    ),
    writer="an administrator's session",
    hint="give the cookie of an administrator's session (`--cookie`, or `cookie:` of the environment); "
    "an API key is enough to read",
)
GITSYNC: Final = ServerKind(
    "gitsync's own server",
    Capabilities(
        noun="server",
        deletes=False,
        overwrites_as_told=False,
        guards_hidden=True,
        checks_runtime=True,
        complete_hint=_COMPLETE_HINT,
        notes=(
            "the server overwrites as its own configuration says; with --in-place it keeps each workflow's id",
            _BY_HISTORY,
        ),
    ),
    writer="a token with the role admin",
    hint="give such a token (`--token`, or `token:` of the environment)",
)
