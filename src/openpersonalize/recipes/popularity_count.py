"""aws-popularity-count, `PopularityCount`: what most users interacted with, the same for everybody."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from ..algorithms.arrays import Float32
from ..storage.idtable import IdTable
from .item_counts import ItemCounts
from .query import Query
from .recipe import Recipe
from .training import Configuration, Training, TrainingData


class PopularityModel:
    """Scores are the logarithm of the number of distinct users, ties broken by interactions, then by id."""

    def __init__(self, counts: ItemCounts) -> None:
        """`counts`: of the catalogue."""
        self._counts = counts

    def scores(self, query: Query) -> Float32:
        """The same for every query."""
        return self._counts.scores.copy()

    def save(self, folder: Path) -> None:
        """Nothing: the artifact has the counts."""


class PopularityCount(Recipe):
    """Counts; nothing to validate."""

    api: ClassVar[int] = 1

    def fit(self, data: TrainingData, configuration: Configuration, training: Training) -> PopularityModel:
        """Count distinct users per item."""
        count = len(data.sequences.item)
        training.check()
        training.progress("count", count, count, "events")
        return PopularityModel(data.counts)

    def load(self, folder: Path, ids: IdTable, counts: ItemCounts) -> PopularityModel:
        """Nothing to open."""
        return PopularityModel(counts)
