"""What the Items dataset says about items, as numbered values: so that an encoder knows items nobody met yet.

Texts are split at ``|``; a column of nearly unique texts (titles) gives its words. Numbers are cut
into 20 quantiles. Values of one item only say nothing about another and are left out; of one column the
`MOST_VALUES` most frequent stay. Memory: about 100 bytes per value of an item, column by column.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from ..algorithms.encoder_plan import Feature
from .base import Int32, Int64

MOST_VALUES = 3_000
QUANTILES = 20
WORDS = 8_192
"""Most words kept of a column of prose."""
UNIQUE = 0.5
"""Share of different texts above which a column is prose."""
NEVER = ("ITEM_ID", "CREATION_TIMESTAMP")


def item_features(items: pl.DataFrame | None) -> list[Feature]:
    """A feature for each column that says something; `items` is aligned with the catalogue."""
    if items is None:
        return []
    found = []
    for name in items.columns:
        if name in NEVER:
            continue
        column = items[name]
        if column.dtype == pl.Boolean:
            column = column.cast(pl.String)
        feature = _values(column) if column.dtype == pl.String else _quantiles(column)
        if feature is not None:
            found.append(feature)
    return found


def _values(column: pl.Series) -> Feature | None:
    known = column.drop_nulls()
    prose = (
        len(known) > 0
        and known.n_unique() > UNIQUE * len(known)
        and not known.str.contains("|", literal=True).any()
    )
    parts = (column.str.to_lowercase().str.extract_all(r"\w+") if prose else column.str.split("|")).alias(
        "value"
    )
    rows = (
        pl.DataFrame({"item": np.arange(len(column)), "value": parts})
        .explode("value")
        .with_columns(pl.col("value").str.strip_chars())
        .filter(pl.col("value").is_not_null() & (pl.col("value") != ""))
        .unique(maintain_order=True)
    )
    counts = (
        rows["value"]
        .value_counts()
        .filter(pl.col("count") > 1)
        .sort(["count", "value"], descending=[True, False])
    )
    chosen = counts["value"].head(WORDS if prose else MOST_VALUES)
    if not len(chosen):
        return None
    numbers = pl.DataFrame({"value": chosen, "code": np.arange(len(chosen), dtype=np.int32)})
    rows = rows.join(numbers, on="value", how="inner", maintain_order="left")
    return _packed(rows["item"].to_numpy(), rows["code"].to_numpy(), len(column), len(chosen))


def _quantiles(column: pl.Series) -> Feature | None:
    numbers = column.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
    known = np.flatnonzero(np.isfinite(numbers))
    if not len(known):
        return None
    edges = np.unique(np.quantile(numbers[known], np.linspace(0, 1, QUANTILES + 1)[1:-1]))
    code = np.searchsorted(edges, numbers[known], side="right").astype(np.int32)
    return _packed(known, code, len(column), len(edges) + 1)


def _packed(item: Int64, code: Int32, n: int, size: int) -> Feature:
    ptr = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.bincount(item, minlength=n), out=ptr[1:])
    return Feature(code, ptr, size)
