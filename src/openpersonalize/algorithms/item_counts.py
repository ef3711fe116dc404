"""Counts of items over packed events, and each user's distinct items (`distinct_items`), a few users at a
time, so that no copy of all events is sorted."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .arrays import Int32, Int64
from .sparse import spans

BLOCK = 500_000
"""Events looked at together."""


def user_blocks(ptr: Int64) -> Iterator[tuple[int, int]]:
    """Consecutive ranges of users with at most `BLOCK` events together; a longer history goes alone."""
    return spans(np.diff(ptr), BLOCK)


def item_counts(item: Int32, n: int) -> Int64:
    """int64[n], events of each item, without a copy of all of them."""
    total = np.zeros(n, dtype=np.int64)
    for start in range(0, len(item), BLOCK):
        total += np.bincount(item[start : start + BLOCK], minlength=n)
    return total


def distinct_items(ptr: Int64, item: Int32, n: int) -> tuple[Int64, Int32]:
    """The distinct items of each user: ptr int64[U+1] and the items, in order within a user.

    Memory: 4 bytes per event, and `BLOCK` * 24.

    Args:
        ptr: int64[U+1], user u's events are ``item[ptr[u]:ptr[u+1]]``. item: int32[N] in 0..n-1.
    """
    counts = np.zeros(len(ptr), dtype=np.int64)
    parts = [np.empty(0, dtype=np.int32)]
    for first, end in user_blocks(ptr):
        user = np.repeat(np.arange(end - first), np.diff(ptr[first : end + 1]))
        pairs = np.unique(user * n + item[ptr[first] : ptr[end]])
        user = pairs // max(n, 1)
        counts[first + 1 : end + 1] = np.bincount(user, minlength=end - first)
        parts.append((pairs - user * n).astype(np.int32))
    return np.cumsum(counts), np.concatenate(parts)
