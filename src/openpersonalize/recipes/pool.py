"""From candidates to a shortlist, and what is told of the many items that are none of them.

Of a fused sum nothing but the sum itself tells exactly how the whole catalogue fares. So a fixed sample of
it, drawn evenly, is scored beside the candidates: the total over the rest is its number times the mean of the
sampled ones that are no candidates (stratified sampling; of the stratum of candidates all are counted). The
candidates hold the large terms, so the error of the total is a few per cent, the same for all items of an
answer.
"""

from __future__ import annotations

import numpy as np

from ..algorithms.arrays import Bools, Float32, Int64
from ..algorithms.ivf_index import ItemBias, IVFIndex
from ..algorithms.topk import top_k
from .model import Shortlist

SAMPLE = 1_024
LEADERS = 2_048
"""Items that lead for everybody, kept of each moment."""


class Pool:
    """Who may be a candidate, and who leads at the moment.

    Attributes:
        allowed: bool[n]. sample: int64[s] of them, ascending.
    """

    def __init__(self, allowed: Bools, ivf: IVFIndex | None = None, behind: int = 0) -> None:
        """`ivf`: an index of the catalogue, which a prior is made for. `behind`: how many others stand one
        behind the last of them."""
        rows = np.flatnonzero(allowed)
        self.allowed, self._size, self._cells, self._behind = allowed, len(rows), ivf, behind
        some = np.random.default_rng(0).choice(rows, min(SAMPLE, len(rows)), replace=False)
        self.sample: Int64 = np.sort(some)
        self._moment: tuple[Float32, Int64, ItemBias | None] | None = None

    def moment(self, everybody: Float32) -> tuple[Int64, ItemBias | None]:
        """The rows that lead by `everybody`, float32[n], best first, and it as the prior of the index. Worked
        out once for each array."""
        kept = self._moment
        if kept is None or kept[0] is not everybody:
            rows = top_k(np.where(self.allowed, everybody, np.float32(-np.inf)), LEADERS)
            rows = rows[self.allowed[rows]]
            rows = rows[np.argsort(-everybody[rows], kind="stable")]
            prior = None if self._cells is None else self._cells.item_bias(everybody)
            kept = self._moment = everybody, rows, prior
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
