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
    """bool[n], True for the `most` items that are newest: by their last interaction, those without one by
    their creation. Of equals the one with more interactions comes first, then by id.

    Args:
        sequences: n items.
        created: float64[n] seconds, NaN where unknown: such an item counts as new, if nobody met it yet.
            None: unknown of all.
        most: how many.
    """
    n = len(sequences.items)
    if n <= most:
        return np.ones(n, dtype=np.bool_)
    last = np.full(n, np.nan) if created is None else created.astype(np.float64)
    last[np.isnan(last)] = sequences.time.max(initial=0)
    count = np.bincount(sequences.item, minlength=n)
    met = np.zeros(n, dtype=np.int64)
    np.maximum.at(met, sequences.item, sequences.time)
    last[count > 0] = met[count > 0]
    kept = np.zeros(n, dtype=np.bool_)
    kept[np.lexsort((-count, -last))[:most]] = True
    return kept
