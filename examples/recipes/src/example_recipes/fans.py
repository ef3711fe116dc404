"""Users for an item: who had most of what the same people had. For batch segment jobs."""

from pathlib import Path
from typing import Self

import numpy as np

from openpersonalize import recipe_api as op

MOST_CELLS = 50_000_000
"""Users times items: the table is dense, 4 bytes a cell."""


class FansModel:
    """`likes` float32[users, items]; a segment for several items has who likes any of them."""

    def __init__(self, likes: op.Float32) -> None:
        self.likes = likes

    def affinity(self, items: op.Int64) -> op.Float32:
        return self.likes[:, items].max(axis=1)

    def scores(self, query: op.Query) -> op.Float32:
        return self.affinity(np.array([query.anchor]))

    def without_users(self, kept: op.Bools) -> Self:
        return type(self)(self.likes[kept])

    def save(self, folder: Path) -> None:
        np.save(folder / "likes.npy", self.likes)


class Fans(op.Recipe):
    api = 1
    facts = op.Facts(
        "example-fans",
        op.Task.SEGMENT,
        "For each given item, the users who had most of what the same people had.",
    )

    def fit(self, data: op.TrainingData, configuration: op.Configuration, training: op.Training) -> FansModel:
        training.check()
        events, users, items = data.sequences, len(data.ranked.ids), len(data.items.ids)
        if users * items > MOST_CELLS:
            raise op.JobFailed(f"{self.name} takes at most {MOST_CELLS:,} users times items.")
        had = np.zeros((users, items), dtype=np.float32)
        had[np.repeat(np.arange(users), events.counts), events.item] = 1
        common = had.T @ had
        share = common / np.sqrt(np.maximum(np.outer(common.diagonal(), common.diagonal()), 1))
        training.progress("count", 1, 1, "tables")
        return FansModel(np.log(had @ share + 1e-3))

    def load(self, folder: Path, ids: op.IdTable, counts: op.ItemCounts) -> FansModel:
        return FansModel(np.load(folder / "likes.npy", mmap_mode="r"))
