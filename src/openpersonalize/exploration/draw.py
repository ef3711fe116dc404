"""Exploration: places of an answer go to new items that would not have them by relevance.

**How many.** With weight w an answer of n entries gives ``w * PLACES_BY_WEIGHT * n`` places away on average,
at most w * n rounded up, whatever the catalogue; places that relevance gave to items that nobody met count.

**To whom.** To eligible items, those that are not older than the campaign's cut-off, drawn without repetition
with chances proportional to ::

    exp(relevance) / sqrt(1 + met + passed over)

by exponential draws over weights (Efraimidis and Spirakis 2006): probability matching, as Thompson sampling
does it (Thompson 1933; Chapelle and Li, "An empirical evaluation of Thompson sampling", 2011), with an
uncertainty that shrinks with the root of how often an item was met, or shown and not chosen. An item that is
well known by now mostly gives its place back. Among items that nobody met relevance is what their metadata
say to the user; together they weigh as much as if each had a low score of the user's (one standard deviation
below the mean), for a model puts last what nobody met, which is not much of a judgement. Of items that few
met the scores differ little; there, as among the others, relevance is drawn apart (`candidates.DEVIATION`).

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
from .candidates import ExplorationCandidates, places_among
from .catalogue import BoolArray, ExposureCounts
from .config import Exploration

Doubles = npt.NDArray[np.float64]

PLACES_BY_WEIGHT = 0.6
"""Share of an answer that weight 1 gives away."""

UNDISTURBED = 5
"""Of an answer this part, its beginning, is left to relevance where there is room behind it: a fifth."""

KNOWN_WELL = 8.0
"""Times that an item was met or passed over from which on it gives some of its places back, and four times
as often half of them."""


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
    at, there = places_among(drawing.rows, np.array(pure_rows, dtype=np.int64))
    at = at[there]
    taken = np.zeros(len(drawing.rows), dtype=np.bool_)
    taken[at] = True
    base, values = list(pure_rows), pure_values.tolist()
    entering = at[:0]
    if exploration.share is None:
        least = values[-1] if values and len(base) >= count else -math.inf
        entering = _entering(drawing, taken, budget, least, passing)
        taken[entering] = True
        unseen = int((candidates.scale[drawing.rows[at]] == 1.0).sum())
        places = exploration.weight * PLACES_BY_WEIGHT * count - unseen
        budget = min(budget - len(entering), math.floor(max(places, 0.0) + chance.random()), count - 1)
    drawn = _drawn(drawing, candidates.scale, taken, budget if base else 0, passing, chance, exploration)
    if not len(entering) and not len(drawn):
        return None
    before = dict(zip(drawing.rows[drawn].tolist(), drawing.before[drawn].tolist(), strict=True))
    if len(entering):
        base, values = _merged(base, values, drawing, entering)
        before.update(dict.fromkeys(drawing.rows[entering].tolist(), -math.inf))
    rows, values = _placed(drawing, drawn, base, values, count, chance)
    changed = [
        (value, before[row]) for row, value in zip(rows[: len(values)], values, strict=True) if row in before
    ]
    total = _total(log_total, changed)
    return Explored(rows, np.array(values), total, frozenset(row for row in rows if row in before))


def _merged(
    base: list[int], values: list[float], drawing: ExplorationCandidates, entering: Rows
) -> tuple[list[int], list[float]]:
    """A list and its log-scores with those `entering` where their relevance puts them."""
    joined = np.concatenate([np.array(values), drawing.relevance[entering]])
    rows = base[: len(values)] + drawing.rows[entering].tolist()
    order = np.argsort(-joined, kind="stable")
    return [rows[place] for place in order.tolist()] + base[len(values) :], joined[order].tolist()


def _entering(
    drawing: ExplorationCandidates,
    taken: BoolArray,
    budget: int,
    least: float,
    passing: Callable[[Rows], BoolArray] | None,
) -> Rows:
    """Places of the at most `budget` newcomers that are more relevant than `least`, the end of the list."""
    if drawing.rows[-1] < drawing.members.known:
        return np.empty(0, dtype=np.int64)
    first = int(drawing.rows.searchsorted(drawing.members.known))
    at = first + np.flatnonzero((drawing.relevance[first:] > least) & ~taken[first:])
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
    exploration: Exploration,
) -> Rows:
    """Places of at most `budget` that draw, the most relevant first."""
    if budget <= 0:
        return np.empty(0, dtype=np.int64)
    certainty = scale[drawing.rows]
    # Exponential draws over weights: the smallest are a sample without repetition.
    keys = chance.standard_exponential(len(certainty), np.float32)
    keys /= drawing.weight * certainty
    keys[taken] = np.inf
    at = _first(drawing.rows, _smallest(keys, budget if passing is None else 4 * budget), budget, passing)
    if len(at) < budget and passing is not None:
        at = _first(drawing.rows, _smallest(keys, len(keys)), budget, passing)
    if exploration.share is None:
        stays = certainty[at] * math.sqrt(1.0 + KNOWN_WELL)
        at = at[chance.random(len(at)) < stays]
    return at[np.argsort(-drawing.weight[at], kind="stable")] if len(at) > 1 else at


def _smallest(keys: FloatArray, most: int) -> Rows:
    """The places of the `most` smallest keys that are finite, the smallest first."""
    at = np.argpartition(keys, most)[:most] if most < len(keys) else np.arange(len(keys))
    at = at[np.argsort(keys[at], kind="stable")]
    return at[np.isfinite(keys[at])]


def _placed(
    drawing: ExplorationCandidates,
    drawn: Rows,
    base: list[int],
    values: list[float],
    count: int,
    chance: np.random.Generator,
) -> tuple[list[int], list[float]]:
    """The answer's rows, with those at `drawn` among `base`, and the log-scores of those that have one."""
    k, size = len(drawn), min(count, len(base) + len(drawn))
    if not k:
        return base[:size], values[:size]
    first = max(min(max(1, size // UNDISTURBED), size - k), 1)
    explored, relevance = drawing.rows[drawn].tolist(), drawing.relevance[drawn].tolist()
    rows: list[int] = []
    scores: list[float] = []
    following = 0
    for number, drop in enumerate(chance.random(k).tolist()):
        begin, end = (first + step * (size - first) // k for step in (number, number + 1))
        before = begin + int(drop * (end - begin)) - number
        rows += base[following:before]
        scores += values[following:before]
        following = before
        rows.append(explored[number])
        if following < len(values):
            scores.append(values[following])
        elif following == len(values):
            # Behind all that have scores it has its own, but no more than what stands before it.
            scores.append(min(relevance[number], scores[-1]) if scores else relevance[number])
    return rows + base[following : size - k], scores + values[following : size - k]


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


def _total(log_total: float, changed: Sequence[tuple[float, float]]) -> float:
    """The log of the sum of all scores, some of which are now the first instead of the second."""
    largest = max([log_total, *(now for now, _ in changed)])
    total = math.exp(log_total - largest)
    total += sum(math.exp(now - largest) - math.exp(before - largest) for now, before in changed)
    # What rounding takes away is not let below nothing.
    return largest + math.log(max(total, 1e-300))
