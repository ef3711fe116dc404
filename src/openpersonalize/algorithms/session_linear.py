"""Session-aware linear item similarity (SLIS: Choi, Kim, Lee, Shim and Lee, "Session-aware Linear Item-Item
Models for Session-based Recommendation", WWW 2021), as a base ranker, `SessionLinear`: EASE over sessions in
place of users. What belongs together, and not because both are popular.

One inversion of a dense matrix of at most `MOST_ITEMS` squared: 8 bytes for each of its cells at the peak.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np

from .arrays import Float32
from .events import Events
from .lazy_scores import SparseScores
from .linear import MOST_ITEMS, TOP, invert, strongest_rows
from .ranker import RankerQuery
from .session_bags import SessionBags
from .session_ranker import SessionRanker
from .sessions import running_items
from .standardisation import sparsely_standardised, standardised, zero_standardised

REGULARISATION = 20.0
"""Sessions are many and small: 10 to 50 are alike on orders of a shop, 500 is worse by a tenth."""


class SessionLinear(SessionRanker):
    """Feature: the sum of the rows of the running session's items, standardised over the catalogue; 0 where
    no session runs, or nothing is known of its items."""

    kind: ClassVar[str] = "session-linear"

    @classmethod
    def fit(
        cls,
        events: Events,
        gap: int,
        regularisation: float = REGULARISATION,
        top: int = TOP,
        check: Callable[[], None] = lambda: None,
        most_items: int = MOST_ITEMS,
        threads: int = 1,
    ) -> SessionLinear:
        """Solve. Items beyond the `most_items` of most sessions, or of one session only, get empty rows."""
        bags = SessionBags.of(events, gap)
        sessions = np.bincount(bags.item, minlength=events.n)
        chosen = np.argsort(-sessions, kind="stable")[:most_items]
        chosen = np.sort(chosen[sessions[chosen] >= 2])
        number = np.full(events.n, -1, dtype=np.int32)
        number[chosen] = np.arange(len(chosen), dtype=np.int32)
        gram = _gram(bags.of_items(number, len(chosen)), check)
        gram[np.diag_indices(len(chosen))] += np.float32(regularisation)
        check()
        invert(gram, threads)
        gram /= -np.diag(gram).copy()
        np.fill_diagonal(gram, 0.0)
        return cls(strongest_rows(gram, chosen, events.n, top), gap)

    def feature(self, query: RankerQuery) -> Float32:
        """See the class."""
        items = running_items(query, self.gap)
        sums = self.rows.scatter(items)
        found = standardised(sums)
        found[items] = min(float(found.min(initial=0.0)), zero_standardised(sums))
        return found

    def lazy(self, query: RankerQuery) -> SparseScores:
        """See `BaseRanker.lazy`."""
        items = running_items(query, self.gap)
        columns, sums = self.rows.gather(items)
        return sparsely_standardised(columns, sums, self.rows.n).behind(items)

    def unseen_value(self, query: RankerQuery) -> float:
        """See `BaseRanker.unseen_value`."""
        return zero_standardised(self.rows.scatter(running_items(query, self.gap)))


def _gram(bags: SessionBags, check: Callable[[], None]) -> Float32:
    """float32[n, n], what the sessions with both items are worth."""
    gram = np.zeros((bags.n, bags.n), dtype=np.float32)
    for row, col, sums in bags.pairs(check):
        gram[row, col] = sums
    gram[np.diag_indices(bags.n)] = bags.support
    return gram
