"""aws-item-affinity and aws-item-attribute-affinity, `UserSegmentation`: users in the order of how likely
they are to interact with an item, or with the items that have an attribute.

A score is a weighted sum of what is known of a user towards the items asked about (`SegmentFeatures`). The
weights are those of a conditional logit of held-out questions: of everybody's newest fifth of events, which
user it was that interacted with the item, or with any item of the attribute's value. So the softmax of the
scores is the distribution of users over the next event with these items.

Memory: that of the features. Time of an answer: linear in the users, and in the interactions with the items
that are like those asked about.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..algorithms.arrays import Bools, Float32, Float64, Int32, Int64
from ..algorithms.conditional_logit import fit_logit
from ..datasets.sequences import Sequences
from ..datasets.splits import split_newest
from ..storage.idtable import IdTable
from .item_attributes import ItemAttributes
from .item_counts import ItemCounts
from .item_metadata import ItemMetadata
from .model import Model
from .query import Query
from .recipe import Recipe
from .segment_features import SegmentFeatures
from .training import Configuration, Training, TrainingData

METADATA_SIZE = 100
"""Numbers of an item's vector of metadata."""
MOST_QUESTIONS = 400
"""Items, or values of attributes, on which the weights are found."""
MOST_EVENTS = 4_000
"""Users that are looked for, of all of them together."""
ALTERNATIVES = 200
RIDGE = 2.0
PRIOR = {"events": 0.5, "items": 0.5, "times": 0.5, "share": 0.3}
"""Weights where questions are few: the fit is drawn to them as by `RIDGE` questions. Of all others:"""
PRIOR_LIKE = 0.3
_FILE = "user_segmentation.json"


class SegmentModel:
    """A trained model of user segmentation; immutable."""

    def __init__(self, features: SegmentFeatures, weights: Float32, counts: ItemCounts) -> None:
        """`weights`: float32[F] of the features. `counts`: how many items each user interacted with."""
        self.features, self.weights, self._counts = features, weights, counts

    def scores(self, query: Query) -> Float32:
        """See `Model.scores`: of each user, for the anchor; without one the most active users."""
        if query.anchor is None:
            return self._counts.scores.copy()
        return self.affinity(np.array([query.anchor], dtype=np.int64))

    def affinity(self, items: Int64) -> Float32:
        """See `Segments.affinity`."""
        scores = np.zeros(self.features.users.users, dtype=np.float32)
        for weight, feature in zip(self.weights, self.features.of(items), strict=True):
            scores += weight * feature
        return scores

    def without_users(self, kept: Bools) -> SegmentModel:
        """See `Segments.without_users`."""
        counts = self._counts.without(kept)
        return SegmentModel(self.features.without_users(kept), self.weights, counts)

    def tuned_state(self) -> Mapping[str, Any]:
        """See `Tunes.tuned_state`."""
        return {"features": self.features.names, "weights": self.weights.tolist()}

    def save(self, folder: Path) -> None:
        """See `Model.save`."""
        self.features.save(folder)
        (folder / _FILE).write_text(json.dumps(self.tuned_state()))


class UserSegmentation(Recipe):
    """Counts histories, reads metadata, and weighs both on held-out events."""

    api: ClassVar[int] = 1

    def fit(self, data: TrainingData, configuration: Configuration, training: Training) -> Model:
        """See `Recipe.fit`."""
        size = int(configuration.parameters["hidden_dimension"])
        rng = np.random.default_rng(training.seed)
        training.progress("features", 0, 3, "passes")
        metadata = ItemMetadata.fit(data.items, METADATA_SIZE, rng, training.check)
        training.progress("features", 1, 3, "passes")
        warm, weights = training.warm_state, None
        if "features" not in warm:
            weights = weigh(data.sequences, metadata, data.attributes, size, training)
        training.progress("features", 2, 3, "passes")
        features = SegmentFeatures.fit(data.sequences, metadata, size, training.seed, training.check)
        if weights is None and warm["features"] == features.names:
            weights = np.array(warm["weights"], dtype=np.float32)
        if weights is None:
            weights = weigh(data.sequences, metadata, data.attributes, size, training)
        training.progress("features", 3, 3, "passes")
        return SegmentModel(features, weights, data.counts)

    def load(self, folder: Path, ids: IdTable, counts: ItemCounts) -> Model:
        """See `Recipe.load`."""
        stored = json.loads((folder / _FILE).read_text())
        weights = np.array(stored["weights"], dtype=np.float32)
        return SegmentModel(SegmentFeatures.load(folder), weights, counts)


class _Question(NamedTuple):
    items: Int64
    users: Int32


def weigh(
    history: Sequences,
    metadata: ItemMetadata,
    attributes: ItemAttributes | None,
    size: int,
    training: Training,
) -> Float32:
    """float32[F], the weights that held-out events ask for."""
    rng = np.random.default_rng([training.seed, 1])
    held_out = split_newest(history)
    features = SegmentFeatures.fit(
        history.where(held_out.training), metadata, size, training.seed, training.check
    )
    names = features.names
    centre = np.array([PRIOR.get(name, PRIOR_LIKE if name.startswith("like") else 0.0) for name in names])
    asked, standing = [], []
    questions = list(_questions(history, ~held_out.training, attributes, rng))
    for number, question in enumerate(questions):
        training.check()
        training.progress("weigh", number, len(questions), "questions")
        chosen = rng.permutation(question.users)[: max(1, MOST_EVENTS // len(questions))]
        rows, share = _alternatives(chosen, features.users.users, rng)
        found = np.stack([one[rows] for one in features.of(question.items)], axis=-1)
        asked.append(found)
        standing.append(share)
    if not asked:
        return centre.astype(np.float32)
    stacked, shares = np.concatenate(asked), np.concatenate(standing)
    ridge: Float64 = np.full(len(names), RIDGE / len(stacked))
    weights, likelihood = fit_logit(stacked, shares, ridge, centre, training.check)
    training.line(f"users weighed on {len(stacked):,} events, log-likelihood {likelihood:.3f}")
    return weights.astype(np.float32)


def _questions(
    history: Sequences, later: Bools, attributes: ItemAttributes | None, rng: np.random.Generator
) -> Iterator[_Question]:
    """About items, or values of attributes, in an order that is chance: each with the users who interacted
    with it later."""
    item, user = history.item[later], history.user[later]
    if attributes is None:
        order = np.argsort(item, kind="stable")
        item, user = item[order], user[order]
        asked = [(one, np.array([one])) for one in rng.permutation(np.unique(item)).tolist()]
        for one, items in asked[:MOST_QUESTIONS]:
            start, end = np.searchsorted(item, [one, one + 1])
            yield _Question(items, np.unique(user[start:end]))
        return
    values = list(attributes.values())
    count = 0
    for place in rng.permutation(len(values)).tolist():
        if count == MOST_QUESTIONS:
            return
        items = attributes.items_with(*values[place])
        having = np.zeros(len(history.items), dtype=np.bool_)
        having[items] = True
        theirs = np.unique(user[having[item]])
        if len(theirs):
            count += 1
            yield _Question(items, theirs)


def _alternatives(chosen: Int32, users: int, rng: np.random.Generator) -> tuple[Int64, Float32]:
    """int64[Q, `ALTERNATIVES`] users, the chosen one first, the others drawn from all; and how many each
    stands for."""
    rows = np.empty((len(chosen), ALTERNATIVES), dtype=np.int64)
    rows[:, 0] = chosen
    rows[:, 1:] = rng.integers(0, users, (len(chosen), ALTERNATIVES - 1))
    share = np.full(rows.shape, users / (ALTERNATIVES - 1), dtype=np.float32)
    share[rows == rows[:, :1]] = 0.0
    share[:, 0] = 1.0
    return rows, share
