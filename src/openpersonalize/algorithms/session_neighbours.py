"""Item neighbours within sessions (item-based session kNN, "IKNN": Hidasi et al. 2016; Ludewig and Jannach,
"Evaluation of session-based recommendation algorithms", 2018), as a base ranker, `SessionNeighbours`: what
belongs together, as it was bought. `session_linear` asks beyond that what is not due to popularity; it is for
smaller catalogues.

A pair of items is worth its sessions over the root of the product of both items' sessions (cosine), a session
the less the more items it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar

import numpy as np

from .arrays import Float32, Int32, Int64
from .events import Events
from .lazy_scores import SparseScores
from .ranker import RankerQuery
from .session_bags import MOST_PAIRED, SessionBags
from .session_ranker import SessionRanker
from .sessions import running_items
from .sparse import PAIRS, join, strongest

TOP = 500
"""Pairs kept of each item."""
SMOOTHING = np.float32(0.1)
SHRINKAGE = 1.0
"""Added to the sessions of an item: a pair that was met once is no certainty."""
SIZE_POWER = 0.5
"""How much less a session of more items is worth: on orders of a shop, better than 0 by a twentieth."""


class SessionNeighbours(SessionRanker):
    """Feature: log(n * share of the item in the summed rows of the running session + 0.1); 0 where no session
    runs, or nothing is known of its items."""

    kind: ClassVar[str] = "session-neighbours"

    @classmethod
    def fit(
        cls,
        events: Events,
        gap: int,
        top: int = TOP,
        check: Callable[[], None] = lambda: None,
        *,
        most_paired: int = MOST_PAIRED,
        at_once: int = PAIRS,
    ) -> SessionNeighbours:
        """Count pairs, see `SessionBags.pairs`. Memory: 16 bytes per event, that of `pair_sums`, and the
        table (`top` cells of 8 bytes an item at most)."""
        bags = SessionBags.of(events, gap, most_paired).discounted(SIZE_POWER)
        return cls(join(_cosines(bags, top, check, at_once), events.n), gap)

    def feature(self, query: RankerQuery) -> Float32:
        """See the class."""
        return self.lazy(query).dense(self.rows.n)

    def lazy(self, query: RankerQuery) -> SparseScores:
        """See `BaseRanker.lazy`."""
        items = running_items(query, self.gap)
        columns, mass = self.rows.gather(items)
        total = mass.sum()
        if not total > 0:
            return SparseScores(columns[:0], np.empty(0, dtype=np.float32))
        values = np.log(mass * (self.rows.n / total) + SMOOTHING).astype(np.float32)
        return SparseScores(columns, values, float(np.log(SMOOTHING))).behind(items)

    def unseen_value(self, query: RankerQuery) -> float:
        """See `BaseRanker.unseen_value`."""
        return self.lazy(query).rest


def _cosines(
    bags: SessionBags, top: int, check: Callable[[], None], at_once: int
) -> Iterator[tuple[Int64, Int32, Float32]]:
    """See `sparse.join`."""
    norm = 1.0 / np.sqrt(bags.support + SHRINKAGE)
    for row, col, sums in bags.pairs(check, at_once):
        value = (sums * norm[row] * norm[col]).astype(np.float32)
        kept = value > 0
        yield strongest(row[kept], col[kept], value[kept], top)
