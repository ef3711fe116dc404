"""What a training considers of more data than its recipe takes: the newest interactions, and the items that
were created or interacted with last (Amazon Personalize developer guide, "Service quotas": new items without
interactions and items with recent interactions come first)."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from .sequences import Bools, Sequences

Float64: TypeAlias = npt.NDArray[np.float64]


def newest_interactions(rows: pl.LazyFrame, most: int) -> tuple[pl.LazyFrame, int]:
    """The newest `most` rows by TIMESTAMP and how many rows are left out; those of the second at the border
    stay together, and stay.

    Memory: the number of rows is counted first; only where there are too many, 8 bytes a row.
    """
    total = int(rows.select(pl.len()).collect(engine="streaming").item())
    if total <= most:
        return rows, 0
    times = (
        rows.select(pl.col("TIMESTAMP").cast(pl.Int64)).collect(engine="streaming")["TIMESTAMP"].to_numpy()
    )
    border = int(np.partition(times, total - most)[total - most])
    return rows.filter(pl.col("TIMESTAMP") >= border), int((times < border).sum())


def considered_items(sequences: Sequences, created: Float64 | None, most: int) -> Bools:
    """bool[n], True for the `most` items that are newest: those met last, and those created last.

    An item's date is its last interaction or its creation, whichever is later; where neither is known it
    comes last. Of equals the one with more interactions comes first, then by id. Half of the places are for
    items that somebody met, however many new ones there are: nothing is learned from those (our choice).

    Args:
        sequences: n items.
        created: float64[n] seconds, NaN where unknown. None: unknown of all.
        most: how many.
    """
    n = len(sequences.items)
    if n <= most:
        return np.ones(n, dtype=np.bool_)
    date = np.full(n, -np.inf) if created is None else np.where(np.isnan(created), -np.inf, created)
    np.maximum.at(date, sequences.item, sequences.time.astype(np.float64))
    count = np.bincount(sequences.item, minlength=n)
    order = np.lexsort((-count, -date))
    kept = np.zeros(n, dtype=np.bool_)
    kept[order[count[order] > 0][: most // 2]] = True
    others = order[~kept[order]]
    kept[others[: most - int(kept.sum())]] = True
    return kept
