"""aws-item-affinity and aws-item-attribute-affinity, `UserSegmentation`: users in the order of how likely
they are to interact with an item, or with the items that have an attribute.

A score is a weighted sum of what is known of a user towards the items asked about (`SegmentFeatures`). The
weights are those of a conditional logit of held-out questions: of everybody's newest fifth of events, which
user it was that interacted with the item, or with any item of the attribute's value. Each feature has a
second weight for items of which little is known. So the softmax of the scores is the distribution of users
over the next event with these items.

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
"""Items on which the weights are found, and values of attributes where these can be asked about."""
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
        """`weights`: float32[2, F] of the features, of any items and in addition of little known ones.
        `counts`: how many items each user interacted with."""
        self.features, self.weights, self._counts = features, weights, counts

    def scores(self, query: Query) -> Float32:
        """See `Model.scores`: of each user, for the anchor; without one the most active users."""
        if query.anchor is None:
            return self._counts.scores.copy()
        return self.affinity(np.array([query.anchor], dtype=np.int64))

    def affinity(self, items: Int64) -> Float32:
        """See `Segments.affinity`."""
        scores = np.zeros(self.features.users.users, dtype=np.float32)
        unknown = little_known(self.features, items)
        for (always, more), feature in zip(self.weights.T, self.features.of(items), strict=True):
            scores += (always + more * unknown) * feature
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
    """float32[2, F], the weights that held-out events ask for."""
    rng = np.random.default_rng([training.seed, 1])
    held_out = split_newest(history)
    features = SegmentFeatures.fit(
        history.where(held_out.training), metadata, size, training.seed, training.check
    )
    names = features.names
    centre = np.array([PRIOR.get(name, PRIOR_LIKE if name.startswith("like") else 0.0) for name in names])
    centre = np.concatenate((centre, np.zeros(len(names))))
    later = ~held_out.training
    groups = [list(_about_items(history, later, rng))]
    if attributes is not None:
        groups.append(list(_about_attributes(history, later, attributes, rng)))
    questions = [(one, max(1, MOST_EVENTS // len(groups) // len(group))) for group in groups for one in group]
    asked, standing = [], []
    for number, (question, most) in enumerate(questions):
        training.check()
        training.progress("weigh", number, len(questions), "questions")
        rows, share = _alternatives(rng.permutation(question.users)[:most], features.users.users, rng)
        found = np.stack([one[rows] for one in features.of(question.items)], axis=-1)
        asked.append(np.concatenate((found, found * little_known(features, question.items)), axis=-1))
        standing.append(share)
    if not asked:
        return centre.reshape(2, -1).astype(np.float32)
    stacked, shares = np.concatenate(asked), np.concatenate(standing)
    ridge: Float64 = np.full(len(centre), RIDGE / len(stacked))
    weights, likelihood = fit_logit(stacked, shares, ridge, centre, training.check)
    training.line(f"users weighed on {len(stacked):,} events, log-likelihood {likelihood:.3f}")
    return weights.reshape(2, -1).astype(np.float32)


def little_known(features: SegmentFeatures, items: Int64) -> np.float32:
    """1 of items without users, towards 0 of such with many."""
    return np.float32(1.0 / (1.0 + np.log1p(features.users.counts[items].sum())))


def _about_items(history: Sequences, later: Bools, rng: np.random.Generator) -> Iterator[_Question]:
    """In an order that is chance, each with the users who interacted with the item later."""
    order = np.argsort(history.item[later], kind="stable")
    item, user = history.item[later][order], history.user[later][order]
    for one in rng.permutation(np.unique(item))[:MOST_QUESTIONS].tolist():
        start, end = np.searchsorted(item, [one, one + 1])
        yield _Question(np.array([one]), np.unique(user[start:end]))


def _about_attributes(
    history: Sequences, later: Bools, attributes: ItemAttributes, rng: np.random.Generator
) -> Iterator[_Question]:
    """About values of attributes, in the same way."""
    item, user = history.item[later], history.user[later]
    values = list(attributes.values())
    asked = 0
    for place in rng.permutation(len(values)).tolist():
        if asked == MOST_QUESTIONS:
            return
        items = attributes.items_with(*values[place])
        having = np.zeros(len(history.items), dtype=np.bool_)
        having[items] = True
        theirs = np.unique(user[having[item]])
        if len(theirs):
            asked += 1
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
