"""Popularity: how many users ever interacted with an item, as a base ranker, `Popularity`.
`recent_popularity` counts what happened lately."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from .arrays import Float32, Int32, Int64
from .item_counts import distinct_items, user_blocks
from .mapped import mapped
from .ranker import BaseRanker, RankerQuery

AGAIN = 0.75
"""What an event counts of the same user's event before about the same item."""


def item_popularity(ptr: Int64, item: Int32, n: int) -> tuple[Float32, Int32]:
    """Distinct users per item, and all items in the order of popularity.

    Args:
        ptr: int64[U+1], user u's events are ``item[ptr[u]:ptr[u+1]]``.
        item: int32[N]. n: number of items.

    Returns:
        float32[n] distinct users; int32[n] items, most users first, ties by events, then by number.
    """
    users = np.bincount(distinct_items(ptr, item, n)[1], minlength=n)
    events = np.bincount(item, minlength=n)
    order = np.lexsort((np.arange(n), -events, -users)).astype(np.int32)
    return users.astype(np.float32), order


def item_events(ptr: Int64, item: Int32, n: int) -> tuple[Float32, Int32]:
    """Events per item, and all items in that order; arguments as of `item_popularity`.

    What one user does again with an item counts less each time, `AGAIN` times the time before: 1, 1.75, 2.3
    and so on, never `1 / (1 - AGAIN)`. So nobody makes an item popular alone.

    Returns:
        float32[n] events; int32[n] items, most events first, ties by events without fading, then by number.
    """
    faded = np.zeros(n)
    for first, end in user_blocks(ptr):
        user = np.repeat(np.arange(end - first), np.diff(ptr[first : end + 1]))
        pairs, times = np.unique(user * n + item[ptr[first] : ptr[end]], return_counts=True)
        faded += np.bincount(pairs % max(n, 1), (1 - AGAIN**times) / (1 - AGAIN), n)
    events = np.bincount(item, minlength=n)
    order = np.lexsort((np.arange(n), -events, -faded)).astype(np.int32)
    return faded.astype(np.float32), order


def log_popularity(users: Float32, order: Int32) -> Float32:
    """log(users) as float32[n] that falls strictly along `order`: ties are parted by the smallest steps.

    Items with which nobody interacted come last, below log(1/2).
    """
    scores = np.empty(len(users), dtype=np.float32)
    scores[order] = parted(np.log(np.maximum(users[order], 0.5)).astype(np.float32))
    return scores


def parted(values: Float32) -> Float32:
    """float32[n] that falls strictly: `values`, which do not rise, with ties parted by the smallest steps."""
    place = np.arange(len(values), dtype=np.int64)
    return _from_ordinal(np.minimum.accumulate(_ordinal(values) + place) - place)


def _ordinal(values: Float32) -> Int64:
    """Integers in the order of the floats, neighbours one apart."""
    bits = values.view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def _from_ordinal(ordinals: Int64) -> Float32:
    bits = np.where(ordinals < 0, (-ordinals) | 0x80000000, ordinals)
    return bits.astype(np.uint32).view(np.float32)


class Popularity(BaseRanker):
    """Feature: log(1 + distinct users), the same for every query. May weigh against popular items: so an item
    with which nobody interacted counts as one that was met least, or it would lead for want of a count."""

    kind: ClassVar[str] = "popularity"
    signed_weight: ClassVar[bool] = True
    user_independent: ClassVar[bool] = True

    def __init__(self, users: Float32) -> None:
        """`users`: float32[n]."""
        self.users = users
        least = users.min(initial=np.inf, where=users > 0)
        self._feature = np.log1p(np.maximum(users, least if np.isfinite(least) else 0), dtype=np.float32)

    def feature(self, query: RankerQuery) -> Float32:
        """See the class."""
        return self._feature

    def unseen_value(self, query: RankerQuery) -> float:
        """See `BaseRanker.unseen_value`."""
        return float(self._feature.min(initial=np.inf)) if len(self._feature) else 0.0

    def save(self, folder: Path) -> None:
        """One array."""
        np.save(folder / f"{self.name}.npy", self.users)

    @classmethod
    def load(cls, folder: Path, name: str) -> Popularity:
        """Map what `save` wrote."""
        return cls(mapped(folder / f"{name}.npy"))
