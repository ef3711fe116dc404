"""Items outside the model: what is counted of them (a frame of `COUNTED`), and which become newcomers.

Whoever may send events makes items up, so both are bounded in bytes. Where there is not room for all, items
with a record stay before those that events alone name, then those that were met most often, then the newest:
made-up items push no others out.
"""

from __future__ import annotations

import polars as pl

from ..storage.idtable import IdTable

NEWCOMER_BYTES = 128 * 1024 * 1024
"""For newcomers and for what is counted of items outside the model."""

ONE_NEWCOMER = 512
"""Bytes that a newcomer takes beside twice its id: vector, columns, masks of filters, counts (measured)."""

COUNTED_SHARE = 4
"""One part in so many of the bytes is for the counts of items outside the model."""

COUNTED: dict[str, pl.DataType] = {
    "ITEM_ID": pl.String(),
    "FIRST": pl.Int64(),
    "LAST": pl.Int64(),
    "EVENTS": pl.Int64(),
    "OVER": pl.Int64(),
}
"""An item, the seconds of its first and last event, how many it had, and how often it was passed over."""

_MERGED = (
    pl.col("FIRST").min(),
    pl.col("LAST").max(),
    pl.col("EVENTS").sum(),
    pl.col("OVER").sum(),
)


def with_events(
    counted: pl.DataFrame, met: pl.DataFrame, over: pl.DataFrame | None, items: IdTable, room: int
) -> pl.DataFrame:
    """What is counted of items that the model does not know, with what is new.

    Args:
        counted: so far. met: of the events (`COUNTED`). over: see `impressions.passed_over`.
        items: the model's. room: bytes. Beyond, half of it is kept, so that this is seldom and a new item has
            time to be met again.
    """
    parts = [met]
    if over is not None:
        zero = pl.lit(0, dtype=pl.Int64)
        nothing = pl.lit(None, dtype=pl.Int64)
        parts.append(over.select("ITEM_ID", FIRST=nothing, LAST=nothing, EVENTS=zero, OVER=pl.col("TIMES")))
    fresh = pl.concat([part.select(list(COUNTED)) for part in parts])
    fresh = fresh.filter(pl.Series(items.find_all(fresh["ITEM_ID"]) < 0, dtype=pl.Boolean))
    if not len(fresh):
        return counted
    joined = pl.concat([counted, fresh]).group_by("ITEM_ID").agg(*_MERGED)
    if _bytes_of(joined).sum() <= room:
        return joined
    ordered = joined.sort("EVENTS", "LAST", descending=True, nulls_last=True)
    return ordered.filter(_bytes_of(ordered).cum_sum() <= room // 2)


def newcomers_among(
    records: pl.DataFrame, counted: pl.DataFrame, latest: int, most: int, most_bytes: int
) -> pl.DataFrame:
    """ITEM_ID and CREATED (seconds) of the items outside the model that exploration considers.

    Args:
        records: ITEM_ID and STATED (when it came, by its record) of those that have a record.
        counted: see `with_events`. latest: when the others came that nobody met.
        most: so many at most. most_bytes: see `ONE_NEWCOMER`.
    """
    met = counted.lazy().filter(pl.col("EVENTS") > 0).select("ITEM_ID", "FIRST", "EVENTS")
    found = (
        records.lazy()
        .with_columns(RECORD=pl.lit(True))
        .join(met, on="ITEM_ID", how="full", coalesce=True)
        .select(
            "ITEM_ID",
            CREATED=pl.coalesce("STATED", "FIRST", pl.lit(latest, dtype=pl.Int64)),
            RECORD=pl.col("RECORD").fill_null(False),
            EVENTS=pl.col("EVENTS").fill_null(0),
            COST=pl.col("ITEM_ID").str.len_bytes().cast(pl.Int64) * 2 + ONE_NEWCOMER,
        )
        .collect()
    )
    if len(found) > most or found["COST"].sum() > most_bytes:
        order = ("RECORD", "EVENTS", "CREATED", "ITEM_ID")
        ranked = found.sort(order, descending=[True, True, True, False])
        found = ranked.filter(pl.col("COST").cum_sum() <= most_bytes).head(most)
    return found.select("ITEM_ID", "CREATED")


def _bytes_of(counted: pl.DataFrame) -> pl.Series:
    return counted["ITEM_ID"].str.len_bytes().cast(pl.Int64) + 48
