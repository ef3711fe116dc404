"""Impressions as columns: which items were shown and not chosen.

An event may carry the list that its user saw: in the bulk data as text in IMPRESSION, ids joined with ``|``;
in a streamed event as `impression`, or through the recommendationId of the answer it came from. An explicit
list wins over the one that is looked up (Amazon Personalize developer guide, "Recording impressions data").
A user passes an item over once in `AGAIN_AFTER` seconds, however many lists showed it: one who looks at
thousands, a robot, makes nothing well known.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from ..algorithms.returns import GapLog
from ..storage.idhash import hashes
from ..storage.idtable import IdTable

AGAIN_AFTER = 86_400
"""Seconds within which a user counts once for an item, so that one person makes nothing well known."""

MOST_PAIRS = 250_000
"""Pairs of a user and an item that are remembered for that, 16 bytes each, twice that for a moment."""

BLOCK = 4_096
"""Lists looked at together."""

CHOICE = ("USER_ID", "TIMESTAMP", "ITEM_ID")
"""Who chose which item when."""


def shown(events: pl.DataFrame, issued: pl.DataFrame) -> pl.LazyFrame:
    """USER_ID, TIMESTAMP, ITEM_ID (the item chosen) and SHOWN (a list) of those `events` that know what was
    shown.

    Args:
        events: USER_ID, TIMESTAMP, ITEM_ID, IMPRESSION and RECOMMENDATION_ID.
        issued: see `events.recommendations.ISSUED`; the answers that could be found, each id once.
    """
    looked_up = events.lazy().join(issued.lazy(), on="RECOMMENDATION_ID", how="left")
    explicit = pl.col("IMPRESSION").str.split("|")
    return looked_up.select(
        *CHOICE, SHOWN=pl.when(pl.col("IMPRESSION").is_not_null()).then(explicit).otherwise(pl.col("SHOWN"))
    ).filter(pl.col("SHOWN").is_not_null())


def shown_in_bulk(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The same of bulk interactions that have an IMPRESSION column."""
    kept = rows.filter(pl.col("IMPRESSION").is_not_null())
    return kept.select(*CHOICE, SHOWN=pl.col("IMPRESSION").str.split("|"))


def passed_over(lists: pl.DataFrame, gaps: GapLog) -> pl.DataFrame:
    """How many users passed each item over, it being in a list from which another one was chosen, each of
    them once in `AGAIN_AFTER` seconds: ITEM_ID and TIMES (int64). Memory: `BLOCK` lists, and the distinct
    items.

    Args:
        lists: see `shown`. gaps: who passed over what until now; these are added.
    """
    parts = [pl.DataFrame(schema={"ITEM_ID": pl.String(), "TIMES": pl.Int64()})]
    for block in lists.iter_slices(BLOCK):
        user = pl.Series("USER", hashes(block["USER_ID"]), dtype=pl.UInt64)
        rows = (
            block.select(
                user,
                pl.col("TIMESTAMP").cast(pl.Int64),
                CHOSEN=pl.col("ITEM_ID").cast(pl.String),
                ITEM_ID=pl.col("SHOWN").list.unique(),
            )
            .explode("ITEM_ID")
            .filter((pl.col("ITEM_ID") != pl.col("CHOSEN")) & (pl.col("ITEM_ID") != ""))
        )
        item, time, user_hash = hashes(rows["ITEM_ID"]), rows["TIMESTAMP"].to_numpy(), rows["USER"].to_numpy()
        counts = pl.Series(gaps.gaps(item, time, user_hash) >= AGAIN_AFTER, dtype=pl.Boolean)
        parts.append(rows.filter(counts).group_by("ITEM_ID").agg(TIMES=pl.len().cast(pl.Int64)))
    return pl.concat(parts).group_by("ITEM_ID").agg(pl.col("TIMES").sum())


def times_by_row(counts: pl.DataFrame, items: IdTable) -> npt.NDArray[np.int64]:
    """int64[n]: `passed_over` aligned with `items`; other items are left out."""
    rows = items.find_all(counts["ITEM_ID"])
    times = np.zeros(len(items), dtype=np.int64)
    known = rows >= 0
    times[rows[known]] = counts["TIMES"].to_numpy()[known]
    return times
