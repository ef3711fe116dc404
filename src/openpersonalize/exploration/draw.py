"""Exploration: places of an answer go to new items that would not have them by relevance.

**How many.** With weight w an answer of n entries gives ``w * PLACES_BY_WEIGHT * n`` places away on average,
at most w * n rounded up, whatever the catalogue; places that relevance gave to items that nobody met count.

**To whom.** To eligible items, those that are not older than the campaign's cut-off, drawn without repetition
with chances proportional to ::

    exp(relevance) / sqrt(1 + met + passed over)

by the Gumbel trick (Yellott 1977; Vieira 2014): probability matching, as Thompson sampling does it (Thompson
1933; Chapelle and Li, "An empirical evaluation of Thompson sampling", 2011), with an uncertainty that shrinks
with the root of how often an item was met, or shown and not chosen. An item that is well known by now mostly
gives its place back. Among items that nobody met relevance is what their metadata say to the user; together
they weigh as much as if each had a low score of the user's (one standard deviation below the mean), for a
model puts last what nobody met, which is not much of a judgement.

**Where.** Spread over the list below its beginning, one place in each of as many stretches, the most relevant
first; never the first place. There an item has the score of the entry whose place it takes: what it needs to
stand there, and no more.

What people do with an item that came after training moves its log-score itself (`OnlineModel.online_bonus`):
one that is more relevant than the end of the list enters where relevance puts it, within the same bound.

Where the recipe itself decides how much to explore, each entry is given away with the chance `share`.

The scores of the answer are over a total in which its entries have theirs: an answer that holds the whole
catalogue still sums to one.
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

PLACES_BY_WEIGHT = 0.6
"""Share of an answer that weight 1 gives away."""

UNDISTURBED = 5
"""Of an answer this part, its beginning, is left to relevance where there is room behind it: a fifth."""

MOST_SPREAD, MOST_DEVIATION = 2.0, 1.5
"""What relevance may differ by in a draw: between a user's best and low score, and the standard deviation
among items that nobody met. More would have the same few drawn every time."""

KNOWN_WELL = 8.0
"""Times that an item was met or passed over from which on it gives some of its places back, and four times
as often half of them."""

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
        log_chance: float32[p], the logarithm of how likely each is drawn for its relevance.
    """

    members: ExtendedCatalogue
    rows: Rows
    relevance: FloatArray
    before: FloatArray
    log_chance: FloatArray

    @property
    def size(self) -> int:
        """Bytes of the arrays."""
        return 300 + self.rows.nbytes + 3 * self.relevance.nbytes


@dataclass(frozen=True, slots=True)
class Explored:
    """An answer after exploration.

    Attributes:
        rows: best first. values: float64, the log-scores of those that have one, the first, over a total of
            `log_total`.
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
    if len(known) < len(rows):
        numbers = rows[len(known) :] - members.known
        relevance = np.concatenate([relevance, newcomers(numbers, floor_score)])
    unseen = np.ones(len(rows), dtype=np.bool_)
    unseen[: len(known)] = members.unseen[known]
    log_chance = _log_chances(relevance, unseen, top_score, floor_score)
    return ExplorationCandidates(members, rows, relevance, before, log_chance)


def _log_chances(
    relevance: FloatArray, unseen: BoolArray, top_score: float, floor_score: float
) -> FloatArray:
    """See `ExplorationCandidates`: by relevance, those that nobody met beside each other."""
    spread = max(top_score - floor_score, 1e-3)
    scale = min(1.0, MOST_SPREAD / spread)
    chances = (relevance - np.float32(top_score)) * np.float32(scale)
    own = relevance[unseen].astype(np.float64)
    if len(own):
        own -= own.max()
        own *= min(1.0, MOST_DEVIATION / max(float(own.std()), 1e-6))
        chances[unseen] = own - np.log(np.exp(own).mean()) - scale * spread
    return chances


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
        return min(int(chance.binomial(count, exploration.share)), max(count - 1, 0))
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
        pure_rows: the best `count` rows by relevance that pass the filter, those with scores first.
        pure_values: float32, the log-scores of these.
        count: entries wanted. log_total: of the user's scores.
        passing: which of some rows pass the filter; None: all do.
        chance: where the draws come from.
    """
    if not len(drawing.rows) or not budget:
        return None
    base, values = np.array(pure_rows, dtype=np.int64), pure_values.astype(np.float64)
    at, there = _places(drawing.rows, base)
    taken = np.zeros(len(drawing.rows), dtype=np.bool_)
    taken[at[there]] = True
    entering = at[:0]
    if exploration.share is None:
        entering = _entering(drawing, taken, budget, values[-1] if len(base) >= count else -np.inf, passing)
        taken[entering] = True
        unseen = int((candidates.scale[base[there]] == 1.0).sum())
        places = exploration.weight * PLACES_BY_WEIGHT * count - unseen
        budget = min(budget - len(entering), math.floor(max(places, 0.0) + chance.random()), count - 1)
    if not len(base):
        budget = 0
    drawn = _drawn(drawing, candidates.scale, taken, budget, passing, chance, exploration.share is None)
    if len(entering):
        joined = np.concatenate([values, drawing.relevance[entering].astype(np.float64)])
        order = np.argsort(-joined, kind="stable")
        base = np.concatenate([base[: len(values)], drawing.rows[entering], base[len(values) :]])
        base[: len(joined)] = base[: len(joined)][order]
        values = joined[order]
    elif not len(drawn):
        return None
    rows, values = _placed(drawing, drawn, base, values, count, chance)
    brought = np.concatenate([drawing.rows[entering], drawing.rows[drawn]])
    total = _total(drawing, rows[: len(values)], values, log_total)
    listed = frozenset(rows.tolist())
    return Explored(rows.tolist(), values, total, frozenset(brought.tolist()) & listed)


def _entering(
    drawing: ExplorationCandidates,
    taken: BoolArray,
    budget: int,
    least: float,
    passing: Callable[[Rows], BoolArray] | None,
) -> Rows:
    """Places of the at most `budget` newcomers that are more relevant than `least`, the end of the list."""
    over = (drawing.relevance > least) & (drawing.rows >= drawing.members.known) & ~taken
    at = np.flatnonzero(over)
    if not len(at):
        return at
    return _first(drawing.rows, at[np.argsort(-drawing.relevance[at], kind="stable")], budget, passing)


def _drawn(
    drawing: ExplorationCandidates,
    scale: FloatArray,
    taken: BoolArray,
    budget: int,
    passing: Callable[[Rows], BoolArray] | None,
    chance: np.random.Generator,
    known_give_back: bool,
) -> Rows:
    """Places of at most `budget` that draw, the most relevant first."""
    if budget <= 0:
        return np.empty(0, dtype=np.int64)
    certainty = scale[drawing.rows]
    # The logarithm of a weight less that of an exponential draw: the largest are a sample without repetition.
    keys = drawing.log_chance + np.log(certainty / chance.standard_exponential(len(certainty), np.float32))
    keys[taken] = -np.inf
    at = np.argsort(-keys, kind="stable")[: len(keys) - int(taken.sum())]
    at = _first(drawing.rows, at, budget, passing)
    if known_give_back:
        stays = certainty[at] * math.sqrt(1.0 + KNOWN_WELL)
        at = at[chance.random(len(at)) < stays]
    return at[np.argsort(-drawing.log_chance[at], kind="stable")]


def _placed(
    drawing: ExplorationCandidates,
    drawn: Rows,
    base: Rows,
    values: Doubles,
    count: int,
    chance: np.random.Generator,
) -> tuple[Rows, Doubles]:
    """The answer's rows, with those at `drawn` among `base`, and the log-scores of those that have one."""
    k, size = len(drawn), min(count, len(base) + len(drawn))
    if not k:
        return base[:size], values[:size]
    first = max(min(max(1, size // UNDISTURBED), size - k), 1)
    edges = first + np.arange(k + 1) * (size - first) // k
    places = edges[:-1] + (chance.random(k) * np.diff(edges)).astype(np.int64)
    explored = np.zeros(size, dtype=np.bool_)
    explored[places] = True
    rows = np.empty(size, dtype=np.int64)
    rows[explored], rows[~explored] = drawing.rows[drawn], base[: size - k]
    following: Rows = np.cumsum(~explored) - ~explored
    found = values[following[following < len(values)]]
    # Behind all others an entry has its own relevance, but no more than what stands before it.
    last = drawing.relevance[drawn[np.cumsum(explored)[explored & (following == len(values))] - 1]]
    most = values[-1] if len(values) else -np.inf
    return rows, np.concatenate([found, np.minimum.accumulate(np.minimum(last, most))])


def _places(rows: Rows, wanted: Rows) -> tuple[Rows, BoolArray]:
    """Where each of `wanted` stands in ascending `rows`, and whether it does."""
    at = rows.searchsorted(wanted)
    at[at == len(rows)] = 0
    return at, rows[at] == wanted


def _first(rows: Rows, at: Rows, most: int, passing: Callable[[Rows], BoolArray] | None) -> Rows:
    """The first `most` of the places `at` whose rows pass the filter."""
    if passing is None:
        return at[:most]
    chosen: list[Rows] = []
    missing, step = most, 4 * most
    for start in range(0, len(at), step):
        some = at[start : start + step]
        some = some[passing(rows[some])][:missing]
        chosen.append(some)
        missing -= len(some)
        if not missing:
            break
    return np.concatenate(chosen) if chosen else at[:0]


def _total(drawing: ExplorationCandidates, rows: Rows, scores: Doubles, log_total: float) -> float:
    """The log of the sum of all scores, those of the answer as they came out of the draw."""
    at, there = _places(drawing.rows, rows)
    at, scores = at[there], scores[there]
    before = drawing.before[at].astype(np.float64)
    largest = max(log_total, float(scores.max(initial=log_total)))
    added = float((np.exp(scores - largest) - np.exp(before - largest)).sum())
    # What rounding takes away is not let below nothing.
    return largest + math.log(max(math.exp(log_total - largest) + added, 1e-300))
