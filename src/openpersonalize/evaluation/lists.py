"""What recommendation lists are like beyond being right: novel, diverse, popular, concentrated on few items.

What is known about items comes from the training events alone. Lists are int32[Q, k] of item numbers, best
first, -1 where a list is short.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..algorithms.popularity import item_popularity
from ..datasets.sequences import Float32, Int32, Int64, Sequences
from .metrics import Float64

TABLE_BYTES = 256 * 1024 * 1024
"""Most that `diversity` holds: a bit per listed item and user. Beyond it the users are thinned out."""

_PAIRS = 4096


@dataclass(frozen=True)
class ItemPopularity:
    """How well known each item was when the training ended.

    Attributes:
        users: float32[n], distinct users that met the item. people: how many users there are.
        percentile: float64[n], share of the items that are less popular, ties halved: about 1 for the most
            popular one.
    """

    users: Float32
    people: int
    percentile: Float64

    @classmethod
    def of(cls, training: Sequences) -> ItemPopularity:
        """From the events that train."""
        users, _ = item_popularity(training.ptr, training.item, len(training.items))
        _, place, size = np.unique(users, return_inverse=True, return_counts=True)
        below = np.cumsum(size) - size
        percentile = (below + size / 2)[place] / max(len(users), 1)
        return cls(users, int((training.counts > 0).sum()), percentile)

    def surprise(self) -> Float64:
        """float64[n], bits: -log2 of the share of users that met the item (self-information: Zhou, Kuscsik,
        Liu, Medo, Wakeling and Zhang 2010, "Solving the apparent diversity-accuracy dilemma of recommender
        systems"). An item that nobody met counts as met by one."""
        return -np.log2(np.maximum(self.users, 1.0).astype(np.float64) / max(self.people, 1))


def mean_over_list(values: Float64, lists: Int32) -> Float64:
    """float64[Q], the mean of each list's values float64[n]; 0 for an empty list."""
    filled = lists >= 0
    total = np.where(filled, values[np.maximum(lists, 0)], 0.0).sum(axis=1)
    return np.asarray(total / np.maximum(filled.sum(axis=1), 1))


def diversity(training: Sequences, lists: Int32) -> Float64:
    """float64[Q], intra-list distance: 1 - the mean cosine similarity of a list's pairs, where an item is the
    set of the users that met it in training. 0 for lists with less than two items.

    Vargas and Castells 2011, "Rank and relevance in novelty and diversity metrics for recommender systems",
    without discounts; Ziegler, McNee, Konstan and Lausen 2005, "Improving recommendation lists through topic
    diversification". Where bits of all users would exceed `TABLE_BYTES`, every m-th user is looked at.
    """
    left, right = np.triu_indices(lists.shape[1], 1)
    first, second = lists[:, left], lists[:, right]
    real = (first >= 0) & (second >= 0)
    bits, place = _met_by(training, np.unique(lists[lists >= 0]))
    size = np.bitwise_count(bits).sum(axis=1, dtype=np.int64)
    a, b = place[np.minimum(first, second)[real]], place[np.maximum(first, second)[real]]
    pairs, which = np.unique(a.astype(np.int64) * max(len(bits), 1) + b, return_inverse=True)
    a, b = pairs // max(len(bits), 1), pairs % max(len(bits), 1)
    similar = np.zeros(len(pairs))
    for begin in range(0, len(pairs), _PAIRS):
        part = slice(begin, begin + _PAIRS)
        common = np.bitwise_count(bits[a[part]] & bits[b[part]]).sum(axis=1, dtype=np.int64)
        similar[part] = common / np.sqrt(np.maximum(size[a[part]] * size[b[part]], 1))
    of_pair = np.zeros(first.shape)
    of_pair[real] = similar[which]
    count = real.sum(axis=1)
    return np.where(count > 0, 1.0 - of_pair.sum(axis=1) / np.maximum(count, 1), 0.0)


def _met_by(training: Sequences, items: Int32) -> tuple[npt.NDArray[np.uint64], Int64]:
    """uint64[len(items), W], a bit for each user that met the item; int64[n], the row of each item."""
    place = np.full(len(training.items), -1, dtype=np.int64)
    place[items] = np.arange(len(items))
    people = len(training.users)
    step = max(1, -(-people * len(items) // (8 * TABLE_BYTES)))
    user = np.repeat(np.arange(people, dtype=np.int64), training.counts)
    wanted = (place[training.item] >= 0) & (user % step == 0)
    row, user = place[training.item[wanted]], user[wanted] // step
    bits = np.zeros((len(items), people // step // 64 + 1), dtype=np.uint64)
    np.bitwise_or.at(bits, (row, user // 64), np.uint64(1) << (user % 64).astype(np.uint64))
    return bits, place


def exposure_gini(lists: Int32, items: int) -> float:
    """Gini coefficient of how often each of the `items` stands in a list: 0 when all do alike, near 1 when a
    few do (Castells, Hurley and Vargas 2022, "Novelty and diversity in recommender systems")."""
    shown = np.sort(np.bincount(lists[lists >= 0], minlength=items).astype(np.float64))
    total = float(shown.sum())
    if not total:
        return 0.0
    return float((2 * np.arange(1, items + 1) - items - 1) @ shown / (items * total))
