"""Runners have a lease of their own, which all their jobs share; jobs lose theirs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table of runners; a job whose owner has no row there is taken over at once."""
    op.create_table(
        "runners",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("hosts", sa.Text, nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
    )
    op.drop_column("jobs", "lease_until")
