"""A model with every capability, `CompleteModel`: its own where it has them, the defaults elsewhere.

It is made once when a model is loaded or measured, so that whoever asks needs no branch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..algorithms.arrays import Bools, Float32, Int32, Int64, UInt64
from ..algorithms.item_attribute import ItemVectors
from .facts import Task
from .item_counts import ItemCounts
from .model import (
    Batches,
    ColdStarts,
    Describes,
    Explains,
    ExplainsSources,
    Inductive,
    Model,
    Online,
    Propensities,
    RanksNewItems,
    Resumes,
    Retriever,
    Retrieves,
    Shortlist,
    Source,
    State,
    Tunes,
    UsesFeatures,
)
from .query import Query

if TYPE_CHECKING:
    import polars as pl


def tuned_state(model: Model) -> Mapping[str, Any]:
    """See `Tunes.tuned_state`; nothing by default."""
    return model.tuned_state() if isinstance(model, Tunes) else {}


class CompleteModel:
    """What a trained model answers, with all capabilities.

    Attributes:
        model: the model that is asked: the trained one, or one that follows what came since.
        anchored: whether a question is about an item.
        follows: whether `observe` is to be told what everybody does.
        indexed: whether `candidates` and `scores_at` take much less than `scores`.
        ranks_new_items: whether items that came after training are ranked among the others.
    """

    def __init__(self, trained: Model, task: Task, counts: ItemCounts) -> None:
        """Look up what the model can do.

        Args:
            task: what its recipe answers. counts: popularity of its catalogue at training.
        """
        online = trained.online() if isinstance(trained, Online) else None
        model: Model = trained if online is None else online
        self.model, self._online, self._counts = model, online, counts
        self.anchored, self._needs_history = task.anchored, task.personal
        self._of_actions = task is Task.ACTIONS
        self._cold = model if isinstance(model, ColdStarts) else None
        self._batches = model if isinstance(model, Batches) else None
        self._describes = model if isinstance(model, Describes) else None
        self._inductive = model if isinstance(model, Inductive) else None
        self._resumes = model if isinstance(model, Resumes) else None
        self._features = model if isinstance(model, UsesFeatures) else None
        self._propensities = model if isinstance(model, Propensities) else None
        self._retriever: Retriever | None = model.retriever() if isinstance(model, Retrieves) else None
        self._new_items = model if isinstance(model, RanksNewItems) else None
        self.ranks_new_items = self._new_items is not None
        self.follows = online is not None
        self.indexed = self._retriever is not None

    def _answerable(self, query: Query) -> bool:
        """Whether the model itself is asked."""
        if self._needs_history:
            return len(query.item) > 0 or query.item_history is not None
        return query.anchor is not None if self.anchored else True

    def scores(self, query: Query) -> Float32:
        """See `Model.scores`, of any query: the popular items where the model has no answer."""
        if self._answerable(query):
            return self.model.scores(query)
        if self._cold is not None:
            return self._cold.cold_scores(query)
        popular = self._counts.scores
        # Of actions, logarithms of probabilities: that of the most popular one is 1 at most.
        return popular - popular.max(initial=0.0) if self._of_actions else popular.copy()

    def many(self, queries: Sequence[Query]) -> Float32:
        """See `Batches.many`; one by one by default, and those that the model has no answer to."""
        together = [place for place, query in enumerate(queries) if self._answerable(query)]
        if self._batches is not None and len(together) == len(queries):
            return self._batches.many(queries)
        found = np.empty((len(queries), len(self._counts.scores)), dtype=np.float32)
        if self._batches is not None and together:
            found[together] = self._batches.many([queries[place] for place in together])
        else:
            together = []
        for place in set(range(len(queries))).difference(together):
            found[place] = self.scores(queries[place])
        return found

    def candidates(self, query: Query, n: int, interacted_only: bool = False) -> Shortlist:
        """See `Retriever.candidates`; by default all items are scored."""
        if self._retriever is not None and self._answerable(query):
            return self._retriever.candidates(query, n, interacted_only)
        scores = self.scores(query)
        rows = np.flatnonzero(self._counts.interacted) if interacted_only else np.arange(len(scores))
        return Shortlist.of(rows, scores[rows], n)

    def scores_at(self, query: Query, rows: Int64) -> Float32:
        """See `Retriever.scores_at`; by default all items are scored."""
        if self._retriever is not None and self._answerable(query):
            return self._retriever.scores_at(query, rows)
        return self.scores(query)[rows]

    def described(self, query: Query, rows: Int64) -> Bools:
        """See `Describes.described`; none by default."""
        if self._describes is not None and self._answerable(query):
            return self._describes.described(query, rows)
        return np.zeros(len(rows), dtype=np.bool_)

    def embed(self, records: pl.DataFrame) -> ItemVectors | None:
        """See `Inductive.embed`; None by default."""
        return None if self._inductive is None else self._inductive.embed(records)

    def scores_of(self, query: Query, vectors: ItemVectors) -> Float32:
        """See `Inductive.scores_of`; behind everything by default."""
        if self._inductive is not None:
            return self._inductive.scores_of(query, vectors)
        return np.full(len(vectors), self.scores(query).min() - 1, dtype=np.float32)

    def new_item_scores(self, query: Query, vectors: Any, numbers: Int64) -> Float32:
        """See `RanksNewItems.new_item_scores`; no answers by default."""
        if self._new_items is not None:
            return self._new_items.new_item_scores(query, vectors, numbers)
        return np.full(len(numbers), -np.inf, dtype=np.float32)

    def observe(self, item: Int32, time: Int64, weight: Float32, user: UInt64 | None = None) -> None:
        """See `OnlineModel.observe`; nothing by default."""
        if self._online is not None:
            self._online.observe(item, time, weight, user)

    def online_bonus(self, query: Query, newcomers: Int64) -> Float32:
        """See `OnlineModel.online_bonus`; nothing by default."""
        if self._online is not None:
            return self._online.online_bonus(query, newcomers)
        return np.zeros(len(newcomers), dtype=np.float32)

    def save_online(self, folder: Path) -> None:
        """See `OnlineModel.save_online`; nothing by default."""
        if self._online is not None:
            self._online.save_online(folder)

    def load_online(self, folder: Path) -> None:
        """See `OnlineModel.load_online`; nothing by default."""
        if self._online is not None:
            self._online.load_online(folder)

    def resume(self, query: Query, state: State | None) -> tuple[Query, State | None]:
        """See `Resumes.resume`; by default nothing is kept."""
        return (query, None) if self._resumes is None else self._resumes.resume(query, state)

    def used_features(
        self, profile: Mapping[str, str | float], context: Mapping[str, str | float]
    ) -> tuple[dict[str, str | float], dict[str, str | float]]:
        """See `UsesFeatures.used_features`; nothing by default."""
        return ({}, {}) if self._features is None else self._features.used_features(profile, context)

    def propensities(self) -> Bools:
        """See `Propensities.propensities`; by default those that somebody interacted with."""
        return self._counts.interacted if self._propensities is None else self._propensities.propensities()

    def sources(self, query: Query, row: int) -> list[Source]:
        """See `ExplainsSources.sources`; by default what `Explains.explain` tells, or nothing. Popular items
        in place of an answer of the model are their own explanation."""
        if not self._answerable(query) and self._cold is None:
            counted = self._counts.scores
            return [
                Source(
                    "popularity", "logarithm of the users", 1.0, float(counted[row]), float(counted.mean())
                )
            ]
        if isinstance(self.model, ExplainsSources):
            return self.model.sources(query, row)
        parts = self.model.explain(query, row) if isinstance(self.model, Explains) else {}
        return [Source(name, name, 1.0, float(value), 0.0) for name, value in parts.items()]
