"""How many transactions have changed resources, so that those which only concern jobs can be told apart."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table with its only row."""
    table = op.create_table(
        "change_numbers",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(table, [{"name": "resources", "number": 1}])
