"""Held-out questions for weighing members: cut by time, never inside a group of equal timestamps.

Events of one second (an order, an import batch) have no order among themselves. A cut inside such a group
would reward a model for repeating the order of rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from ..datasets.sequences import Bools, Sequences
from .base import Float32, Int32, Int64, Query

QUESTIONS = 2_000
"""Most questions asked."""

Aim: TypeAlias = Literal["next", "horizon"]

TIED = 0.3
"""Share of neighbouring events of different items in one second above which the data is baskets."""

SECONDS = 3
"""Most questions about one user."""

FEW = 100
"""Users to ask below which weights would be fitted to chance."""

NEWEST = 0.1
"""Share of all events that a horizon looks at."""

MOMENTS = 6
SPREAD = 0.05
"""Moments at which a horizon begins, and the share of all events over which they are spread. What was popular
at a single one would be the same in every question, and weights of popularity fitted to that one case."""


@dataclass(frozen=True)
class Cut:
    """What stays to learn from, and who is asked about the rest.

    Attributes:
        kept: bool[N], the events before the cut.
        user: int32[Q] users asked. start: int64[Q] the first held-out event of each; their histories end
        before it.
        end: int64[Q] one past the last relevant event. now: int64[Q] the moment of the question.
    """

    kept: Bools
    user: Int32
    start: Int64
    end: Int64
    now: Int64


def aim_of(sequences: Sequences) -> Aim:
    """``horizon`` for baskets, ``next`` for streams.

    Several events of one item in one second (a click and a watch) are no basket.
    """
    times = sequences.time
    if len(times) < 2:
        return "next"
    inside = np.ones(len(times) - 1, dtype=np.bool_)
    inside[sequences.ptr[1:-1][(sequences.ptr[1:-1] > 0) & (sequences.ptr[1:-1] < len(times))] - 1] = False
    equal = (times[1:] == times[:-1]) & (sequences.item[1:] != sequences.item[:-1]) & inside
    return "horizon" if equal.sum() > TIED * max(inside.sum(), 1) else "next"


def cut(sequences: Sequences, aim: Aim, rng: np.random.Generator, most: int = QUESTIONS) -> Cut:
    """Hold out the newest seconds of some users (next), or what some users did after a moment
    (horizon)."""
    newest = _newest_groups(sequences, rng, most)
    if aim == "horizon" and len(sequences.time):
        found = _after_moments(sequences, rng, most)
        if len(found.user) >= min(FEW, len(np.unique(newest.user))) and len(found.user):
            return found
    return newest


def _newest_groups(sequences: Sequences, rng: np.random.Generator, most: int) -> Cut:
    """The newest second of each user; where users are few also the ones before it, each asked about with all
    that came earlier."""
    ptr, time = sequences.ptr, sequences.time
    begins = np.concatenate(([True], time[1:] != time[:-1])) if len(time) else np.zeros(0, np.bool_)
    begins[ptr[:-1][ptr[:-1] < len(time)]] = True
    starts = np.append(np.flatnonzero(begins), len(time))
    past = np.searchsorted(starts, ptr[1:])
    seconds = past - np.searchsorted(starts, ptr[:-1])
    users = np.flatnonzero(seconds >= 2)
    if len(users) > most:
        users = np.sort(rng.choice(users, most, replace=False))
    each = np.minimum(np.clip(most // max(len(users), 1), 1, SECONDS), seconds[users] - 1)
    kept = np.ones(len(time), dtype=np.bool_)
    kept[_spread(starts[past[users] - each], ptr[users + 1])] = False
    second = _spread(past[users] - each, past[users])
    start = starts[second]
    return Cut(kept, np.repeat(users, each).astype(np.int32), start, starts[second + 1], time[start])


def _after_moments(sequences: Sequences, rng: np.random.Generator, most: int) -> Cut:
    """Each user at one of a few moments, about the events that follow until `NEWEST` of all have passed."""
    ptr, time = sequences.ptr, sequences.time
    shares = np.linspace(1 - NEWEST - SPREAD, 1 - NEWEST, MOMENTS)
    moments = np.quantile(time, shares, method="higher").astype(np.int64)
    ends = np.quantile(time, shares + NEWEST, method="higher").astype(np.int64)
    start, end = np.empty((2, MOMENTS, len(ptr) - 1), dtype=np.int64)
    for k, (moment, last) in enumerate(zip(moments.tolist(), ends.tolist(), strict=True)):
        start[k], end[k] = _place(sequences, time < moment), _place(sequences, time <= last)
    asked = (start > ptr[:-1]) & (start < end)
    users = np.flatnonzero(asked.any(axis=0))
    if len(users) > most:
        users = np.sort(rng.choice(users, most, replace=False))
    chosen = np.where(asked[:, users], rng.random((MOMENTS, len(users))), -1.0).argmax(axis=0)
    return Cut(
        time < moments[0],
        users.astype(np.int32),
        start[chosen, users],
        end[chosen, users],
        moments[chosen],
    )


def first_met(sequences: Sequences) -> Int64:
    """int64[n], the moment at which anybody first met each item; the largest number for those never met."""
    found = np.full(len(sequences.items), np.iinfo(np.int64).max)
    np.minimum.at(found, sequences.item, sequences.time)
    return found


def _place(sequences: Sequences, before: Bools) -> Int64:
    """int64[users], one past the last event of each among those marked, which come first."""
    count = np.concatenate(([0], np.cumsum(before)))
    return sequences.ptr[:-1] + count[sequences.ptr[1:]] - count[sequences.ptr[:-1]]


def _spread(start: Int64, end: Int64) -> Int64:
    size = end - start
    return np.repeat(start - (np.cumsum(size) - size), size) + np.arange(int(size.sum()))


def question(sequences: Sequences, found: Cut, k: int, most_history: int) -> tuple[Query, Int32, Float32]:
    """The k-th question: the query, the distinct relevant items, and the gain of each (its largest
    weight)."""
    begin, start, end = int(sequences.ptr[found.user[k]]), int(found.start[k]), int(found.end[k])
    past = slice(max(begin, start - most_history), start)
    query = Query(
        sequences.item[past],
        sequences.time[past],
        sequences.event[past],
        sequences.weight[past],
        int(found.now[k]),
        profile=sequences.profile(int(found.user[k])),
        context=sequences.situation(start),
    )
    target, place = np.unique(sequences.item[start:end], return_inverse=True)
    gain = np.zeros(len(target), dtype=np.float32)
    np.maximum.at(gain, place, sequences.weight[start:end])
    return query, target, gain
