"""Item-based nearest neighbours (item kNN) with BM25 weights, as a base ranker, `Neighbours`: for catalogues
too large for `linear`.

An item is a document and its users are the words: a pair of items scores the sum over their common users of
idf(user)^2, each item's share divided by ``1 + K1 * (1 - B + B * users / mean users)``. The strongest `TOP`
pairs of each item are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar

import numpy as np

from .arrays import Float32, Int32, Int64
from .cooccurrence import LEVEL_BITS, MOST_PAIRED, pair_sums, paired_items
from .events import Events
from .item_based import ItemBased
from .sparse import PAIRS, join, strongest

K1, B = 100.0, 0.8
TOP = 100


class Neighbours(ItemBased):
    """The rows are the similarities."""

    kind: ClassVar[str] = "neighbours"

    @classmethod
    def fit(
        cls,
        events: Events,
        top: int = TOP,
        check: Callable[[], None] = lambda: None,
        *,
        most_paired: int = MOST_PAIRED,
        at_once: int = PAIRS,
    ) -> Neighbours:
        """Count pairs; of longer histories `most_paired` items. Memory: 12 bytes per event, that of
        `pair_sums`, and the table."""
        ptr, item = paired_items(events, most_paired)
        return cls(join(_pairs(ptr, item, events.n, top, check, at_once), events.n))


def _pairs(
    ptr: Int64, item: Int32, n: int, top: int, check: Callable[[], None], at_once: int
) -> Iterator[tuple[Int64, Int32, Float32]]:
    """See `sparse.join`."""
    users = np.bincount(item, minlength=n)
    mean = users[users > 0].mean() if len(item) else 1.0
    share = 1.0 / (1.0 + K1 * (1.0 - B + B * users / max(mean, 1e-9)))
    idf = np.log(n / (1.0 + np.diff(ptr))).clip(0.05) ** 2
    edges = np.linspace(0.0, idf.max() if len(idf) else 1.0, 1 << LEVEL_BITS)
    level = np.searchsorted(edges, idf).clip(0, (1 << LEVEL_BITS) - 1)
    for row, col, sums in pair_sums(ptr, item, n, edges, level, check, at_once):
        value = (sums * share[row] * share[col] * K1 * K1).astype(np.float32)
        yield strongest(row, col, value, top)
