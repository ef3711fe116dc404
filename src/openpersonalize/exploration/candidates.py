"""Who draws in exploration for one user, with which weights: `ExplorationCandidates`; see `draw`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..algorithms.arrays import Float64
from ..algorithms.topk import FloatArray, Rows
from .catalogue import BoolArray, ExtendedCatalogue

MOST_SPREAD = 2.0
"""What relevance may differ by between a user's best and low score, which decides how many items that
somebody met are drawn beside those that nobody did."""

DEVIATION, MOST_STRETCH = 1.5, 3.0
"""Standard deviation of the relevance in a draw, among items that nobody met and among the others; more
would have the same few drawn every time, less any. Of items that are hardly known the scores differ little:
they are drawn apart, so many times at most."""

LEAST_WEIGHT = np.float32(1e-6)
"""Of an item in a draw: nobody is left out for good."""

MOST_CANDIDATES = 1024
"""Items that draw in one answer besides those of the user's top rows: of more eligible ones so many are
chosen at random, each time the user's scores are worked out, all alike likely."""


@dataclass(frozen=True, slots=True)
class ExplorationCandidates:
    """Those who draw for one user at one state of the history.

    Attributes:
        members: whose rows they are.
        rows: int64[p] ascending. relevance: float32[p] log-scores without a bonus.
        before: float32[p], what the total of the user's scores holds of them: log-scores, -inf for nothing.
        weight: float32[p], how likely each is drawn for its relevance, beside the others.
    """

    members: ExtendedCatalogue
    rows: Rows
    relevance: FloatArray
    before: FloatArray
    weight: FloatArray

    @property
    def size(self) -> int:
        """Bytes of the arrays."""
        return 300 + self.rows.nbytes + 3 * self.relevance.nbytes


def exploration_candidates(
    members: ExtendedCatalogue,
    eligible: Rows,
    leaders: Rows,
    best: Rows,
    top_score: float,
    floor_score: float,
    scores: Callable[[Rows], FloatArray],
    hidden: Callable[[Rows], FloatArray],
    newcomers: Callable[[Rows, float], FloatArray],
    chance: np.random.Generator,
    most: int = MOST_CANDIDATES,
) -> ExplorationCandidates:
    """Who draws for a user.

    Args:
        members: the catalogue. eligible: int64 rows, ascending. leaders: int64 rows that draw in any case if
            they are eligible.
        best: the user's best rows, which draw in any case, too. top_score: that of the first of them, the
            floor score where there is none. floor_score: see `floor_score_of`.
        scores: gives what was ranked at some rows, -inf at those that the recipe gives none.
        hidden: the same with the scores of those rows, too.
        newcomers: gives the log-scores of newcomers, by their numbers; told the user's floor score.
        chance: draws some where more are eligible than `most`.
    """
    if len(eligible) > most:
        some = eligible[np.unique(chance.integers(0, len(eligible), most))]
        # Whoever may be in the answer by relevance draws in any case.
        others = np.concatenate((best, leaders))
        rows = np.union1d(some, others[places_among(eligible, others)[1]])
    else:
        rows = eligible
    known = rows[rows < members.known]
    before = np.full(len(rows), -np.inf, dtype=np.float32)
    before[: len(known)] = relevance = scores(known)
    if not (relevance > -np.inf).all():
        relevance = hidden(known)
    if len(known) < len(rows):
        numbers = rows[len(known) :] - members.known
        relevance = np.concatenate([relevance, newcomers(numbers, floor_score)])
    unseen = np.ones(len(rows), dtype=np.bool_)
    unseen[: len(known)] = members.unseen[known]
    weight = _weights(relevance, unseen, top_score, floor_score)
    return ExplorationCandidates(members, rows, relevance, before, weight)


def _weights(relevance: FloatArray, unseen: BoolArray, top_score: float, floor_score: float) -> FloatArray:
    """See `ExplorationCandidates`: by relevance, those that nobody met beside each other and the others
    beside each other."""
    spread = max(top_score - floor_score, 1e-3)
    scale = min(1.0, MOST_SPREAD / spread)
    chances = (relevance.astype(np.float64) - top_score) * scale
    for group in (unseen, ~unseen):
        own = relevance[group].astype(np.float64)
        if not len(own):
            continue
        level = -scale * spread if group is unseen else _log_mean(chances[group])
        own -= own.max()
        own *= min(MOST_STRETCH, DEVIATION / max(float(own.std()), 1e-6))
        chances[group] = own - _log_mean(own) + level
    found: FloatArray = np.exp(chances - chances.max(initial=-np.inf)).astype(np.float32)
    return found.clip(LEAST_WEIGHT, None)


def _log_mean(logs: Float64) -> float:
    """The logarithm of the mean of what these are the logarithms of."""
    largest = float(logs.max())
    return largest + float(np.log(np.exp(logs - largest).mean()))


def floor_score_of(scores: FloatArray) -> float:
    """A low score among float32[n], -inf on rows without one: one standard deviation below the mean."""
    scored = scores[scores > -np.inf]
    return float(scored.mean() - scored.std()) if len(scored) else 0.0


def floor_scores_of(scores: FloatArray, left_out: FloatArray | None = None) -> FloatArray:
    """float32[m], but for rounding `floor_score_of` each row of float32[m, n], all of it finite, without the
    `left_out`, some columns of the same rows."""
    total, squares, count = scores.sum(axis=1), np.vecdot(scores, scores), scores.shape[1]
    if left_out is not None:
        total, squares = total - left_out.sum(axis=1), squares - np.vecdot(left_out, left_out)
        count -= left_out.shape[1]
    mean = total.astype(np.float64) / max(count, 1)
    variance = np.maximum(squares.astype(np.float64) / max(count, 1) - mean**2, 0.0)
    found: FloatArray = (mean - np.sqrt(variance)).astype(np.float32)
    return found


def neutral(numbers: Rows, floor_score: float) -> FloatArray:
    """The log-scores of newcomers that a model knows nothing about: all at the user's floor score."""
    return np.full(len(numbers), floor_score, dtype=np.float32)


def places_among(rows: Rows, wanted: Rows) -> tuple[Rows, BoolArray]:
    """Where each of `wanted` stands in ascending `rows`, and whether it does."""
    at = rows.searchsorted(wanted)
    at[at == len(rows)] = 0
    return at, rows[at] == wanted
