"""The exposure of a training's items, read from the pinned data: ages, and what was shown and passed over."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from ..datasets.impressions import EVENTS, passed_over, shown, shown_in_bulk, times_by_row
from ..datasets.schemas import Schema
from ..datasets.snapshots import Snapshot
from ..events.layers import current_records
from ..events.livelog import LiveLog
from ..events.recommendations import RecommendationLog
from ..storage.idtable import IdTable

CREATED = "CREATION_TIMESTAMP"


def creation_times(
    log: LiveLog, stream: str, schema: Schema | None, snapshot: Snapshot | None, position: int, items: IdTable
) -> npt.NDArray[np.float64] | None:
    """float64[n] CREATION_TIMESTAMP of the items in force, NaN where there is none; None without the column.

    Memory: two columns of the Items records.

    Args:
        log: where streamed records are. stream: ARN of the Items dataset.
        schema: the dataset's; None without such a dataset. snapshot: its bulk layer.
        position: place in the live log up to which streamed records count. items: the catalogue.
    """
    created = None if schema is None else schema.field(CREATED)
    if schema is None or created is None:
        return None
    narrow = Schema(tuple(field for field in schema.fields if field.name in ("ITEM_ID", CREATED)))
    records = current_records(log, stream, narrow, snapshot, position)
    times = np.full(len(items), np.nan)
    rows = items.find_all(records["ITEM_ID"])
    stated = records[CREATED].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    times[rows[rows >= 0]] = stated[rows >= 0]
    return times


def times_passed_over(
    log: LiveLog,
    stream: str,
    snapshot: Snapshot | None,
    position: int,
    items: IdTable,
    recommendations: RecommendationLog,
) -> npt.NDArray[np.int64]:
    """int64[n]: how often each item was shown in a list from which another one was chosen.

    Memory: one block of rows and the distinct items; every event is read once.

    Args:
        log: where streamed events are. stream: ARN of the Interactions dataset. snapshot: its bulk layer.
        position: place in the live log up to which streamed events count. items: the catalogue.
        recommendations: looks up what was shown under a recommendationId.
    """
    times = np.zeros(len(items), dtype=np.int64)
    if snapshot is not None and snapshot.schema.field("IMPRESSION") is not None:
        times += times_by_row(passed_over(shown_in_bulk(snapshot.scan())), items)
    for chunk in log.interactions(stream, EVENTS, up_to=position):
        events = chunk.filter(~pl.col("#DUPLICATE"))
        unexplained = events.filter(pl.col("IMPRESSION").is_null())["RECOMMENDATION_ID"]
        times += times_by_row(passed_over(shown(events, recommendations.shown(unexplained))), items)
    return times
