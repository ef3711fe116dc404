"""Co-occurrence counts of items in users' histories, `pair_sums`: for every pair the weights of its common
users, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from .arrays import Float64, Int32, Int64
from .events import Events
from .item_counts import distinct_items, user_blocks
from .sparse import PAIRS, ranges, spans, summed

MOST_PAIRED = 100
"""Of a longer history so many items count, the newest."""

LEVEL_BITS = 5
"""A user's weight is one of 32 levels, so that a pair and a weight are one integer to be sorted."""


def paired_items(events: Events, most: int = MOST_PAIRED) -> tuple[Int64, Int32]:
    """ptr and distinct items by user, of the newest `most` events of each."""
    return distinct_items(*_newest(events, most), events.n)


def pair_sums(
    ptr: Int64,
    item: Int32,
    n: int,
    edges: Float64,
    level: Int64,
    check: Callable[[], None],
    at_once: int = PAIRS,
) -> Iterator[tuple[Int64, Int32, Float64]]:
    """Pieces (row, column, sum) of the table of pairs, in order of rows and columns; no row is in two pieces.

    Memory: 8 bytes for `at_once` pairs at a time a few times over. A row of more than that is counted alone,
    in an array of all items.

    Args:
        ptr, item: from `paired_items`. n: number of items.
        edges: float64[up to 32], the weights that a user may have; level: int64[U], which one each has.
        check: called between pieces.
    """
    lengths = np.diff(ptr)
    user = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    users = np.bincount(item, minlength=n)
    by_item = np.argsort(item, kind="stable").astype(np.int32)
    cost = np.bincount(item, weights=lengths[user], minlength=n).astype(np.int64)
    starts = np.concatenate(([0], np.cumsum(users)))
    for first, end in spans(cost, at_once):
        check()
        source = by_item[starts[first] : starts[end]]
        if end - first == 1 and cost[first] > at_once:
            sums = np.zeros(n)
            for begin, stop in spans(lengths[user[source]], at_once):
                some = user[source[begin:stop]]
                met, size = item[ranges(ptr[some], lengths[some])], lengths[some]
                sums += np.bincount(met, weights=np.repeat(edges[level[some]], size), minlength=n)
            sums[first] = 0.0
            col = np.flatnonzero(sums).astype(np.int32)
            row, sums = np.full(len(col), first), sums[col]
        else:
            some = user[source]
            size = lengths[some]
            left, right = np.repeat(item[source].astype(np.int64), size), item[ranges(ptr[some], size)]
            keys = (left * n + right) << LEVEL_BITS | np.repeat(level[some], size)
            cells, sums = summed(keys[left != right], edges, LEVEL_BITS)
            row = cells // n
            col = (cells - row * n).astype(np.int32)
        yield row, col, sums


def _newest(events: Events, most: int) -> tuple[Int64, Int32]:
    """ptr and items of the newest `most` events of each user."""
    lengths = np.diff(events.ptr)
    if not (lengths > most).any():
        return events.ptr, events.item
    kept = np.minimum(lengths, most)
    ptr = np.concatenate(([0], np.cumsum(kept)))
    item = np.concatenate(
        [
            events.item[ranges(events.ptr[first + 1 : end + 1] - kept[first:end], kept[first:end])]
            for first, end in user_blocks(events.ptr)
        ]
        or [events.item]
    )
    return ptr, item
