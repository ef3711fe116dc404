"""Metrics of actions, worked out by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from openpersonalize.datasets.holdout import HoldOut
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import build_sequences
from openpersonalize.evaluation.action_metrics import area_under_curve, measure_actions
from openpersonalize.recipes.complete import CompleteModel
from openpersonalize.recipes.facts import Task
from openpersonalize.recipes.query import Query
from openpersonalize.recipes.training import Kind, TrainingData

DAY = 86_400


class Fixed:
    """Always a0 before a1 before a2 ..."""

    def scores(self, query: Query) -> np.ndarray:
        return -np.arange(1, 8, dtype=np.float32)

    cold_scores = scores

    def save(self, folder: object) -> None: ...


def test_precision_recall_and_the_rest() -> None:
    rows = [(user, f"a{n}", "Viewed", 1) for user in ("u", "v") for n in range(7)]
    rows += [("u", "a0", "Taken", 50), ("u", "a6", "Taken", 50), ("v", "a0", "Not taken", 50)]
    frame = pl.DataFrame(rows, schema=["USER_ID", "ITEM_ID", "EVENT_TYPE", "DAY"], orient="row")
    sequences = build_sequences(
        frame.with_columns(TIMESTAMP=pl.col("DAY") * DAY).lazy(), None, EventSelection()
    )
    data = TrainingData(Kind(sequences.items), sequences)
    start = np.array([7, 16])
    held_out = HoldOut(
        sequences.time < 50 * DAY, np.array([0, 1], np.int32), start, sequences.ptr[1:], sequences.time[start]
    )
    found = measure_actions(CompleteModel(Fixed(), Task.ACTIONS, data.counts), data, held_out, 14).metrics
    assert found["coverage"] == 1.0
    # a0 was recommended to both and taken by u; a1 to a4 to both and taken by nobody.
    assert found["precision"] == pytest.approx((0.5 + 0 * 4) / 5)
    # Of those who took a0 all were right, of those who took a6, who never saw it, none.
    assert found["recall"] == pytest.approx(0.5)
    best = 1 + 1 / np.log2(3)
    assert found["normalized_discounted_cumulative_gain_at_5"] == pytest.approx(1 / best)
    assert found["normalized_discounted_cumulative_gain_at_10"] == pytest.approx((1 + 1 / 3) / best)
    # Occasions held out: a0 of u (taken), a6 of u (taken), a0 of v (not): a tie and an error.
    assert found["area_under_curve"] == pytest.approx(0.25)
    assert "mean_reciprocal_rank_at_25" not in found


def test_the_area_under_the_curve() -> None:
    taken = np.array([1, 0, 1, 0], dtype=np.float32)
    assert area_under_curve(np.array([4.0, 1, 3, 2]), taken) == 1.0
    assert area_under_curve(np.array([1.0, 4, 2, 3]), taken) == 0.0
    assert area_under_curve(np.zeros(4), taken) == 0.5
    assert area_under_curve(np.zeros(2), np.ones(2, np.float32)) == 0.0
