"""Runs the ledger's migrations on the connection that `gitsync.stores.database.init` hands over."""

from __future__ import annotations

from alembic import context

from gitsync.stores.database.schema import LEDGER_VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=LEDGER_VERSION_TABLE)
context.run_migrations()
