"""The ledger: deployments, and what each did to every key."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    op.create_table(
        "gitsync_deployments",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("commit_id", sa.Text),
        sa.Column("actor", sa.Text),
        sa.Column("tool_version", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True) if is_postgresql else sa.Text, nullable=False),
    )
    op.create_table(
        "gitsync_deployment_items",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("action", sa.Text),
        sa.Column("commit_id", sa.Text),
        sa.Column("digest", sa.Text),
        sa.Column("replaced_digest", sa.Text),
        sa.Column("is_write", sa.Boolean, nullable=False),
        sa.Column("replaced_document", sa.Text),
        sa.Column("replaced_workflow_id", sa.Text),
        sa.Column("workflow_id", sa.Text),
    )
    op.create_index("gitsync_deployment_items_key", "gitsync_deployment_items", ["tenant", "key", "number"])
    if is_postgresql:
        # Compressing what is replaced would cost more than writing it.
        op.execute("ALTER TABLE gitsync_deployment_items ALTER COLUMN replaced_document SET STORAGE EXTERNAL")
    else:
        identity = op.create_table("gitsync_identity", sa.Column("id", sa.Text, primary_key=True))
        op.bulk_insert(identity, [{"id": str(uuid.uuid4())}])
