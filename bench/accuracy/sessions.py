"""Peers that look at the running session: co-occurrence in sessions, its weighted sum with the user's own
repeats, and session-kNN (VSTAN: Ludewig, Mauro, Latifi and Jannach, "Empirical analysis of session-based
recommendation algorithms", 2021).

What each leaves open is chosen by NDCG@10 on the inner problem.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from openpersonalize.algorithms.sessions import running_session, session_gap, session_starts
from openpersonalize.datasets.sequences import Sequences
from openpersonalize.recipes.query import Query
from openpersonalize.recipes.questions import held_out_question

from .counted import answer, chosen
from .lists import Float32, Int64, Lists
from .problem import Problem

MOST_ITEMS = 13_000
"""Items up to which a dense table of pairs is counted."""
REPEATS = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Weights of the user's own repeats."""
NEIGHBOURS, DAY = 500, 86_400
MOST_CANDIDATES = 2_500
"""Sessions that share an item with the running one, the newest."""
POSITION_DECAYS, AGE_DAYS = (2.0, 20.0), (30.0, 10_000.0)


@dataclass(frozen=True)
class Sessions:
    """Sessions of the training part: session s has ``item[ptr[s]:ptr[s + 1]]`` and ended at ``end[s]``."""

    ptr: Int64
    item: np.ndarray
    end: Int64
    gap: int
    n: int

    @classmethod
    def of(cls, learnt: Sequences) -> Sessions:
        gap = session_gap(learnt.ptr, learnt.time)
        ptr = np.append(session_starts(learnt.ptr, learnt.time, gap), len(learnt.time))
        return cls(ptr, learnt.item, learnt.time[ptr[1:] - 1], gap, len(learnt.items))

    def running(self, query: Query) -> np.ndarray:
        """The items of the running session, oldest first."""
        return query.item[running_session(query.time, query.now, self.gap) :]


def cooccurrence(problem: Problem) -> tuple[Lists, str] | None:
    """Cosine of sessions, summed over the running one."""
    found = _mixed(problem, (0.0,))
    return None if found is None else (found[0], "")


def cooccurrence_and_repeats(problem: Problem) -> tuple[Lists, str] | None:
    """The same, and the user's share of each item."""
    return _mixed(problem, REPEATS)


def _mixed(problem: Problem, weights: tuple[float, ...]) -> tuple[Lists, str] | None:
    if len(problem.learnt.items) > MOST_ITEMS:
        return None
    tables: dict[int, tuple[Sessions, Float32]] = {}

    def lists(part: Problem, weight: float) -> Lists:
        if id(part) not in tables:
            sessions = Sessions.of(part.learnt)
            tables[id(part)] = sessions, cosines(sessions)
        sessions, table = tables[id(part)]

        def scores(k: int) -> Float32:
            query, _, _ = held_out_question(part.sequences, part.test, k)
            cart = np.unique(sessions.running(query))
            found = table[cart].sum(axis=0) / max(len(cart), 1)
            own = np.bincount(query.item[: len(query.item) - len(cart)], minlength=sessions.n)
            return np.asarray(found + np.float32(weight) * own / max(own.sum(), 1), dtype=np.float32)

        return answer(part, scores)

    return chosen(problem, weights, lists, lambda one: f"weight of repeats {one:g}")


def cosines(sessions: Sessions) -> Float32:
    """float32[n, n], a session counting once for each pair."""
    table, count = np.zeros((sessions.n, sessions.n), np.float32), np.zeros(sessions.n)
    for begin, end in zip(sessions.ptr[:-1].tolist(), sessions.ptr[1:].tolist(), strict=True):
        items = np.unique(sessions.item[begin:end])
        count[items] += 1
        table[np.ix_(items, items)] += 1
    np.fill_diagonal(table, 0)
    norm = np.sqrt(np.maximum(count, 1)).astype(np.float32)
    table /= norm
    table /= norm[:, None]
    return table


def vstan(problem: Problem) -> tuple[Lists, str]:
    """Sessions near to the running one vote for their items."""

    def lists(part: Problem, decays: tuple[float, float]) -> Lists:
        neighbours = Vstan(Sessions.of(part.learnt), *decays)

        def scores(k: int) -> Float32:
            query, _, _ = held_out_question(part.sequences, part.test, k)
            return neighbours.scores(query)

        return answer(part, scores)

    options = list(product(POSITION_DECAYS, AGE_DAYS))
    return chosen(problem, options, lists, lambda one: f"position {one[0]:g}, age {one[1]:g} days")


class Vstan:
    """Items of the running session count less the older they are; of a past session its age, how many of
    these items it has, and in it the distance of an item to the newest shared one."""

    def __init__(self, sessions: Sessions, position: float, days: float) -> None:
        self.sessions, self.position, self.age = sessions, position, days * DAY
        session = np.repeat(np.arange(len(sessions.end), dtype=np.int32), np.diff(sessions.ptr))
        order = np.lexsort((sessions.end[session], sessions.item))
        self.by_item = session[order]
        self.starts = np.searchsorted(sessions.item[order], np.arange(sessions.n + 1))
        counts = np.diff(self.starts)
        self.idf = np.log(max(len(sessions.end), 1) / np.maximum(counts, 1)).astype(np.float32)

    def scores(self, query: Query) -> Float32:
        """float32[n]."""
        sessions, cart = self.sessions, self.sessions.running(query)
        total = np.zeros(sessions.n, dtype=np.float32)
        if not len(cart):
            return total
        weight = np.exp(-np.arange(len(cart) - 1, -1, -1) / self.position)
        near = [self.by_item[self.starts[i] : self.starts[i + 1]][-MOST_CANDIDATES:] for i in cart.tolist()]
        candidates, place = np.unique(np.concatenate(near), return_inverse=True)
        if not len(candidates):  # nobody met any of the cart before
            return total
        value = np.bincount(place, weights=np.repeat(weight, [len(one) for one in near]))
        size = np.diff(sessions.ptr)[candidates]
        value *= np.exp(-np.maximum(query.now - sessions.end[candidates], 0) / self.age)
        value /= np.sqrt(size * len(cart))
        best = np.argsort(-value, kind="stable")[:NEIGHBOURS]
        for session, worth in zip(candidates[best].tolist(), value[best].tolist(), strict=True):
            items = sessions.item[sessions.ptr[session] : sessions.ptr[session + 1]]
            shared = np.flatnonzero(np.isin(items, cart))
            distance = np.abs(np.arange(len(items)) - (shared[-1] if len(shared) else 0))
            order = np.argsort(-distance, kind="stable")  # of an item that is there twice the nearest counts
            vote = np.zeros(sessions.n, dtype=np.float32)
            vote[items[order]] = np.exp(-distance[order] / self.position)
            total += np.float32(worth) * vote
        return total * self.idf
