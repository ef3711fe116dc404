"""aws-similar-items, `SimilarItems`: hybrid related items, by users' histories and items' metadata
together.

A score is a weighted sum of similarities (`ItemPairs`, `ItemMetadata`). The weights are those of a
conditional logit of held-out pairs: two items that followed one another in the history of a user whose events
had no part in the similarities. Each similarity has a second weight for anchors of which little is known, so
metadata decides there. Popularity explains a part of the pairs and is left out of the score; the
``popularity_discount_factor`` takes so many times log(1 + users) away.

Memory: that of the similarities. Time of an answer: linear in the items, `item_id_hidden_dim` and
`item_metadata_hidden_dim` multiplications each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl

from ..algorithms.arrays import Float32, Int64
from ..algorithms.conditional_logit import fit_logit
from ..algorithms.events import Events
from ..algorithms.item_pairs import ItemPairs
from ..datasets.sequences import Sequences
from ..storage.idtable import IdTable
from .item_counts import ItemCounts
from .item_metadata import ItemMetadata, Record
from .model import Model
from .query import Query
from .recipe import Recipe
from .record_vectors import RecordVectors
from .training import Configuration, Training, TrainingData

MOST_PAIRS = 1_000
HELD_OUT_SHARE = 0.5
"""Share of the users that are held out. With a fifth in place of a half, similarities of histories weigh more
and metadata less; docs/related-items.md has both."""
ALTERNATIVES = 512
LEADERS = 30
"""Items that are alternatives for being best by one similarity; the others are a random sample."""
PRIOR = {"cosine": 2.0, "vectors": 3.0, "text": 3.0, "category": 0.5, "number": 0.2}
"""Weights where pairs are few: the fit is drawn to them as by `RIDGE` pairs."""
BLOCK_BYTES = 16 * 1024 * 1024
"""Of scores that are worked out together for many anchors."""
LITTLE_KNOWN = 5.0
"""Users of an anchor with which the weights are two thirds of the way to those of little known ones."""
RIDGE = 2.0
_TIE = np.float32(1e-4)
_FILE = "similar_items.json"


class SimilarItemsModel:
    """A trained similar-items model; immutable."""

    def __init__(
        self,
        pairs: ItemPairs,
        metadata: ItemMetadata,
        weights: Float32,
        counts: ItemCounts,
        discount: float,
    ) -> None:
        """`weights`: float32[2, F] of the similarities, of any anchor and in addition of little known ones;
        `discount`: of the logarithm of an item's users."""
        self.pairs, self.metadata, self.weights, self.discount = pairs, metadata, weights, discount
        self._counts = counts
        spread = max(float(np.ptp(counts.scores)), 1e-9) if len(counts) else 1.0
        self._own = (counts.scores / np.float32(spread)) * _TIE
        self._own -= np.float32(discount) * np.log1p(counts.users)

    def scores(self, query: Query) -> Float32:
        """See `Model.scores`; of an anchor that nothing is like, the popular items."""
        if query.anchor is None:
            return self._counts.scores.copy()
        features = similarities(self.pairs, self.metadata, query.anchor, None)
        return self._scored(features, float(self.pairs.users[query.anchor]))

    def many(self, queries: Sequence[Query]) -> Float32:
        """See `Batches.many`. Memory: the answer, and as much again for products of `BLOCK_BYTES`."""
        found = np.empty((len(queries), len(self._counts)), dtype=np.float32)
        anchors = np.array([-1 if one.anchor is None else one.anchor for one in queries], dtype=np.int64)
        together = np.flatnonzero(anchors >= 0)
        known = self.pairs.known(anchors[together]) | self.metadata.known(anchors[together])
        together = together[known]
        step = max(1, BLOCK_BYTES // (4 * max(len(self._counts), 1)))
        for start in range(0, len(together), step):
            some = together[start : start + step]
            found[some] = self._scored_block(anchors[some])
        for place in np.setdiff1d(np.arange(len(queries)), together).tolist():
            found[place] = self.scores(queries[place])
        return found

    def _scored_block(self, anchors: Int64) -> Float32:
        """float32[B, n], the scores of anchors of which something is known."""
        unknown = 1.0 / np.sqrt(1.0 + self.pairs.users[anchors] / LITTLE_KNOWN)
        weights = (self.weights[0] + self.weights[1] * unknown[:, None]).astype(np.float32)
        scores = np.repeat(self._own[None], len(anchors), axis=0)
        self.pairs.accumulate(anchors, weights[:, :2], scores)
        self.metadata.accumulate(anchors, weights[:, 2:], scores)
        others = self._counts.others
        if not self.metadata.columns and 0 < len(others) < scores.shape[1]:
            scores[:, others] = scores[:, self._counts.interacted].min(axis=1, keepdims=True) - 1
        return scores

    def cold_scores(self, query: Query) -> Float32:
        """See `ColdStarts.cold_scores`: by the record of the anchor."""
        record = None if query.anchor_record is None else self.metadata.record_of(query.anchor_record)
        if record is None:
            return self._counts.scores.copy()
        return self._scored(similarities(self.pairs, self.metadata, None, record), 0.0)

    def embed(self, records: pl.DataFrame) -> RecordVectors | None:
        """See `Inductive.embed`; None without metadata."""
        if not self.metadata.columns:
            return None
        terms, vectors = self.metadata.rows_of(records)
        numbers = self.metadata.quantiles_of(records)
        return RecordVectors(terms, vectors, None, np.zeros(len(records), dtype=np.float32), numbers)

    def scores_of(self, query: Query, vectors: Any) -> Float32:
        """See `Inductive.scores_of`: by what the records of both say."""
        behind = np.full(len(vectors), self.scores(query).min() - 1, dtype=np.float32)
        users, record = 0.0, None
        if query.anchor is not None:
            users, record = float(self.pairs.users[query.anchor]), self.metadata.record(query.anchor)
        elif query.anchor_record is not None:
            record = self.metadata.record_of(query.anchor_record)
        if record is None or not isinstance(vectors, RecordVectors):
            return behind
        found = np.zeros(len(vectors), dtype=np.float32)
        weights = self.weights[0, 2:] + self.weights[1, 2:] * np.float32(little_known(users))
        for weight, one in zip(weights, self.metadata.similarities_of(record, vectors), strict=True):
            found += weight * one
        return np.where(vectors.any(axis=1), found, behind)

    def _scored(self, features: list[Float32], users: float) -> Float32:
        if not any(one.any() for one in features):
            return self._counts.scores.copy()
        scores = self._own.copy()
        for feature, (always, unknown) in zip(features, self.weights.T, strict=True):
            scores += np.float32(always + unknown * little_known(users)) * feature
        return scores if self.metadata.columns else self._counts.behind(scores)

    def tuned_state(self) -> Mapping[str, Any]:
        """See `Tunes.tuned_state`."""
        return {"similarities": names(self.metadata), "weights": self.weights.tolist()}

    def save(self, folder: Path) -> None:
        """See `Model.save`."""
        self.pairs.save(folder)
        self.metadata.save(folder)
        (folder / _FILE).write_text(json.dumps({**self.tuned_state(), "discount": self.discount}))


class SimilarItems(Recipe):
    """Counts histories, reads metadata, and weighs both on held-out pairs."""

    api: ClassVar[int] = 1

    def fit(self, data: TrainingData, configuration: Configuration, training: Training) -> Model:
        """See `Recipe.fit`."""
        parameters, events = configuration.parameters, data.sequences
        size = int(parameters["item_id_hidden_dim"])
        rng = np.random.default_rng(training.seed)
        training.progress("similarities", 0, 3, "passes")
        metadata = ItemMetadata.fit(
            data.ranked, int(parameters["item_metadata_hidden_dim"]), rng, training.check
        )
        training.progress("similarities", 1, 3, "passes")
        warm = training.warm_state
        if warm.get("similarities") == names(metadata):
            weights = np.array(warm["weights"], dtype=np.float32)
        else:
            weights = weigh(events, metadata, size, training)
        training.progress("similarities", 2, 3, "passes")
        pairs = _pairs(events, size, training.seed, training.check)
        training.progress("similarities", 3, 3, "passes")
        discount = float(parameters["popularity_discount_factor"])
        return SimilarItemsModel(pairs, metadata, weights, data.counts, discount)

    def load(self, folder: Path, ids: IdTable, counts: ItemCounts) -> Model:
        """See `Recipe.load`."""
        stored = json.loads((folder / _FILE).read_text())
        weights = np.array(stored["weights"], dtype=np.float32)
        return SimilarItemsModel(
            ItemPairs.load(folder), ItemMetadata.load(folder), weights, counts, stored["discount"]
        )


def names(metadata: ItemMetadata) -> list[str]:
    """What is compared, in the order of `similarities`."""
    return ["users: cosine", "users: vectors", *(f"metadata: {name}" for name in metadata.names)]


def similarities(
    pairs: ItemPairs, metadata: ItemMetadata, anchor: int | None, record: Record | None
) -> list[Float32]:
    """float32[n] each, of an item of the catalogue or of one that training did not know."""
    if anchor is None:
        nothing = np.zeros(pairs.pairs.n, dtype=np.float32)
        behaviour = [nothing, nothing]
    else:
        behaviour = pairs.similarities(anchor)
        record = metadata.record(anchor)
    assert record is not None
    return [*behaviour, *metadata.similarities(record)]


def little_known(users: float) -> float:
    """1 of an item without users, towards 0 of one with many."""
    return 1.0 / float(np.sqrt(1.0 + users / LITTLE_KNOWN))


def weigh(events: Sequences, metadata: ItemMetadata, size: int, training: Training) -> Float32:
    """float32[2, F], the weights that held-out pairs ask for."""
    rng = np.random.default_rng([training.seed, 1])
    first, second, kept = _held_out_pairs(events, rng)
    prior = [PRIOR["cosine"], PRIOR["vectors"], *(PRIOR[column.kind] for column in metadata.columns)]
    prior += [1.0] * (len(names(metadata)) - len(prior))
    centre = np.concatenate((prior, np.zeros(len(prior) + 1)))
    if not len(first):
        return centre[:-1].reshape(2, -1).astype(np.float32)
    pairs = _pairs(kept, size, training.seed, training.check)
    popular = np.log1p(pairs.users)
    n, asked, standing = len(popular), [], []
    for k, (anchor, chosen) in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
        training.check()
        training.progress("weigh", k, len(first), "pairs")
        found = similarities(pairs, metadata, anchor, None)
        items, share = _alternatives(found, anchor, chosen, n, rng)
        known = little_known(float(pairs.users[anchor]))
        part = np.stack([one[items] for one in found], axis=1)
        asked.append(np.concatenate((part, part * np.float32(known), popular[items, None]), axis=1))
        standing.append(share)
    ridge = np.full(2 * len(prior) + 1, RIDGE / len(first))
    found_weights, likelihood = fit_logit(np.stack(asked), np.stack(standing), ridge, centre, training.check)
    training.line(f"similarities weighed on {len(first):,} pairs, log-likelihood {likelihood:.3f}")
    return found_weights[:-1].reshape(2, -1).astype(np.float32)


def _pairs(events: Sequences, size: int, seed: int, check: Callable[[], None]) -> ItemPairs:
    packed = Events(events.ptr, events.item, events.time, events.event, events.weight, len(events.items))
    return ItemPairs.fit(packed, size, np.random.default_rng([seed, 2]), check=check)


def _held_out_pairs(events: Sequences, rng: np.random.Generator) -> tuple[Int64, Int64, Sequences]:
    """Items that followed one another, in either order, one pair a user; and the events of the others."""
    users = np.flatnonzero(events.counts >= 2)
    held = rng.permutation(users)[: int(HELD_OUT_SHARE * len(users))]
    users = held[:MOST_PAIRS]
    place = events.ptr[users] + (rng.random(len(users)) * (events.counts[users] - 1)).astype(np.int64)
    turned = rng.random(len(users)) < 0.5
    first = np.where(turned, events.item[place + 1], events.item[place]).astype(np.int64)
    second = np.where(turned, events.item[place], events.item[place + 1]).astype(np.int64)
    kept = np.ones(len(events.counts), dtype=np.bool_)
    kept[held] = False
    differ = first != second
    return first[differ], second[differ], events.where(np.repeat(kept, events.counts))


def _alternatives(
    found: list[Float32], anchor: int, chosen: int, n: int, rng: np.random.Generator
) -> tuple[Int64, Float32]:
    """int64[`ALTERNATIVES`] items, the chosen one first, and how many each stands for."""
    best = [np.argpartition(-one, min(LEADERS, n - 1))[:LEADERS] for one in found]
    leading = np.unique(np.concatenate(best))
    leading = leading[(leading != anchor) & (leading != chosen)]
    drawn = np.unique(rng.integers(0, n, 2 * ALTERNATIVES))
    drawn = rng.permutation(drawn[~np.isin(drawn, [*leading.tolist(), anchor, chosen])])
    drawn = drawn[: ALTERNATIVES - 1 - len(leading)]
    rest = max(n - 2 - len(leading), 0)
    items = np.full(ALTERNATIVES, chosen, dtype=np.int64)
    share = np.zeros(ALTERNATIVES, dtype=np.float32)
    share[0] = 1.0
    end = 1 + len(leading)
    items[1:end], share[1:end] = leading, 1.0
    items[end : end + len(drawn)] = drawn
    share[end : end + len(drawn)] = rest / max(len(drawn), 1)
    return items, share
