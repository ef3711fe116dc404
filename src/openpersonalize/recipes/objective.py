"""``optimizationObjective`` of a solution, `Objective`, and its column of the Items dataset as rewards:
`ItemRewards` blends them into scores, `measured_rewards` is what ``average_rewards_at_k`` counts.

The two scale the column differently, each as its specification says. Scores blend relevance and objective *on
min-max scaled logarithms*, so that one item of a huge price does not decide every answer. The metric is about
the column itself, shifted only where it is negative: a sum of logarithms is no revenue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from ..algorithms.arrays import Bools, Float32


@dataclass(frozen=True)
class Objective:
    """``optimizationObjective``: a numeric Items column and how much it weighs against relevance."""

    attribute: str
    sensitivity: Literal["OFF", "LOW", "MEDIUM", "HIGH"]

    @property
    def weight(self) -> float:
        """Share of the objective in the final score (our choice: 0, 1/4, 1/2, 3/4)."""
        return {"OFF": 0.0, "LOW": 0.25, "MEDIUM": 0.5, "HIGH": 0.75}[self.sensitivity]


@dataclass(frozen=True)
class ItemRewards:
    """The objective of each item, float32[n] in 0..1, and its share of the final score."""

    values: Float32
    share: float

    @classmethod
    def of(cls, records: pl.DataFrame | None, objective: Objective | None) -> ItemRewards | None:
        """The objective's column of items' records by the logarithm of its distance from the least, scaled to
        0..1; an item without a value counts as the least. None without an objective, or without a value."""
        if objective is None or records is None:
            return None
        column = records[objective.attribute].cast(float).to_numpy()
        known = np.isfinite(column)
        if not known.any():
            return None
        least = column[known].min()
        logs = np.log1p(np.where(known, column, least) - least)
        return cls((logs / max(float(logs.max()), 1e-12)).astype(np.float32), objective.weight)

    def blended(self, relevance: Float32, among: Bools) -> Float32:
        """float32[n], relevance and objective as one score. Relevance is scaled by the span that it has in
        bool[n] `among`; the sum is scaled back, so that its softmax stays as sharp as without an
        objective."""
        low, high = float(relevance[among].min()), float(relevance[among].max())
        span = max(high - low, 1e-6)
        share = np.float32(self.share)
        blend = ((1 - share) * (relevance - low) / span + share * self.values) * span
        return blend.astype(np.float32)

    def without_reward(self, scores: Float32, relevance: Float32, among: Bools) -> Float32:
        """float32[m], `scores` of items outside the catalogue as `blended` has them, with an objective of 0.

        Args:
            relevance, among: of the catalogue, as for `blended`.
        """
        scores = scores - relevance[among].min()
        return self.damped(scores)

    def damped(self, differences: Float32) -> Float32:
        """What differences of relevance are worth after the blend."""
        return differences * np.float32(1 - self.share)


def measured_rewards(records: pl.DataFrame | None, attribute: str | None) -> Float32 | None:
    """float32[n], the objective's column as ``average_rewards_at_k`` counts it: shifted to begin at 0 where
    it is negative, 0 where unknown; None without an objective."""
    if attribute is None or records is None:
        return None
    values = records[attribute].cast(pl.Float64)
    least = values.min()
    shift = least if isinstance(least, float) and least < 0 else 0.0
    return (values - shift).fill_null(0.0).cast(pl.Float32).to_numpy()
