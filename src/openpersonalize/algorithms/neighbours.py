"""Item neighbours: which items the same users met, weighted as in BM25, for catalogues too large for
`linear`.

An item is a document and its users are the words: a pair of items scores the sum over their common users of
idf(user)^2, each item's share divided by ``1 + K1 * (1 - B + B * users / mean users)``. The strongest `TOP`
pairs of each item are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np

from .companion import Companion, Events, Float32, History, standardised
from .linear import RECENT, distinct
from .sparse import PAIRS, SparseRows, join, spans, strongest, summed

K1, B = 100.0, 0.8
TOP = 100
LONGEST = 100
_LEVEL_BITS = 5


class Neighbours(Companion):
    """Feature: the sum of the rows of the history's distinct items, standardised over the catalogue."""

    kind: ClassVar[str] = "neighbours"

    def __init__(self, rows: SparseRows) -> None:
        """`rows`: the similarities."""
        self.rows = rows

    @classmethod
    def fit(cls, events: Events, top: int = TOP, check: Callable[[], None] = lambda: None) -> Neighbours:
        """Count pairs; of longer histories a fixed `LONGEST` items. Memory: 8 bytes for `PAIRS` pairs at a
        time."""
        ptr, item = distinct(_newest(events, LONGEST))
        n = events.n
        lengths = np.diff(ptr)
        user = np.repeat(np.arange(len(lengths)), lengths)
        users = np.bincount(item, minlength=n).astype(np.float64)
        share = 1.0 / (
            1.0 + K1 * (1.0 - B + B * users / max(users[users > 0].mean() if len(item) else 1.0, 1e-9))
        )
        idf = np.log(n / (1.0 + lengths)).clip(0.05) ** 2
        edges = np.linspace(0.0, idf.max() if len(idf) else 1.0, 1 << _LEVEL_BITS)
        level = np.searchsorted(edges, idf).clip(0, (1 << _LEVEL_BITS) - 1).astype(np.int64)
        by_item = np.argsort(item, kind="stable")
        cost = np.bincount(item, weights=lengths[user], minlength=n).astype(np.int64)
        in_order = item[by_item]
        parts = []
        for first, end in spans(cost, PAIRS):
            check()
            begin, stop = np.searchsorted(in_order, (first, end))
            source = by_item[begin:stop]
            size = lengths[user[source]]
            target = np.repeat(ptr[user[source]] - (np.cumsum(size) - size), size) + np.arange(
                int(size.sum())
            )
            left = np.repeat(item[source].astype(np.int64), size)
            right = item[target]
            keys = (left * n + right) << _LEVEL_BITS | np.repeat(level[user[source]], size)
            cells, sums = summed(keys[left != right], edges, _LEVEL_BITS)
            row = cells // n
            col = (cells - row * n).astype(np.int32)
            value = (sums * share[row] * share[col] * K1 * K1).astype(np.float32)
            parts.append(strongest(row, col, value, top))
        return cls(join(parts, n))

    def feature(self, history: History) -> Float32:
        """See the class."""
        items = np.unique(history.item[-RECENT:])
        return standardised(self.rows.scatter(items, np.ones(len(items), dtype=np.float32)))

    def save(self, folder: Path) -> None:
        """The table."""
        self.rows.save(folder, self.name)

    @classmethod
    def load(cls, folder: Path, name: str) -> Neighbours:
        """Map what `save` wrote."""
        return cls(SparseRows.load(folder, name))


def _newest(events: Events, most: int) -> Events:
    """The newest `most` events of each user."""
    lengths = np.diff(events.ptr)
    if not (lengths > most).any():
        return events
    keep = np.arange(len(events.item)) >= np.repeat(events.ptr[1:] - most, lengths)
    ends = np.concatenate(([0], np.cumsum(keep)))
    return Events(
        ends[events.ptr],
        events.item[keep],
        events.time[keep],
        events.event[keep],
        events.weight[keep],
        events.n,
    )
