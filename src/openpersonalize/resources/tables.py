"""The tables of the metadata database, in SQL that SQLite and PostgreSQL share.

Times are whole milliseconds since 1970, JSON is text, flags are small integers. A change here needs a new
file in `migrations/versions` and a new `SCHEMA_VERSION`; a test holds the two together.
"""

from __future__ import annotations

import sqlalchemy as sa

SCHEMA_VERSION = "0003"

metadata = sa.MetaData()

# SQLite numbers rows by itself only in a column declared exactly INTEGER.
_Number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

resources = sa.Table(
    "resources",
    metadata,
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
    sa.Index("resources_by_kind", "account", "region", "kind", "created", "arn"),
    sa.Index("resources_by_group", "group_arn", "kind", "created", "arn"),
    sa.Index("resources_by_parent", "parent_arn", "kind", "created", "arn"),
)

change_numbers = sa.Table(
    "change_numbers",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
)
"""One row, "resources": how many transactions have changed resources."""

tags = sa.Table(
    "tags",
    metadata,
    sa.Column("resource_arn", sa.Text, sa.ForeignKey("resources.arn", ondelete="CASCADE"), primary_key=True),
    sa.Column("tag_key", sa.Text, primary_key=True),
    sa.Column("tag_value", sa.Text, nullable=False),
    sa.Column("place", sa.Integer, nullable=False),
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("number", _Number, primary_key=True, autoincrement=True),
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
    sa.Column("holds_slot", sa.Integer, nullable=False),
    sa.Column("stop_requested", sa.Integer, nullable=False),
    sa.Column("progress", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("problem_count", sa.BigInteger, nullable=False),
    sa.Index("jobs_by_state", "state", "number"),
    sa.Index("jobs_by_resource", "resource_arn", "number"),
    sa.Index("jobs_by_queue", "queue", "state", "number"),
)

runners = sa.Table(
    "runners",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("hosts", sa.Text, nullable=False),
    sa.Column("folder", sa.Text, nullable=False),
    sa.Column("seen_at", sa.BigInteger, nullable=False),
)
"""Who runs jobs; see `engine.runnerlease`."""

job_lines = sa.Table(
    "job_lines",
    metadata,
    sa.Column("number", _Number, primary_key=True, autoincrement=True),
    sa.Column("job", sa.BigInteger, sa.ForeignKey("jobs.number", ondelete="CASCADE"), nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Index("job_lines_by_job", "job", "number"),
)

job_problems = sa.Table(
    "job_problems",
    metadata,
    sa.Column("number", _Number, primary_key=True, autoincrement=True),
    sa.Column("job", sa.BigInteger, sa.ForeignKey("jobs.number", ondelete="CASCADE"), nullable=False),
    sa.Column("file", sa.Text, nullable=False),
    sa.Column("line", sa.BigInteger, nullable=False),
    sa.Column("column", sa.Text, nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Index("job_problems_by_job", "job", "number"),
)
