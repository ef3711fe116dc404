"""Impressions as columns: which items were shown and not chosen.

An event may carry the list that its user saw: in the bulk data as text in IMPRESSION, ids joined with ``|``;
in a streamed event as `impression`, or through the recommendationId of the answer it came from. An explicit
list wins over the one that is looked up (Amazon Personalize developer guide, "Recording impressions data").
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from ..storage.idtable import IdTable


def shown(events: pl.DataFrame, issued: pl.DataFrame) -> pl.LazyFrame:
    """ITEM_ID (the item chosen) and SHOWN (a list) of those `events` that know what was shown.

    Args:
        events: ITEM_ID, IMPRESSION and RECOMMENDATION_ID.
        issued: see `events.recommendations.ISSUED`; the answers that could be found, each id once.
    """
    looked_up = events.lazy().join(issued.lazy(), on="RECOMMENDATION_ID", how="left")
    explicit = pl.col("IMPRESSION").str.split("|")
    return looked_up.select(
        "ITEM_ID", SHOWN=pl.when(pl.col("IMPRESSION").is_not_null()).then(explicit).otherwise(pl.col("SHOWN"))
    ).filter(pl.col("SHOWN").is_not_null())


def shown_in_bulk(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The same of bulk interactions that have an IMPRESSION column."""
    kept = rows.filter(pl.col("IMPRESSION").is_not_null())
    return kept.select("ITEM_ID", SHOWN=pl.col("IMPRESSION").str.split("|"))


def passed_over(lists: pl.LazyFrame) -> pl.DataFrame:
    """How often each item was shown in a list from which another one was chosen: ITEM_ID and TIMES (int64).

    Counted as a stream: memory for the distinct items and one block of rows.

    Args:
        lists: see `shown`.
    """
    return (
        lists.select(CHOSEN=pl.col("ITEM_ID").cast(pl.String), ITEM_ID=pl.col("SHOWN").list.unique())
        .explode("ITEM_ID")
        .filter((pl.col("ITEM_ID") != pl.col("CHOSEN")) & (pl.col("ITEM_ID") != ""))
        .group_by("ITEM_ID")
        .agg(TIMES=pl.len().cast(pl.Int64))
        .collect(engine="streaming")
    )


def times_by_row(counts: pl.DataFrame, items: IdTable) -> npt.NDArray[np.int64]:
    """int64[n]: `passed_over` aligned with `items`; other items are left out."""
    rows = items.find_all(counts["ITEM_ID"])
    times = np.zeros(len(items), dtype=np.int64)
    known = rows >= 0
    times[rows[known]] = counts["TIMES"].to_numpy()[known]
    return times
