"""What a database can do; apart from the store, so that nobody loads SQLAlchemy to know it."""

from __future__ import annotations

from typing import Final

from gitsync.sync.model import Capabilities

DATABASE: Final = Capabilities(
    noun="database",
    has_ledger=True,
    takes_actor=True,
    complete_hint="let a policy show this role all rows of the tenant, or give it BYPASSRLS (`gitsync db check`)",
)
