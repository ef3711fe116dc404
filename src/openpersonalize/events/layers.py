"""A dataset of records read as one: its bulk layer (a snapshot) and its put layer (the live log) together.

Of one id the record written last is in force, whichever layer holds it. A row of the bulk layer counts as
written when its import job was created, at the place that the live log had reached then: what had been
streamed before gives way to it, what was streamed afterwards replaces it. No import takes a streamed record
away, so one whose id the bulk layer lacks stays in force.
"""

from __future__ import annotations

import polars as pl

from ..datasets.schemas import Schema
from ..datasets.snapshots import ARRIVAL, Snapshot
from ..datasets.tables import id_column
from .livelog import LiveLog


def current_records(
    log: LiveLog, stream: str, schema: Schema, snapshot: Snapshot | None, up_to: int
) -> pl.DataFrame:
    """The record in force of each id, in the schema's columns, rows of the bulk layer first.

    Memory: twice the records of both layers.

    Args:
        log: where streamed records are.
        stream: ARN of a dataset of records.
        schema: the one to read under; columns that a record lacks are null.
        snapshot: the bulk layer; None before the first import.
        up_to: the place in the log up to which streamed records are read.
    """
    return arrived_records(log, stream, schema, snapshot, up_to).drop(ARRIVAL)


def arrived_records(
    log: LiveLog, stream: str, schema: Schema, snapshot: Snapshot | None, up_to: int
) -> pl.DataFrame:
    """`current_records` with a last column ``#ARRIVAL`` (int64): the place in the log where each came."""
    put = log.records_frame(stream, schema, up_to=up_to).drop("#WRITTEN")
    if snapshot is None:
        return put
    bulk = snapshot.records(schema).collect()
    return _newest(bulk, put, id_column(schema)) if len(put) else bulk


def _newest(bulk: pl.DataFrame, put: pl.DataFrame, key: str) -> pl.DataFrame:
    """The newer row of each id; both frames hold an id once at most. Joins hash the smaller side only."""
    rivals = bulk.select(key, _IMPORTED=ARRIVAL).join(put, on=key, how="semi")
    written = put.join(rivals, on=key, how="left", maintain_order="left")
    later = written.filter(pl.col("_IMPORTED").is_null() | (pl.col(ARRIVAL) > pl.col("_IMPORTED")))
    kept = bulk.join(later, on=key, how="anti", maintain_order="left")
    return pl.concat([kept, later.select(bulk.columns)])
