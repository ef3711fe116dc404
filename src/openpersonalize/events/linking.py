"""From sessions to people: whose the events are that came without a userId."""

from __future__ import annotations

import polars as pl


def link_sessions(interactions: pl.LazyFrame) -> pl.LazyFrame:
    """Streamed interactions as a training sees them: anonymous events under the user of their session.

    A session belongs to the first user seen with it, in order of arrival; a device that two people share
    keeps its anonymous events with the first of them. Events of sessions that nobody was seen in are
    dropped.

    Args:
        interactions: columns ``USER_ID``, ``#SESSION``, ``#ANONYMOUS`` (USER_ID then holds the session) and
            ``#ARRIVAL``, as `LiveLog.interactions` gives them; others are carried along.

    Returns:
        The same columns, fewer rows, in the same order.
    """
    owners = (
        interactions.filter(~pl.col("#ANONYMOUS"))
        .group_by("#SESSION")
        .agg(pl.col("USER_ID").sort_by("#ARRIVAL").first().alias("#OWNER"))
    )
    user = pl.when("#ANONYMOUS").then("#OWNER").otherwise("USER_ID")
    return (
        interactions.join(owners, on="#SESSION", how="left", maintain_order="left")
        .with_columns(USER_ID=user)
        .drop("#OWNER")
        .filter(pl.col("USER_ID").is_not_null())
    )
