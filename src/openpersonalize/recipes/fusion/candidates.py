"""Candidate generation and exact scoring of the candidates, in two stages: `FusedRetriever`.

Of a fused sum nothing but the sum itself tells exactly how the whole catalogue fares. So a fixed sample of
it, drawn evenly, is scored beside the candidates: the total over the rest is its number times the mean of the
sampled ones that are no candidates (stratified sampling; of the stratum of candidates all are counted). The
candidates hold the large terms, so the error of the total is a few per cent, the same for all items of an
answer.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

import numpy as np

from ...algorithms.arrays import Bools, Float32, Int64, sorted_unique
from ...algorithms.dot_products import DotProductScores
from ...algorithms.encoder import Encoder
from ...algorithms.ivf_index import ItemBias, IVFIndex
from ...algorithms.lazy_scores import LazyScores
from ...algorithms.ranker import BaseRanker
from ...algorithms.topk import top_k
from ..model import Shortlist
from ..query import Query

CANDIDATES_PER_ITEM, LEAST_CANDIDATES = 2, 512
"""Candidates that each ranker names for each item wanted, and at least."""

SAMPLED_ITEMS = 1_024
"""Items of the sample that stands for the rest of the catalogue."""

LEADERS = 2_048
"""Items that lead for everybody, kept of each moment."""


class Fusion(Protocol):
    """What a retriever asks of a fused model: see `FusedModel`."""

    interacted: Bools

    @property
    def encoder(self) -> Encoder | None: ...
    def scores(self, query: Query) -> Float32: ...
    def shared_scores(self, query: Query) -> Float32: ...
    def plan(self, query: Query) -> tuple[tuple[BaseRanker, np.float32], ...]: ...
    def behind(self, query: Query) -> Int64: ...
    def cold_items(self, query: Query) -> LazyScores | None: ...
    def plan_key(self, query: Query) -> Hashable: ...


class FusedRetriever:
    """See `Retriever`: candidates are the items that the encoder's index finds, that other rankers name, and
    that lead for everybody now; all of them scored in full. Users without events have the whole catalogue
    scored."""

    def __init__(self, model: Fusion, probe_rows: int) -> None:
        """`probe_rows`: items of the encoder's index that a query looks at, at least."""
        self._model, self._probe_rows = model, probe_rows
        self._pools: dict[tuple[Hashable, bool], Pool] = {}
        self._last: tuple[Query, list[tuple[LazyScores, np.float32]]] | None = None

    def candidates(self, query: Query, n: int, interacted_only: bool = False) -> Shortlist:
        """See `Retriever.candidates`."""
        model = self._model
        if not len(query.item):
            scores = model.scores(query)
            every = np.flatnonzero(model.interacted) if interacted_only else np.arange(len(scores))
            return Shortlist.of(every, scores[every], n)
        shared = model.shared_scores(query)
        pool = self._pool(query, interacted_only)
        leaders, bias = pool.moment(shared)
        parts = self._parts(query)
        each = max(CANDIDATES_PER_ITEM * n, LEAST_CANDIDATES)
        found = [leaders[:each]]
        for part, weight in parts:
            if isinstance(part, DotProductScores) and part.ivf is not None:
                found.append(part.ivf.search(part.vector * weight, each, self._probe_rows, bias))
            else:
                found.append(part.top(each))
        rows = sorted_unique(np.concatenate(found))
        rows = rows[pool.allowed[rows]]
        scores = _summed(shared, parts, np.concatenate((rows, pool.sample)))
        return pool.shortlist(rows, scores[: len(rows)], scores[len(rows) :], n)

    def scores_at(self, query: Query, rows: Int64) -> Float32:
        """See `Retriever.scores_at`."""
        if not len(query.item):
            return self._model.scores(query)[rows]
        total = _summed(self._model.shared_scores(query), self._parts(query), rows)
        allowed = self._pool(query, False).allowed[rows]
        if not allowed.all():
            total[~allowed] = total.min() - 1
        return total

    def _parts(self, query: Query) -> list[tuple[LazyScores, np.float32]]:
        """The features that depend on the user, and their weights; those of the last query are kept, for who
        asks for candidates mostly asks for other rows of the same query, too."""
        last = self._last
        if last is not None and last[0] is query:
            return last[1]
        plan = self._model.plan(query)
        parts = [(one.lazy(query), weight) for one, weight in plan if not one.user_independent]
        cold = self._model.cold_items(query)
        if cold is not None:
            parts.append((cold, np.float32(1.0)))
        self._last = query, parts
        return parts

    def _pool(self, query: Query, interacted_only: bool) -> Pool:
        key = self._model.plan_key(query), interacted_only
        found = self._pools.get(key)
        if found is None:
            interacted = self._model.interacted
            others = np.flatnonzero(~interacted) if interacted_only else self._model.behind(query)
            allowed = np.ones(len(interacted), dtype=np.bool_)
            allowed[others] = False
            encoder = self._model.encoder
            ivf = None if encoder is None else encoder.ivf
            found = self._pools[key] = Pool(allowed, ivf, 0 if interacted_only else len(others))
        return found


class Pool:
    """Who may be a candidate, and who leads at the moment.

    Attributes:
        allowed: bool[n]. sample: int64[s] of them, ascending.
    """

    def __init__(self, allowed: Bools, ivf: IVFIndex | None = None, behind: int = 0) -> None:
        """`ivf`: an index of the catalogue, which a bias is made for. `behind`: how many others stand one
        behind the last of them."""
        rows = np.flatnonzero(allowed)
        self.allowed, self._size, self._ivf, self._behind = allowed, len(rows), ivf, behind
        some = np.random.default_rng(0).choice(rows, min(SAMPLED_ITEMS, len(rows)), replace=False)
        self.sample: Int64 = np.sort(some)
        self._moment: tuple[Float32, Int64, ItemBias | None] | None = None

    def moment(self, shared: Float32) -> tuple[Int64, ItemBias | None]:
        """The rows that lead by `shared`, float32[n], best first, and it as the bias of the index. Worked out
        once for each array."""
        kept = self._moment
        if kept is None or kept[0] is not shared:
            rows = top_k(np.where(self.allowed, shared, np.float32(-np.inf)), LEADERS)
            bias = None if self._ivf is None else self._ivf.item_bias(shared)
            kept = self._moment = shared, rows, bias
        return kept[1], kept[2]

    def shortlist(self, rows: Int64, scores: Float32, sampled: Float32, n: int) -> Shortlist:
        """The best `n` of the candidates.

        Args:
            rows: the candidates, ascending, all allowed. scores: theirs.
            sampled: the scores of `sample`.
        """
        if not self._size:
            return Shortlist(rows, scores, 0.0, 0.0)
        order = np.argsort(-scores, kind="stable")[:n]
        place = np.minimum(rows.searchsorted(self.sample), max(len(rows) - 1, 0))
        others = sampled[rows[place] != self.sample] if len(rows) else sampled
        most = float(max(scores.max(initial=-np.inf), sampled.max(initial=-np.inf)))
        total = float(np.exp(scores - np.float32(most)).sum(dtype=np.float64))
        if len(others):
            rest = float(np.exp(others - np.float32(most)).mean(dtype=np.float64))
            total += rest * (self._size - len(rows))
        bottom, share = float(sampled.min()) - 1, self._behind / (self._size + self._behind)
        total += self._behind * float(np.exp(bottom - most))
        inside, variance = float(sampled.mean()), float(sampled.var())
        mean = inside + share * (bottom - inside)
        variance = (1 - share) * (variance + (inside - mean) ** 2) + share * (bottom - mean) ** 2
        low = mean - variance**0.5
        return Shortlist(rows[order], scores[order], most + float(np.log(total)), low)


def _summed(shared: Float32, parts: list[tuple[LazyScores, np.float32]], rows: Int64) -> Float32:
    """The full sum of these items."""
    total: Float32 = shared[rows]
    for part, weight in parts:
        total += weight * part.at(rows)
    return total
