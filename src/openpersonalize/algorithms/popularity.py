"""Popularity: how many users ever interacted with an item, as a base ranker, `Popularity`.
`recent_popularity` counts what happened lately."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from .arrays import Float32, Int32, Int64
from .item_counts import distinct_items
from .mapped import mapped
from .ranker import BaseRanker, RankerQuery


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


def item_events(item: Int32, n: int) -> tuple[Float32, Int32]:
    """Events per item of int32[N] `item`, and all `n` items in that order, ties by number: float32[n] and
    int32[n]."""
    events = np.bincount(item, minlength=n)
    return events.astype(np.float32), np.argsort(-events, kind="stable").astype(np.int32)


def log_popularity(users: Float32, order: Int32) -> Float32:
    """log(users) as float32[n] that falls strictly along `order`: ties are parted by the smallest steps.

    Items with which nobody interacted come last, below log(1/2).
    """
    values = np.log(np.maximum(users[order], 0.5)).astype(np.float32)
    steps = _ordinal(values)
    place = np.arange(len(values), dtype=np.int64)
    parted = np.minimum.accumulate(steps + place) - place
    scores = np.empty(len(values), dtype=np.float32)
    scores[order] = _from_ordinal(parted)
    return scores


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
