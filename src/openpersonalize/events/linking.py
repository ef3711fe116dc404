"""Session linking (identity resolution): whose the events are that came without a userId."""

from __future__ import annotations

import polars as pl


def session_owners(interactions: pl.LazyFrame) -> pl.DataFrame:
    """``#SESSION`` and ``#OWNER`` of the sessions with anonymous events that belong to a user.

    A session belongs to the first user seen with it, in order of arrival; a device that two people share
    keeps its anonymous events with the first of them. Where anything is anonymous, the interactions are read
    three times, as a stream. Memory: two ids and a position for each session with anonymous events.

    Args:
        interactions: columns ``USER_ID``, ``#SESSION``, ``#ANONYMOUS`` (USER_ID then holds the session) and
            ``#ARRIVAL``, as `LiveLog.interactions` gives them.
    """
    anonymous = interactions.filter(pl.col("#ANONYMOUS")).select(pl.col("#SESSION").unique())
    sessions = anonymous.collect(engine="streaming")
    if not len(sessions):
        return pl.DataFrame(schema={"#SESSION": pl.String, "#OWNER": pl.String})
    named = interactions.filter(~pl.col("#ANONYMOUS"))
    first = (
        named.select("#SESSION", "#ARRIVAL")
        .join(sessions.lazy(), on="#SESSION", how="semi")
        .group_by("#SESSION")
        .agg(pl.col("#ARRIVAL").min())
        .collect(engine="streaming")
    )
    owners = named.select("#SESSION", "#ARRIVAL", pl.col("USER_ID").alias("#OWNER")).join(
        first.select("#ARRIVAL").lazy(), on="#ARRIVAL", how="semi"
    )
    return owners.select("#SESSION", "#OWNER").collect(engine="streaming")


def link_sessions(interactions: pl.LazyFrame, owners: pl.DataFrame | None = None) -> pl.LazyFrame:
    """Streamed interactions as a training sees them: anonymous events under the user of their session.

    Events of sessions that nobody was seen in are dropped.

    Args:
        interactions: see `session_owners`; other columns are carried along.
        owners: their `session_owners`, when they are known already.

    Returns:
        The same columns, fewer rows, in the same order.
    """
    known = session_owners(interactions) if owners is None else owners
    if not len(known):
        return interactions.filter(~pl.col("#ANONYMOUS"))
    user = pl.when("#ANONYMOUS").then("#OWNER").otherwise("USER_ID")
    return (
        interactions.join(known.lazy(), on="#SESSION", how="left", maintain_order="left")
        .with_columns(USER_ID=user)
        .drop("#OWNER")
        .filter(pl.col("USER_ID").is_not_null())
    )
