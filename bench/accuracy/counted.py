"""Peers that are counted or solved in closed form: popularity in three forms, transitions, EASE; and the
ceiling of a single list.

What each leaves open (a half-life, a penalty) is chosen by NDCG@10 on the inner problem.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from openpersonalize.algorithms.events import Events
from openpersonalize.algorithms.ranker import BaseRanker
from openpersonalize.algorithms.recent_popularity import RecentPopularity
from openpersonalize.algorithms.timeline import Timeline
from openpersonalize.algorithms.transitions import Transitions
from openpersonalize.datasets.sequences import Sequences
from openpersonalize.recipes.questions import held_out_question

from .lists import DISCOUNTS, LIST, Float32, Lists, met_before, ndcg
from .problem import Problem

HOUR = 3600
HALF_LIVES = tuple(int(hours * HOUR) for hours in (0.25, 1, 6, 24, 168, 720, 2160))
PENALTIES = (100.0, 300.0, 1000.0)
MOST_SOLVED = 13_000
"""Items up to which EASE is solved: its matrix is items * items."""
HISTORY = 200
READ, WITHIN = 20, 24 * HOUR
"""Events, and the seconds in which they happened, that show that an item was being met."""

Scorer = Callable[[int], Float32]
T = TypeVar("T")


def popularity(problem: Problem) -> tuple[Lists, str]:
    """Distinct users of each item."""
    learnt = problem.learnt
    pairs = np.unique(learnt.user.astype(np.int64) * len(learnt.items) + learnt.item)
    counts = np.bincount(pairs % len(learnt.items), minlength=len(learnt.items)).astype(np.float32)
    return answer(problem, lambda _: counts.copy()), ""


def recent(problem: Problem) -> tuple[Lists, str]:
    """Counts that fade towards the end of what is learnt, one list for everybody."""

    def lists(part: Problem, half_life: int) -> Lists:
        age = part.learnt.time.max() - part.learnt.time
        fade = np.exp2(-age / half_life)
        counts = np.bincount(part.learnt.item, weights=fade, minlength=len(part.learnt.items))
        return answer(part, lambda _: counts.astype(np.float32))

    return chosen(problem, HALF_LIVES, lists, lambda one: f"half-life {one / HOUR:g} h")


def live(problem: Problem) -> tuple[Lists, str]:
    """Counts that fade towards the moment of the question."""

    def lists(part: Problem, half_life: int) -> Lists:
        known = part.known
        ranker = RecentPopularity(
            half_life, len(known.items), Timeline.of(known.item, known.time, known.weight)
        )
        return _asked(part, ranker)

    return chosen(problem, HALF_LIVES, lists, lambda one: f"half-life {one / HOUR:g} h")


def transitions(problem: Problem) -> tuple[Lists, str]:
    """Time-ordered co-occurrence."""
    return _asked(problem, Transitions.fit(_events(problem.learnt))), ""


def ease(problem: Problem) -> tuple[Lists, str] | None:
    """EASE (Steck 2019)."""
    if len(problem.learnt.items) > MOST_SOLVED:
        return None

    def lists(part: Problem, penalty: float) -> Lists:
        weights = solved(part.learnt, penalty)
        made = Lists.empty(len(part.test.user))
        first = 0
        for rows in _binary(part.learnt, part.test.user):
            for scores in rows @ weights:
                made.put(first, scores, scores.copy(), met_before(part, first), part.left_out(first))
                first += 1
        return made

    return chosen(problem, PENALTIES, lists, lambda one: f"penalty {one:g}")


def hindsight(problem: Problem) -> tuple[Lists, str] | None:
    """No peer but a ceiling of the split by time: of the items that were being met when it began, the one
    list for everybody that is best for the test itself. None for other splits, and where those are fewer
    than a list holds.

    A list's NDCG is a sum over its places of the place's gain times what its item is worth, the sum of 1 /
    the ideal DCG of the questions it answers: so the dearest go first, and nothing is better. (With met
    items left out the places differ from user to user, and it is close to the best.)
    """
    learnt, n = problem.learnt, len(problem.learnt.items)
    lately = learnt.time >= learnt.time.max(initial=0) - WITHIN
    met = np.bincount(learnt.item[lately], minlength=n) >= READ
    if problem.split != "time" or met.sum() < LIST:
        return None
    ptr, truth = problem.truth()
    size = np.diff(ptr)
    ideal = np.cumsum(DISCOUNTS)[np.minimum(size, LIST) - 1]
    worth = np.bincount(truth, weights=np.repeat(1 / ideal, size), minlength=n)
    scores = np.where(met, worth, -np.inf).astype(np.float32)
    return answer(problem, lambda _: scores.copy()), f"{met.sum()} items"


def solved(learnt: Sequences, penalty: float) -> Float32:
    """float32[n, n]: the weights of EASE. With fewer users than items the smaller of the two matrices is
    inverted (Woodbury), which is the same."""
    n = len(learnt.items)
    users = np.flatnonzero(learnt.counts)
    if len(users) < n:
        met = np.concatenate(list(_binary(learnt, users)))
        small = met @ met.T
        small[np.diag_indices(len(users))] += np.float32(penalty)
        inverse = met.T @ (np.linalg.inv(small) @ met)
        inverse *= np.float32(-1 / penalty)
        inverse[np.diag_indices(n)] += np.float32(1 / penalty)
    else:
        gram = np.zeros((n, n), dtype=np.float32)
        for rows in _binary(learnt, users):
            gram += rows.T @ rows
        gram[np.diag_indices(n)] += np.float32(penalty)
        inverse = np.linalg.inv(gram)
        del gram
    weights: Float32 = inverse / -np.diag(inverse)
    weights[np.diag_indices(n)] = 0.0
    return weights


def _binary(learnt: Sequences, users: np.ndarray) -> Iterator[Float32]:
    """float32[256, n] blocks: who met what."""
    for begin in range(0, len(users), 256):
        some = users[begin : begin + 256]
        block = np.zeros((len(some), len(learnt.items)), dtype=np.float32)
        for row, user in enumerate(some.tolist()):
            block[row, learnt.item[learnt.ptr[user] : learnt.ptr[user + 1]]] = 1.0
        yield block


def chosen(
    problem: Problem,
    options: Sequence[T],
    lists: Callable[[Problem, T], Lists],
    told: Callable[[T], str],
) -> tuple[Lists, str]:
    inner = problem.inner
    assert inner is not None

    def value(option: T) -> float:
        return sum(float(np.nanmean(values)) for values in ndcg(lists(inner, option), inner).values())

    best = max(options, key=value)
    return lists(problem, best), told(best)


def _events(learnt: Sequences) -> Events:
    return Events(learnt.ptr, learnt.item, learnt.time, learnt.event, learnt.weight, len(learnt.items))


def _asked(problem: Problem, ranker: BaseRanker) -> Lists:
    def scores(k: int) -> Float32:
        query, _, _ = held_out_question(problem.sequences, problem.test, k)
        return np.array(ranker.feature(replace(query, seen_excluded=False)))

    return answer(problem, scores)


def answer(problem: Problem, scores: Scorer) -> Lists:
    made = Lists.empty(len(problem.test.user))
    for k in np.argsort(problem.test.now, kind="stable").tolist():
        found = scores(k)
        made.put(k, found, found.copy(), met_before(problem, k), problem.left_out(k))
    return made
