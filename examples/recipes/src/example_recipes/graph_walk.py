"""A walk with restarts over the graph of items, from the user's own (ItemRank; Gori and Pucci 2007)."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from openpersonalize import recipe_api as op

NEIGHBOURS = 50
MOST_OF_A_USER = 100
"""Items of a history that are paired, the newest."""
MOST_PAIRS = 200_000_000
"""They are sorted in memory, 16 bytes each."""


class GraphWalkModel:
    """Scores are logarithms of the share of time that the walk spends at an item."""

    def __init__(
        self, to: op.Int32, share: op.Float32, rule: dict[str, float], counts: op.ItemCounts
    ) -> None:
        """`to`: int32[n, NEIGHBOURS], where an item leads; `share`: how often, rows sum to 1 or are empty."""
        self.to, self.share, self.rule, self.counts = to, share, rule, counts

    def scores(self, query: op.Query) -> op.Float32:
        n = len(self.to)
        age = np.arange(len(query.item))[::-1]
        start = np.bincount(query.item, query.weight * self.rule["fading"] ** age, minlength=n)
        start /= start.sum()
        here, restart = start, self.rule["restart"]
        for _ in range(int(self.rule["steps"])):
            at = np.flatnonzero(here)
            moved = np.bincount(self.to[at].ravel(), (here[at, None] * self.share[at]).ravel(), minlength=n)
            here = restart * start + (1 - restart) * moved
        scores = np.log(here + 1e-6) + 1e-3 * self.counts.scores  # popularity parts what it never reached
        return self.counts.behind(scores.astype(np.float32))

    def save(self, folder: Path) -> None:
        np.save(folder / "to.npy", self.to)
        np.save(folder / "share.npy", self.share)
        (folder / "rule.json").write_text(json.dumps(self.rule))


class GraphWalk(op.Recipe):
    api = 1
    facts = op.Facts(
        "example-graph-walk",
        op.Task.PERSONALISE,
        "What a walk over items that people had in common comes by, from the user's own.",
        offers=frozenset({op.Offer.SCORES, op.Offer.PROMOTIONS, op.Offer.BATCH, op.Offer.HPO}),
        hyperparameters=(
            op.Hyperparameter("steps", "algorithm", "integer", 3, low=1, high=10, tunable=True),
            op.Hyperparameter("restart", "algorithm", "float", 0.3, low=0.0, high=0.95, tunable=True),
            op.Hyperparameter("fading", "algorithm", "float", 0.9, low=0.1, high=1.0, tunable=True),
        ),
    )

    def fit(
        self, data: op.TrainingData, configuration: op.Configuration, training: op.Training
    ) -> GraphWalkModel:
        events, n = data.sequences, len(data.ranked.ids)
        if int((np.minimum(events.counts, MOST_OF_A_USER).astype(np.int64) ** 2).sum()) > MOST_PAIRS:
            raise op.JobFailed(f"{self.name} is an example, and these are too many interactions for it.")
        pairs: list[Any] = [np.empty(0, np.int64)]
        for user in range(len(events.users)):
            training.check()
            training.progress("pair", user, len(events.users), "users")
            own = np.unique(events.item[events.ptr[user] : events.ptr[user + 1]][-MOST_OF_A_USER:])
            both = own[:, None] * np.int64(n) + own
            pairs.append(both[~np.eye(len(own), dtype=bool)])
        pair, common = np.unique(np.concatenate(pairs), return_counts=True)
        row, column = np.divmod(pair, n)
        weight = common / np.sqrt(np.maximum(data.counts.users[column], 1))
        order = np.lexsort((-weight, row))
        row, column, weight = row[order], column[order], weight[order]
        rank = np.arange(len(row)) - np.searchsorted(row, row)
        kept = rank < NEIGHBOURS
        to, share = np.zeros((n, NEIGHBOURS), np.int32), np.zeros((n, NEIGHBOURS), np.float32)
        to[row[kept], rank[kept]], share[row[kept], rank[kept]] = column[kept], weight[kept]
        share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-9)
        rule = {name: float(value) for name, value in configuration.parameters.items()}
        return GraphWalkModel(to, share, rule, data.counts)

    def load(self, folder: Path, ids: op.IdTable, counts: op.ItemCounts) -> GraphWalkModel:
        table, share = (np.load(folder / name, mmap_mode="r") for name in ("to.npy", "share.npy"))
        return GraphWalkModel(table, share, json.loads((folder / "rule.json").read_text()), counts)
