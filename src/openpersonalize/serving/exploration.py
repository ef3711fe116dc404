"""Exploration: new items take places that they would not have by relevance alone.

Every eligible item, one that is not older than the campaign's cut-off, gets a bonus on its log-score::

    bonus = weight * REACH * spread / sqrt(log(e + p - 1)) * max(0, z) / sqrt(1 + met + passed over)

with z from a standard normal distribution, drawn anew for each item in each answer; p is how many items draw.
It is Thompson sampling (Thompson 1933; Chapelle and Li, "An empirical evaluation of Thompson sampling", 2011)
in its optimistic form, which never lets a draw fall below the mean (May, Korda, Lee and Leslie, "Optimistic
Bayesian sampling in contextual-bandit problems", 2012): the uncertainty about an item shrinks with the root
of how often it was met, or shown and not chosen. `spread` is the distance from the user's best score to a low
one (one standard deviation below the mean); dividing by the root of the logarithm keeps the highest of many
draws about as high as the highest of few. How large the parts are is our choice. At most the share `weight`
of an answer, rounded up, is taken by items that would not be in it otherwise. No draw lowers a score, so the
number of eligible items in an answer does not fall when the weight grows.

Where the recipe itself decides how much to explore, each entry is given away with the chance `share`, to the
eligible item with the best draw, whose bonus is then what it takes to stand at a place drawn at random.

The scores of the answer are those with the bonus, over the total with the bonus: over the whole catalogue
they still sum to one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..recipes.configuration import Exploration
from .novelty import Candidates, Members
from .ranked import BoolArray, Chosen, Ranked, softmax_at
from .topk import FloatArray, Rows

REACH = 2.5
"""How far a bonus of weight 1 reaches, as a multiple of the spread, at a draw of one standard deviation."""

PANEL = 1024
"""Items that draw in one answer besides those of the user's head: of more eligible ones so many are chosen at
random, each time the user's scores are worked out, all alike likely."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Those who draw for one user at one state of the history.

    Attributes:
        members: whose rows they are.
        rows: int64[p] ascending. relevance: float32[p] log-scores without a bonus.
        counted: bool[p], part of the total of the user's scores.
        reach: the bonus of weight 1 at a draw of one standard deviation.
        head, values: int64, float32: the rows of the user's head, ascending, and their log-scores.
    """

    members: Members
    rows: Rows
    relevance: FloatArray
    counted: BoolArray
    reach: float
    head: Rows
    values: FloatArray

    @property
    def size(self) -> int:
        """Bytes of the arrays."""
        arrays = (self.rows, self.relevance, self.counted, self.head, self.values)
        return 300 + sum(array.nbytes for array in arrays)


@dataclass(frozen=True, slots=True)
class Explored:
    """An answer after exploration: rows, best first, their scores, and the rows that exploration brought."""

    rows: list[int]
    scores: list[float]
    lifted: frozenset[int]


def panel_of(
    members: Members,
    eligible: Rows,
    ranked: Ranked,
    scores: FloatArray,
    hidden: Callable[[], FloatArray],
    newcomers: Callable[[Rows, float], FloatArray],
    chance: np.random.Generator,
) -> Panel:
    """Who draws for a user.

    Args:
        members: the catalogue. eligible: int64 rows, ascending.
        ranked: the user's order. scores: float32[n] what was ranked, -inf on rows that the recipe gives none.
        hidden: gives float32[n] with the scores of those rows, too.
        newcomers: gives the log-scores of newcomers, by their numbers; told the user's low score.
        chance: draws the panel where more are eligible than `PANEL`.
    """
    head = np.sort(ranked.head)
    if len(eligible) > PANEL:
        some = eligible[np.unique(chance.integers(0, len(eligible), PANEL))]
        # Whoever may be in the answer by relevance draws in any case.
        rows = np.union1d(some, head[np.isin(head, eligible, assume_unique=True)])
    else:
        rows = eligible
    scored = scores[scores > -np.inf]
    low = float(scored.mean() - scored.std()) if len(scored) else 0.0
    top = float(scores[ranked.head[0]]) if len(ranked.head) else low
    known = rows[rows < members.known]
    relevance = scores[known]
    counted = np.zeros(len(rows), dtype=np.bool_)
    counted[: len(known)] = relevance > -np.inf
    if not counted[: len(known)].all():
        relevance = hidden()[known]
    if len(known) < len(rows):
        numbers = rows[len(known) :] - members.known
        relevance = np.concatenate([relevance, newcomers(numbers, low)])
    spread = max(top - low, 1e-3) * REACH / math.sqrt(math.log(math.e + max(len(rows) - 1, 0)))
    return Panel(members, rows, relevance, counted, spread, head, scores[head])


def neutral(numbers: Rows, low: float) -> FloatArray:
    """The log-scores of newcomers that a model knows nothing about: all at the user's low score."""
    return np.full(len(numbers), low, dtype=np.float32)


def room(exploration: Exploration, count: int, chance: np.random.Generator) -> int:
    """How many of `count` entries exploration may bring into one answer."""
    if exploration.share is not None:
        return int(chance.binomial(count, exploration.share))
    return math.ceil(exploration.weight * count)


def explore(
    panel: Panel,
    candidates: Candidates,
    exploration: Exploration,
    budget: int,
    pure: Chosen,
    count: int,
    log_total: float,
    values_of: Callable[[Rows], FloatArray],
    passing: Callable[[Rows], BoolArray],
    chance: np.random.Generator,
) -> Explored | None:
    """The answer with exploration; None: the pure answer stands, scores and all.

    Args:
        panel: who draws. candidates: how often everybody was met; of the same members.
        exploration: how much; `budget` entries at most: see `room`.
        pure: the best `count` rows by relevance that pass the filter, those with scores.
        count: entries wanted. log_total: of the user's scores.
        values_of: gives the log-scores of rows that are not in the head.
        passing: which of some rows pass the filter.
        chance: where the draws come from.
    """
    if not len(panel.rows) or not budget:
        return None
    share = exploration.share
    inside = np.array(pure.rows, dtype=np.int64)
    values = _values(panel, inside, values_of).astype(np.float64)
    weight = np.float32(1.0 if share is not None else exploration.weight)
    draws = np.maximum(chance.standard_normal(len(panel.rows), dtype=np.float32), 0)
    after = panel.relevance + (weight * np.float32(panel.reach)) * draws * candidates.scale[panel.rows]
    outside = np.ones(len(panel.rows), dtype=np.bool_)
    at, there = _places(panel.rows, inside)
    outside[at[there]] = False
    if share is None:
        values[there] = after[at[there]]
    lifted = _best(panel, after, outside, budget, passing, values, count, bounded=share is None)
    if share is not None:
        # A place at random is theirs, and their bonus is what it takes to get there.
        changed = panel.relevance.copy()
        if len(values):
            after[lifted] = values[chance.integers(0, len(values), len(lifted))]
        changed[lifted] = after[lifted]
        after = changed
    return _merged(panel, after, lifted, inside, values, count, log_total)


def _places(rows: Rows, wanted: Rows) -> tuple[Rows, BoolArray]:
    """Where each of `wanted` stands in ascending `rows`, and whether it does."""
    at = np.searchsorted(rows, wanted)
    at[at == len(rows)] = 0
    return at, rows[at] == wanted


def _values(panel: Panel, rows: Rows, values_of: Callable[[Rows], FloatArray]) -> FloatArray:
    if not len(rows):
        return np.empty(0, dtype=np.float32)
    if len(panel.head):
        at, there = _places(panel.head, rows)
        if there.all():
            return panel.values[at]
    return values_of(rows)


def _best(
    panel: Panel,
    after: FloatArray,
    outside: BoolArray,
    budget: int,
    passing: Callable[[Rows], BoolArray],
    values: Sequence[float] | np.ndarray[tuple[int], np.dtype[np.float64]],
    count: int,
    *,
    bounded: bool,
) -> Rows:
    """Places in the panel of the at most `budget` best that are not in the answer and pass the filter;
    `bounded`: only those that get into it by their score."""
    if bounded and len(values) >= count:
        outside &= after > min(values)
    at = np.flatnonzero(outside)
    at = at[np.argsort(-after[at], kind="stable")]
    chosen: list[Rows] = []
    missing = budget
    for start in range(0, len(at), 4 * budget):
        some = at[start : start + 4 * budget]
        some = some[passing(panel.rows[some])][:missing]
        chosen.append(some)
        missing -= len(some)
        if not missing:
            break
    return np.concatenate(chosen) if chosen else np.empty(0, dtype=np.int64)


def _merged(
    panel: Panel,
    after: FloatArray,
    lifted: Rows,
    inside: Rows,
    values: np.ndarray[tuple[int], np.dtype[np.float64]],
    count: int,
    log_total: float,
) -> Explored:
    joined = np.concatenate([panel.rows[lifted], inside])
    scores = np.concatenate([after[lifted].astype(np.float64), values])
    order = np.argsort(-scores, kind="stable")[:count]
    rows, scores = joined[order], scores[order]
    brought = frozenset(joined[order[order < len(lifted)]].tolist())
    total = _total(panel, after, rows, scores, log_total)
    return Explored(rows.tolist(), softmax_at(scores, total).tolist(), brought)


def _total(
    panel: Panel,
    after: FloatArray,
    rows: Rows,
    scores: np.ndarray[tuple[int], np.dtype[np.float64]],
    log_total: float,
) -> float:
    """The log of the sum of all scores, bonuses and the answer's newcomers included."""
    counted = panel.counted
    own, bonus = panel.relevance[counted].astype(np.float64), after[counted].astype(np.float64)
    at, there = _places(panel.rows, rows)
    joined = scores[there & ~counted[at]]
    largest = max(log_total, bonus.max(initial=log_total), joined.max(initial=log_total))
    added = (np.exp(bonus - largest) - np.exp(own - largest)).sum() + np.exp(joined - largest).sum()
    return float(largest + math.log(math.exp(log_total - largest) + max(float(added), 0.0)))
