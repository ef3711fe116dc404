"""aws-popularity-count: the items most users interacted with, the same list for everybody."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..algorithms.popularity import item_popularity, log_popularity
from ..storage.idtable import IdTable
from .base import Configuration, Float32, Int32, Model, Query, Recipe, Training, TrainingData


class PopularityModel(Model):
    """Scores are the logarithm of the number of distinct users, ties broken by interactions, then by id."""

    def __init__(self, items: IdTable, popularity: Float32, popular: Int32) -> None:
        """`popularity` float32[n] distinct users; `popular` int32[n] the order."""
        self.items = items
        self.popularity = popularity
        self.popular = popular
        self.scored = popularity > 0
        self._scores = log_popularity(popularity, popular)

    def scores(self, query: Query) -> Float32:
        """The same for every query."""
        return self._scores.copy()

    def save(self, folder: Path) -> None:
        """Two small arrays."""
        np.save(folder / "popularity.npy", self.popularity)
        np.save(folder / "popular.npy", self.popular)


class PopularityCount(Recipe):
    """Counts; nothing to validate."""

    def fit(self, data: TrainingData, configuration: Configuration, training: Training) -> PopularityModel:
        """Count distinct users per item."""
        sequences = data.sequences
        users, order = item_popularity(sequences.ptr, sequences.item, len(sequences.items))
        training.progress("count", len(sequences.item), len(sequences.item), "events")
        return PopularityModel(sequences.items, users, order)

    def load(self, folder: Path, items: IdTable) -> PopularityModel:
        """Open what was saved."""
        return PopularityModel(items, np.load(folder / "popularity.npy"), np.load(folder / "popular.npy"))
