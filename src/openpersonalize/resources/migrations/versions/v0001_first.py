"""The first tables: resources, their tags, jobs with what they report."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create everything."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "resources",
        sa.Column("arn", sa.Text, primary_key=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("region", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("group_arn", sa.Text),
        sa.Column("parent_arn", sa.Text),
        sa.Column("status", sa.Text),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("updated", sa.BigInteger, nullable=False),
        sa.Column("attributes", sa.Text, nullable=False),
        sa.Column("internal", sa.Text, nullable=False),
    )
    op.create_index("resources_by_kind", "resources", ["account", "region", "kind", "created", "arn"])
    op.create_index("resources_by_group", "resources", ["group_arn", "kind", "created", "arn"])
    op.create_index("resources_by_parent", "resources", ["parent_arn", "kind", "created", "arn"])
    op.create_table(
        "tags",
        sa.Column(
            "resource_arn", sa.Text, sa.ForeignKey("resources.arn", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("tag_key", sa.Text, primary_key=True),
        sa.Column("tag_value", sa.Text, nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
    )
    op.create_table(
        "jobs",
        sa.Column("number", number, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("region", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("resource_arn", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("queue", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("crashes", sa.Integer, nullable=False),
        sa.Column("errors", sa.Integer, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("not_before", sa.BigInteger),
        sa.Column("started", sa.BigInteger),
        sa.Column("finished", sa.BigInteger),
        sa.Column("owner", sa.Text),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("holds_slot", sa.Integer, nullable=False),
        sa.Column("stop_requested", sa.Integer, nullable=False),
        sa.Column("progress", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("problem_count", sa.BigInteger, nullable=False),
    )
    op.create_index("jobs_by_state", "jobs", ["state", "number"])
    op.create_index("jobs_by_resource", "jobs", ["resource_arn", "number"])
    op.create_index("jobs_by_queue", "jobs", ["queue", "state", "number"])
    op.create_table(
        "job_lines",
        sa.Column("number", number, primary_key=True, autoincrement=True),
        sa.Column("job", sa.BigInteger, sa.ForeignKey("jobs.number", ondelete="CASCADE"), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("job_lines_by_job", "job_lines", ["job", "number"])
    op.create_table(
        "job_problems",
        sa.Column("number", number, primary_key=True, autoincrement=True),
        sa.Column("job", sa.BigInteger, sa.ForeignKey("jobs.number", ondelete="CASCADE"), nullable=False),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("line", sa.BigInteger, nullable=False),
        sa.Column("column", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
    )
    op.create_index("job_problems_by_job", "job_problems", ["job", "number"])
