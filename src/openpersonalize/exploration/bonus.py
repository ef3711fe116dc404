"""Exploration: new items take places that they would not have by relevance alone.

Every eligible item, one that is not older than the campaign's cut-off, gets a bonus on its log-score::

    bonus = weight * BONUS_SCALE * spread / sqrt(log(e + p - 1)) * max(0, z) / sqrt(1 + met + passed over)

with z from a standard normal distribution, drawn anew for each item in each answer; p is how many items draw.
It is Thompson sampling (Thompson 1933; Chapelle and Li, "An empirical evaluation of Thompson sampling", 2011)
in its optimistic form, which never lets a draw fall below the mean (May, Korda, Lee and Leslie, "Optimistic
Bayesian sampling in contextual-bandit problems", 2012): the uncertainty about an item shrinks with the root
of how often it was met, or shown and not chosen. `spread` is the distance from the user's best score to a low
one (one standard deviation below the mean); dividing by the root of the logarithm keeps the highest of many
draws about as high as the highest of few. How large the parts are is our choice. At most the share `weight`
of an answer, rounded up, is taken by items that would not be in it otherwise. No draw lowers a score, so the
number of eligible items in an answer does not fall when the weight grows.

What people do with an item that came after training moves its log-score itself (`OnlineModel.online_bonus`):
one that many meet needs no bonus.

Where the recipe itself decides how much to explore, each entry is given away with the chance `share`, to the
eligible item with the best draw, whose bonus is then what it takes to stand at a place drawn at random.

The scores of the answer are those with the bonus, over a total in which the entries of the answer have it: an
answer that holds the whole catalogue still sums to one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..algorithms.topk import FloatArray, Rows
from .catalogue import BoolArray, ExposureCounts, ExtendedCatalogue
from .config import Exploration

Doubles = npt.NDArray[np.float64]

BONUS_SCALE = 2.5
"""How far a bonus of weight 1 reaches, as a multiple of the spread, at a draw of one standard deviation."""

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
        bonus_scale: the bonus of weight 1 at a draw of one standard deviation.
        floor_score: a low score of the user.
    """

    members: ExtendedCatalogue
    rows: Rows
    relevance: FloatArray
    before: FloatArray
    bonus_scale: float
    floor_score: float

    @property
    def size(self) -> int:
        """Bytes of the arrays."""
        return 300 + self.rows.nbytes + self.relevance.nbytes + self.before.nbytes


@dataclass(frozen=True, slots=True)
class Explored:
    """An answer after exploration.

    Attributes:
        rows: best first. values: float64, their log-scores with the bonus, over a total of `log_total`.
        explored: the rows that exploration brought.
    """

    rows: list[int]
    values: Doubles
    log_total: float
    explored: frozenset[int]


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
        rows = np.union1d(some, others[_places(eligible, others)[1]])
    else:
        rows = eligible
    known = rows[rows < members.known]
    before = np.full(len(rows), -np.inf, dtype=np.float32)
    before[: len(known)] = relevance = scores(known)
    if not (relevance > -np.inf).all():
        relevance = hidden(known)
    # A model puts last what nobody met: not much of a judgement, so they draw from `floor_score` at least.
    relevance = np.where(members.unseen[known], np.maximum(relevance, np.float32(floor_score)), relevance)
    if len(known) < len(rows):
        numbers = rows[len(known) :] - members.known
        relevance = np.concatenate([relevance, newcomers(numbers, floor_score)])
    bonus_scale = (
        max(top_score - floor_score, 1e-3) * BONUS_SCALE / math.sqrt(math.log(math.e + max(len(rows) - 1, 0)))
    )
    return ExplorationCandidates(members, rows, relevance, before, bonus_scale, floor_score)


def floor_score_of(scores: FloatArray) -> float:
    """A low score among float32[n], -inf on rows without one: one standard deviation below the mean."""
    scored = scores[scores > -np.inf]
    return float(scored.mean() - scored.std()) if len(scored) else 0.0


def neutral(numbers: Rows, floor_score: float) -> FloatArray:
    """The log-scores of newcomers that a model knows nothing about: all at the user's floor score."""
    return np.full(len(numbers), floor_score, dtype=np.float32)


def room(exploration: Exploration, count: int, chance: np.random.Generator) -> int:
    """How many of `count` entries exploration may bring into one answer."""
    if exploration.share is not None:
        return int(chance.binomial(count, exploration.share))
    return math.ceil(exploration.weight * count)


def explore(
    drawing: ExplorationCandidates,
    candidates: ExposureCounts,
    exploration: Exploration,
    budget: int,
    pure_rows: Sequence[int],
    pure_values: FloatArray,
    count: int,
    log_total: float,
    passing: Callable[[Rows], BoolArray] | None,
    chance: np.random.Generator,
) -> Explored | None:
    """The answer with exploration; None: the pure answer stands, scores and all.

    Args:
        drawing: who draws. candidates: how often everybody was met; of the same members.
        exploration: how much; `budget` entries at most: see `room`.
        pure_rows: the best `count` rows by relevance that pass the filter, those with scores.
        pure_values: float32, their log-scores.
        count: entries wanted. log_total: of the user's scores.
        passing: which of some rows pass the filter; None: all do.
        chance: where the draws come from.
    """
    if not len(drawing.rows) or not budget:
        return None
    inside = np.array(pure_rows, dtype=np.int64)
    at, there = _places(drawing.rows, inside)
    own, values = at[there], pure_values
    bonus = chance.standard_normal(len(drawing.rows), dtype=np.float32)
    np.maximum(bonus, 0, out=bonus)
    bonus *= candidates.scale[drawing.rows]
    if exploration.share is None:
        bonus *= np.float32(exploration.weight * drawing.bonus_scale)
        after = drawing.relevance + bonus
        values = values.copy()
        values[there] = after[own]
        least = values.min() if len(values) >= count else np.float32(-np.inf)
        explored = _best(drawing.rows, after, own, budget, passing, least)
        drawn = after[explored]
    else:
        bonus *= np.float32(drawing.bonus_scale)
        explored = _best(drawing.rows, drawing.relevance + bonus, own, budget, passing, np.float32(-np.inf))
        drawn = drawing.relevance[explored]
        if len(values):
            drawn = values[chance.integers(0, len(values), len(explored))]
        own = own[:0]
    if not len(explored) and not len(own):
        return None
    joined = np.concatenate([drawing.rows[explored], inside])
    scores = np.concatenate([drawn, values])
    order = np.argsort(-scores, kind="stable")[:count]
    rows, scores = joined[order], scores[order].astype(np.float64)
    total = _total(drawing, rows, scores, log_total)
    brought = frozenset(joined[order[order < len(explored)]].tolist()) if len(explored) else frozenset()
    return Explored(rows.tolist(), scores, total, brought)


def _places(rows: Rows, wanted: Rows) -> tuple[Rows, BoolArray]:
    """Where each of `wanted` stands in ascending `rows`, and whether it does."""
    at = rows.searchsorted(wanted)
    at[at == len(rows)] = 0
    return at, rows[at] == wanted


def _best(
    rows: Rows,
    after: FloatArray,
    inside: Rows,
    budget: int,
    passing: Callable[[Rows], BoolArray] | None,
    least: np.float32,
) -> Rows:
    """Places of the at most `budget` best of `rows` that score more than `least`, are not among the places
    `inside` and pass the filter."""
    over = after > least
    over[inside] = False
    at = np.flatnonzero(over)
    if not len(at):
        return at
    at = at[np.argsort(-after[at], kind="stable")]
    if passing is None:
        return at[:budget]
    chosen: list[Rows] = []
    missing, step = budget, 4 * budget
    for start in range(0, len(at), step):
        some = at[start : start + step]
        some = some[passing(rows[some])][:missing]
        chosen.append(some)
        missing -= len(some)
        if not missing:
            break
    return np.concatenate(chosen)


def _total(drawing: ExplorationCandidates, rows: Rows, scores: Doubles, log_total: float) -> float:
    """The log of the sum of all scores, those of the answer as they came out of the draw."""
    at, there = _places(drawing.rows, rows)
    at, scores = at[there], scores[there]
    before = drawing.before[at].astype(np.float64)
    largest = max(log_total, float(scores.max(initial=log_total)))
    added = float((np.exp(scores - largest) - np.exp(before - largest)).sum())
    # What rounding takes away is not let below nothing.
    return largest + math.log(max(math.exp(log_total - largest) + added, 1e-300))
