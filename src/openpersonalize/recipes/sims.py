"""aws-sims, `Sims`: related items by item-to-item collaborative filtering.

Behind the items related to the anchor come the popular ones; of an anchor with too little data, only those.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..algorithms.arrays import Float32
from ..algorithms.events import Events
from ..algorithms.item_to_item import ItemToItem
from ..storage.idtable import IdTable
from .item_counts import ItemCounts
from .model import Model
from .query import Query
from .recipe import Recipe
from .selection import without_extreme_items, without_extreme_users
from .training import Configuration, Training, TrainingData


class SimsModel:
    """Related items first, by similarity; then the popular ones."""

    def __init__(self, table: ItemToItem, counts: ItemCounts) -> None:
        """`table`: who is related; `counts`: popularity of the catalogue."""
        self.table = table
        self._popular = counts.scores

    def scores(self, query: Query) -> Float32:
        """See `Model.scores`."""
        scores = self._popular.copy()
        if query.anchor is None:
            return scores
        rows, similarity = self.table.of(query.anchor)
        if len(rows):
            scores[rows] = similarity + (scores.max() - similarity.min() + 1)
        return scores

    def many(self, queries: Sequence[Query]) -> Float32:
        """See `Batches.many`."""
        found = np.repeat(self._popular[None], len(queries), axis=0)
        places = [place for place, query in enumerate(queries) if query.anchor is not None]
        anchors = np.array([queries[place].anchor for place in places], dtype=np.int64)
        row, col, similarity = self.table.of_many(anchors)
        if len(row):
            start = np.flatnonzero(np.concatenate(([True], row[1:] != row[:-1])))
            least = np.empty(len(anchors), dtype=np.float32)
            least[row[start]] = np.minimum.reduceat(similarity, start)
            most = self._popular.max()
            found[np.array(places)[row], col] = similarity + (most - least[row] + 1)
        return found

    def save(self, folder: Path) -> None:
        """See `Model.save`."""
        self.table.save(folder)


class Sims(Recipe):
    """Counts common users of items; nothing to validate."""

    api: ClassVar[int] = 1

    def fit(self, data: TrainingData, configuration: Configuration, training: Training) -> Model:
        """See `Recipe.fit`. Memory: that of `ItemToItem.fit`."""
        learnt = without_extreme_users(data.sequences, configuration)
        learnt = without_extreme_items(learnt, configuration)
        events = Events(
            learnt.ptr, learnt.item, learnt.time, learnt.event, learnt.weight, len(data.ranked.ids)
        )
        training.progress("count", 0, 1, "passes")
        table = ItemToItem.fit(
            events,
            least=int(configuration.parameters["min_cointeraction_count"]),
            discount=float(configuration.parameters["popularity_discount_factor"]),
            check=training.check,
        )
        training.progress("count", 1, 1, "passes")
        return SimsModel(table, data.counts)

    def load(self, folder: Path, ids: IdTable, counts: ItemCounts) -> Model:
        """See `Recipe.load`."""
        return SimsModel(ItemToItem.load(folder), counts)
