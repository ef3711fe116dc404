"""Item-based nearest neighbours (item kNN) with BM25 weights, as a base ranker, `Neighbours`: for catalogues
too large for `linear`.

An item is a document and its users are the words: a pair of items scores the sum over their common users of
idf(user)^2, each item's share divided by ``1 + K1 * (1 - B + B * users / mean users)``. The strongest `TOP`
pairs of each item are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from .arrays import Float32, Int32, Int64, sorted_unique
from .events import Events
from .item_counts import distinct_items, user_blocks
from .lazy_scores import SparseScores
from .linear import QUERY_ITEMS, ranges
from .ranker import BaseRanker, RankerQuery
from .sparse import PAIRS, SparseRows, join, spans, strongest, summed
from .standardisation import sparsely_standardised, standardised, zero_standardised

K1, B = 100.0, 0.8
TOP = 100
MOST_PAIRED = 100
_LEVEL_BITS = 5


class Neighbours(BaseRanker):
    """Feature: the sum of the rows of the history's distinct items, standardised over the catalogue."""

    kind: ClassVar[str] = "neighbours"

    def __init__(self, rows: SparseRows) -> None:
        """`rows`: the similarities."""
        self.rows = rows

    @classmethod
    def fit(cls, events: Events, top: int = TOP, check: Callable[[], None] = lambda: None) -> Neighbours:
        """Count pairs; of longer histories a fixed `MOST_PAIRED` items. Memory: 12 bytes per event, 8 bytes
        for `PAIRS` pairs at a time a few times over, and the table."""
        ptr, item = distinct_items(*_newest(events, MOST_PAIRED), events.n)
        return cls(join(_pairs(ptr, item, events.n, top, check), events.n))

    def feature(self, query: RankerQuery) -> Float32:
        """See the class."""
        return standardised(self.rows.scatter(sorted_unique(query.item[-QUERY_ITEMS:])))

    def lazy(self, query: RankerQuery) -> SparseScores:
        """See `BaseRanker.lazy`."""
        columns, sums = self.rows.gather(sorted_unique(query.item[-QUERY_ITEMS:]))
        return sparsely_standardised(columns, sums, self.rows.n)

    def unseen_value(self, query: RankerQuery) -> float:
        """See `BaseRanker.unseen_value`."""
        return zero_standardised(self.rows.scatter(sorted_unique(query.item[-QUERY_ITEMS:])))

    def save(self, folder: Path) -> None:
        """The table."""
        self.rows.save(folder, self.name)

    @classmethod
    def load(cls, folder: Path, name: str) -> Neighbours:
        """Map what `save` wrote."""
        return cls(SparseRows.load(folder, name))


def _pairs(
    ptr: Int64, item: Int32, n: int, top: int, check: Callable[[], None]
) -> Iterator[tuple[Int64, Int32, Float32]]:
    """See `sparse.join`. A row of more than `PAIRS` pairs is counted alone, in an array of all items."""
    lengths = np.diff(ptr)
    user = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    users = np.bincount(item, minlength=n)
    mean = users[users > 0].mean() if len(item) else 1.0
    share = 1.0 / (1.0 + K1 * (1.0 - B + B * users / max(mean, 1e-9)))
    idf = np.log(n / (1.0 + lengths)).clip(0.05) ** 2
    edges = np.linspace(0.0, idf.max() if len(idf) else 1.0, 1 << _LEVEL_BITS)
    level = np.searchsorted(edges, idf).clip(0, (1 << _LEVEL_BITS) - 1)
    by_item = np.argsort(item, kind="stable").astype(np.int32)
    cost = np.bincount(item, weights=lengths[user], minlength=n).astype(np.int64)
    starts = np.concatenate(([0], np.cumsum(users)))
    for first, end in spans(cost, PAIRS):
        check()
        source = by_item[starts[first] : starts[end]]
        if end - first == 1 and cost[first] > PAIRS:
            sums = np.zeros(n)
            for begin, stop in spans(lengths[user[source]], PAIRS):
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
            keys = (left * n + right) << _LEVEL_BITS | np.repeat(level[some], size)
            cells, sums = summed(keys[left != right], edges, _LEVEL_BITS)
            row = cells // n
            col = (cells - row * n).astype(np.int32)
        value = (sums * share[row] * share[col] * K1 * K1).astype(np.float32)
        yield strongest(row, col, value, top)


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
