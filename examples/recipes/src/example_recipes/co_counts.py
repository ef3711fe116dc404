"""What others had in their histories together with the user's own items, counted."""

from pathlib import Path

import numpy as np

from openpersonalize.recipe_api import (
    Configuration,
    Facts,
    Float32,
    Hyperparameter,
    IdTable,
    ItemCounts,
    JobFailed,
    Offer,
    Query,
    Recipe,
    Task,
    Training,
    TrainingData,
)

MOST_ITEMS = 20_000
"""The table is dense: 1.6 GB at this size."""


class CoCountsModel:
    """Scores are the logarithms of the counts, ties parted by popularity."""

    def __init__(self, table: Float32, counts: ItemCounts) -> None:
        self.table, self.counts = table, counts

    def scores(self, query: Query) -> Float32:
        common = self.table[query.item].sum(axis=0)
        return self.counts.behind((np.log1p(common) + 1e-3 * self.counts.scores).astype(np.float32))

    def save(self, folder: Path) -> None:
        np.save(folder / "table.npy", self.table)


class CoCounts(Recipe):
    api = 1
    facts = Facts(
        "example-co-counts",
        Task.PERSONALISE,
        "What others had in their histories together with the user's own items.",
        offers=frozenset({Offer.SCORES, Offer.PROMOTIONS}),
        hyperparameters=(Hyperparameter("discount", "algorithm", "float", 0.5, low=0.0, high=1.0),),
    )

    def fit(self, data: TrainingData, configuration: Configuration, training: Training) -> CoCountsModel:
        events, n = data.sequences, len(data.ranked.ids)
        if n > MOST_ITEMS:
            raise JobFailed(f"{self.name} takes at most {MOST_ITEMS:,} items, not {n:,}.")
        table = np.zeros((n, n), dtype=np.float32)
        for user in range(len(events.users)):
            training.check()
            training.progress("count", user, len(events.users), "users")
            own = np.unique(events.item[events.ptr[user] : events.ptr[user + 1]])
            table[np.ix_(own, own)] += 1
        table /= np.maximum(data.counts.users, 1) ** float(configuration.parameters["discount"])
        return CoCountsModel(table, data.counts)

    def load(self, folder: Path, ids: IdTable, counts: ItemCounts) -> CoCountsModel:
        return CoCountsModel(np.load(folder / "table.npy", mmap_mode="r"), counts)
