"""The exposure of a training's items, read from its inputs: ages, and what was shown and passed over."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from ..algorithms.returns import GapLog
from ..clock import SystemClock
from ..datasets.schemas import ID_FIELDS, Schema
from ..datasets.sequences import Sequences
from ..engine.task import Task
from ..events.frames import COUNTED_TIME
from ..events.layers import current_records
from ..events.members import EVENT_MEMBERS
from ..events.recommendations import RecommendationLog
from ..events.stores import open_recommendation_log
from ..exploration.exposure import Exposure
from ..exploration.impressions import (
    BLOCK,
    CHOICE,
    MOST_PAIRS,
    passed_over,
    shown,
    shown_in_bulk,
    times_by_row,
)
from ..recipes.facts import Offer
from ..recipes.recipe import Recipe
from ..recipes.training import TrainingData
from ..storage.idtable import IdTable
from .inputs import TrainingInputs

CREATED = "CREATION_TIMESTAMP"


def creation_times(
    inputs: TrainingInputs, items: IdTable, kind: str = "ITEMS"
) -> npt.NDArray[np.float64] | None:
    """float64[n] CREATION_TIMESTAMP of the items in force, NaN where there is none; None without the column.

    Memory: two columns of the records.

    Args:
        inputs: where the records are. items: whose. kind: type of their dataset.
    """
    schema, key = inputs.schemas.get(kind), ID_FIELDS[kind]
    created = None if schema is None else schema.field(CREATED)
    if schema is None or created is None:
        return None
    narrow = Schema(tuple(field for field in schema.fields if field.name in (key, CREATED)))
    records = current_records(inputs.log, inputs.stream(kind), narrow, inputs.snapshot(kind), inputs.position)
    times = np.full(len(items), np.nan)
    rows = items.find_all(records[key])
    stated = records[CREATED].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    times[rows[rows >= 0]] = stated[rows >= 0]
    return times


def times_passed_over(
    inputs: TrainingInputs, items: IdTable, recommendations: RecommendationLog
) -> npt.NDArray[np.int64]:
    """int64[n]: how often each item was shown in a list from which another one was chosen (`passed_over`).

    Memory: one block of rows, `MOST_PAIRS` and the distinct items; every event is read once.

    Args:
        inputs: where the events are.
        items: the catalogue.
        recommendations: looks up what was shown under a recommendationId.
    """
    snapshot = inputs.snapshot("INTERACTIONS")
    times = np.zeros(len(items), dtype=np.int64)
    gaps = GapLog(MOST_PAIRS)
    if snapshot is not None and snapshot.schema.field("IMPRESSION") is not None:
        bulk = shown_in_bulk(snapshot.counted())
        for block in bulk.collect_batches(chunk_size=BLOCK, maintain_order=True):
            times += times_by_row(passed_over(block, gaps), items)
    columns = [*CHOICE, "IMPRESSION", "RECOMMENDATION_ID", "#DUPLICATE", "#WRITTEN"]
    stream = inputs.stream("INTERACTIONS")
    for chunk in inputs.log.interactions(stream, EVENT_MEMBERS, up_to=inputs.position, columns=columns):
        events = chunk.filter(~pl.col("#DUPLICATE")).with_columns(COUNTED_TIME)
        unexplained = events.filter(pl.col("IMPRESSION").is_null())["RECOMMENDATION_ID"]
        lists = shown(events, recommendations.shown(unexplained)).collect()
        times += times_by_row(passed_over(lists, gaps), items)
    return times


def exposure_of(task: Task, inputs: TrainingInputs, data: TrainingData, recipe: Recipe) -> Exposure | None:
    """How new and how well known the items are, for a recipe that explores; None for others. The age of
    actions counts back from what was done last with actions or items."""
    task_of = recipe.facts.task
    latest = 0
    if data.behaviour is not None and len(data.behaviour.interactions.time):
        latest = int(data.behaviour.interactions.time.max())
    if Offer.EXPLORATION not in recipe.facts.offers or (data.interactions is None and not latest):
        return None
    items = data.ranked.ids
    created = creation_times(inputs, items, task_of.records)
    times = None
    if Offer.IMPRESSIONS in recipe.facts.offers:
        recommendations = open_recommendation_log(task.settings, SystemClock())
        try:
            times = times_passed_over(inputs, items, recommendations)
        finally:
            recommendations.close()
    return Exposure.of(data.interactions or Sequences.without_events(items), created, times, latest)
