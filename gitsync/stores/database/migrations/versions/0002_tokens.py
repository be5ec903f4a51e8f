"""Tokens: who may use the server, as hashes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    time = sa.DateTime(timezone=True) if is_postgresql else sa.Text
    op.create_table(
        "gitsync_tokens",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("revoked_at", time),
    )
