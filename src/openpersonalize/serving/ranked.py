"""One query's scores over the catalogue, ranked, filtered and cut.

Scores are log-scores; the score in an answer is their softmax over the rows a model scores (Amazon
Personalize developer guide: score(u, i) = exp(w_u . w_i) / sum over j of exp(w_u . w_j), j over the whole
catalogue). A filter is a bias of +max (stays) and -inf (goes) applied with ``np.minimum``, far cheaper than a
boolean mask over a large array; the interactions a filter excludes are rows dropped one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..algorithms.topk import FloatArray, Rows, top_k, top_k_rows

BoolArray = npt.NDArray[np.bool_]

TOP_ROWS = 256
"""Best rows kept in order for each user: most answers, filtered or not, are found among them."""

KEEP = np.float32(np.finfo(np.float32).max)
DROP = np.float32(-np.inf)

PIECE_BYTES = 512 * 1024
"""Scores that are ranked together for a block of users: they stay in a core's cache."""

TINY = np.float32(np.finfo(np.float32).tiny)

DECIMALS = 7
"""Decimals of a score in an answer."""


def bias_of(keep: BoolArray) -> FloatArray:
    """The float32 bias of a mask (True = the row stays), to be applied with ``np.minimum``."""
    return np.where(keep, KEEP, DROP)


@dataclass(frozen=True, slots=True)
class Ranked:
    """The beginning of a query's order: a few KB in place of the scores. Immutable, shared by answers."""

    top_rows: Rows
    """int64[m]: the best rows, best first, ties in row order."""
    probabilities: npt.NDArray[np.float64]
    """float64[m]: the softmax of each row of `top_rows` over all scored rows, rounded."""
    values: FloatArray
    """float32[m]: their log-scores."""
    log_total: float
    """log of the sum of exp(scores)."""
    complete: bool
    """Whether `top_rows` holds every scored row."""
    floor_score: float | None = None
    """A low score of the user, see `exploration`; None: to be found among all scores."""

    @property
    def size(self) -> int:
        """Bytes of the arrays."""
        return self.top_rows.nbytes + self.probabilities.nbytes + self.values.nbytes

    @classmethod
    def of(cls, scores: FloatArray, most: int = TOP_ROWS) -> Ranked:
        """Rank float32[n] `scores`, log-scores, -inf on rows the model does not score, and keep `most`."""
        top_rows = top_k(scores, most)
        log_total = _log_sum_exp(scores, float(scores[top_rows[0]])) if len(top_rows) else 0.0
        complete = len(top_rows) < most or len(scores) <= most
        values = scores[top_rows]
        return cls(top_rows, softmax_at(values, log_total), values, log_total, complete)

    @classmethod
    def of_rows(cls, scores: FloatArray, most: int, floors: FloatArray | None = None) -> list[Ranked]:
        """`of` each row of float32[m, n], but for rounding of the totals; `floors`: float32[m], the rows'
        `floor_score`, where it is known."""
        found: list[Ranked] = []
        step = max(1, PIECE_BYTES // (4 * max(scores.shape[1], 1)))
        for start in range(0, len(scores), step):
            some = scores[start : start + step]
            best = top_k_rows(some, most)
            if len(best[0]) and all(len(one) == len(best[0]) for one in best):
                found += cls._of_alike(some, np.stack(best), most)
            else:
                found += [cls.of(row, most) for row in some]
        if floors is None:
            return found
        return [replace(one, floor_score=low) for one, low in zip(found, floors.tolist(), strict=True)]

    @classmethod
    def _of_alike(cls, scores: FloatArray, best: Rows, most: int) -> list[Ranked]:
        """`of` each row of float32[m, n] of which int64[m, k] are the best."""
        values = np.take_along_axis(scores, best, axis=1)
        less = scores - values[:, :1]
        sums = np.exp(less, out=less).sum(axis=1)
        totals = values[:, 0].astype(np.float64) + np.log(np.maximum(sums, TINY))
        shares = softmax_at(values, totals[:, None])
        complete = best.shape[1] < most or scores.shape[1] <= most
        rows = zip(best, shares, values, totals.tolist(), strict=True)
        return [cls(one, share, value, total, complete) for one, share, value, total in rows]

    @classmethod
    def short(
        cls, rows: Rows, scores: FloatArray, log_total: float, floor_score: float, wanted: int
    ) -> Ranked:
        """Of the best `wanted` rows, best first, that a model found without scoring all; see its
        `Shortlist`."""
        return cls(rows, softmax_at(scores, log_total), scores, log_total, len(rows) < wanted, floor_score)


def softmax_at(
    scores: npt.NDArray[np.floating[Any]], log_total: float | npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """exp(scores - log_total) with the decimals of an answer."""
    shares: npt.NDArray[np.float64] = np.exp(scores.astype(np.float64) - log_total)
    return shares.round(DECIMALS)


def _log_sum_exp(scores: FloatArray, largest: float) -> float:
    less = scores - np.float32(largest)
    # As one array, doubles are added up faster than cast on the way.
    return largest + float(np.log(np.exp(less, out=less).astype(np.float64).sum()))


@dataclass(frozen=True, slots=True)
class CandidateMask:
    """What a filter leaves for one request. The default leaves everything."""

    keep: BoolArray | None = None
    """bool[n], True = stays; None = every row stays."""
    bias: FloatArray | None = None
    """`keep` as a bias; made when needed if it was not prepared."""
    dropped: AbstractSet[int] = frozenset()
    """Rows that go whatever `keep` says."""

    def rows(self, ordered: Rows) -> list[int]:
        """Those of `ordered` rows that stay, in the same order."""
        if self.keep is not None:
            ordered = ordered[self.keep[ordered]]
        rows: list[int] = ordered.tolist()
        if self.dropped:
            dropped = self.dropped
            rows = [row for row in rows if row not in dropped]
        return rows

    def without(self, rows: AbstractSet[int]) -> CandidateMask:
        """This mask with `rows` dropped as well."""
        return CandidateMask(self.keep, self.bias, self.dropped | rows)


EVERYTHING = CandidateMask()


@dataclass(frozen=True, slots=True)
class Chosen:
    """Rows of an answer, best first, and the scores to print beside them."""

    rows: list[int]
    scores: list[float]
    values: FloatArray
    """float32: the log-scores of the rows that have a score."""


def choose(ranked: Ranked, mask: CandidateMask, k: int, scores: Callable[[], FloatArray]) -> Chosen:
    """The best `k` rows of `ranked` that pass `mask`, fewer when the mask leaves fewer.

    Args:
        ranked: a query's order. mask: what stays. k: most rows wanted.
        scores: gives the scores that were ranked; asked only when the top rows do not hold enough.
    """
    keep, dropped = mask.keep, mask.dropped
    top_rows, shares, values = ranked.top_rows, ranked.probabilities, ranked.values
    if keep is not None:
        passing = keep[top_rows]
        top_rows, shares, values = top_rows[passing], shares[passing], values[passing]
    if len(top_rows) >= k or ranked.complete:
        if not dropped:
            return Chosen(top_rows[:k].tolist(), shares[:k].tolist(), values[:k])
        listed = top_rows[: k + len(dropped)].tolist()
        left = [place for place, row in enumerate(listed) if row not in dropped][:k]
        if len(left) == k or ranked.complete:
            return Chosen([listed[place] for place in left], shares[left].tolist(), values[left])
    return _scan(scores(), ranked.log_total, mask, k)


def _scan(scores: FloatArray, log_total: float, mask: CandidateMask, k: int) -> Chosen:
    """`choose` over the whole catalogue, when the top rows do not hold enough."""
    left: FloatArray
    if mask.keep is None:
        left = scores.copy()
    else:
        left = np.minimum(scores, mask.bias if mask.bias is not None else bias_of(mask.keep))
    if mask.dropped:
        dropped = np.fromiter(mask.dropped, dtype=np.int64, count=len(mask.dropped))
        left[dropped[dropped < len(left)]] = DROP  # rows behind the catalogue's are not scored here
    rows = top_k(left, k)
    return Chosen(rows.tolist(), softmax_at(left[rows], log_total).tolist(), left[rows])


def among(scores: FloatArray) -> tuple[Rows, list[float]]:
    """Order float32[m] `scores`, ties as given, with the softmax over just these.

    Returns:
        places, best first, and the scores to print.
    """
    if not len(scores):
        return np.empty(0, dtype=np.int64), []
    values: Any = scores.astype(np.float64)
    order = np.argsort(-values, kind="stable")
    values = values[order]
    values = np.exp(values - values[0])
    return order, np.round(values / values.sum(), DECIMALS).tolist()
