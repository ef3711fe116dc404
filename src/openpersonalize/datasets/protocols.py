"""Validation protocols, by which the weights of a model are fitted (`ValidationProtocol`), and their
hold-outs (`hold_out`): always cut by time, never inside a group of equal timestamps.

Events of one second (an order, an import batch) have no order among themselves. A cut inside such a group
would reward a model for repeating the order of rows.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from .holdout import HoldOut
from .sequences import Bools, Int64, Sequences

MOST_QUESTIONS = 2_000
"""Most questions asked."""

ValidationProtocol: TypeAlias = Literal["leave_last", "temporal", "horizon"]
"""How a model is validated: on the last events of each user; on all events after a moment, where items come
and go; on everything that users did during a while after a moment."""

SECONDS_PER_USER = 3
"""Most questions about one user."""

LEAST_USERS = 100
"""Users to ask below which weights would be fitted to chance."""

HORIZON_SHARE = 0.1
"""Share of all events that a horizon looks at."""

TEMPORAL_SHARE = 0.03
"""Share of all events, the newest, that are asked about where items come and go."""

TIMES_SAMPLED = 1_000_000
"""About as many events, evenly spread, tell when that begins."""

NEW_ITEM_SHARE = 0.1
"""Share of those that are about items nobody had met before, above which items come and go: 0.26 on news and
0.79 on an intranet feed, 0.05 and less in shops."""

LEAST_TRAINING_SHARE = 0.5
"""Share of all events that must have come before those: fewer where most bear the newest timestamp, and what
is learned from little says little about what is learned from all."""

HORIZON_MOMENTS = 6
HORIZON_SPREAD = 0.05
"""Moments at which a horizon begins, and the share of all events over which they are spread. What was popular
at a single one would be the same in every question, and weights of popularity fitted to that one case."""


def protocol_of(sequences: Sequences) -> ValidationProtocol:
    """``horizon`` for baskets, ``temporal`` for streams of items that come and go, ``leave_last`` for
    others."""
    times = sequences.time
    if len(times) < 2:
        return "leave_last"
    if sequences.baskets:
        return "horizon"
    moment = moment_of(sequences, 1 - TEMPORAL_SHARE)
    if (times < moment).mean() < LEAST_TRAINING_SHARE:
        return "leave_last"
    new = (first_seen(sequences)[sequences.item[times >= moment]] >= moment).mean()
    asked = _since(sequences, moment)
    return (
        "temporal"
        if new > NEW_ITEM_SHARE and len(np.unique(sequences.user[asked])) >= LEAST_USERS
        else "leave_last"
    )


def hold_out(
    sequences: Sequences, protocol: ValidationProtocol, rng: np.random.Generator, most: int = MOST_QUESTIONS
) -> HoldOut:
    """Hold out the newest seconds of some users (leave_last), some of what was done after a moment, each
    second asked about with all that came before it (temporal), or what some users did after a moment
    (horizon)."""
    if protocol == "temporal" and len(sequences.time):
        return _after_one_moment(sequences, rng, most)
    newest = _newest_groups(sequences, rng, most)
    if protocol == "horizon" and len(sequences.time):
        found = _after_moments(sequences, rng, most)
        if len(found.user) >= min(LEAST_USERS, len(np.unique(newest.user))) and len(found.user):
            return found
    return newest


def _newest_groups(sequences: Sequences, rng: np.random.Generator, most: int) -> HoldOut:
    """The newest second of each user; where users are few also the ones before it, each asked about with all
    that came earlier."""
    ptr, time = sequences.ptr, sequences.time
    starts = np.append(np.flatnonzero(begins_second(sequences)), len(time))
    past = np.searchsorted(starts, ptr[1:])
    seconds = past - np.searchsorted(starts, ptr[:-1])
    users = np.flatnonzero(seconds >= 2)
    if len(users) > most:
        users = np.sort(rng.choice(users, most, replace=False))
    each = np.minimum(np.clip(most // max(len(users), 1), 1, SECONDS_PER_USER), seconds[users] - 1)
    kept = np.ones(len(time), dtype=np.bool_)
    kept[_spread(starts[past[users] - each], ptr[users + 1])] = False
    second = _spread(past[users] - each, past[users])
    start = starts[second]
    return HoldOut(kept, np.repeat(users, each).astype(np.int32), start, starts[second + 1], time[start])


def _after_one_moment(sequences: Sequences, rng: np.random.Generator, most: int) -> HoldOut:
    """Seconds after the moment, of anybody who did something before them.

    With the newest seconds of users, whenever those were, transitions and encoder would be asked about items
    of which they have learned what came long after the question; what is counted at the moment would be
    weighed against that.
    """
    time, moment = sequences.time, moment_of(sequences, 1 - TEMPORAL_SHARE)
    start = _since(sequences, moment)
    if len(start) > most:
        start = np.sort(rng.choice(start, most, replace=False))
    begins = np.append(np.flatnonzero(begins_second(sequences)), len(time))
    end = begins[np.searchsorted(begins, start, side="right")]
    return HoldOut(time < moment, sequences.user[start].astype(np.int32), start, end, time[start])


def moment_of(sequences: Sequences, share: float) -> int:
    """The time of an event before which about this share of all events lies; there must be some."""
    some = sequences.time[:: max(1, len(sequences.time) // TIMES_SAMPLED)]
    return int(np.quantile(some, share, method="higher"))


def _since(sequences: Sequences, moment: int) -> Int64:
    """Where seconds begin from the moment on, of users who did something before them."""
    again = np.ones(len(sequences.time), dtype=np.bool_)
    again[sequences.ptr[:-1][sequences.counts > 0]] = False
    return np.flatnonzero(begins_second(sequences) & again & (sequences.time >= moment))


def begins_second(sequences: Sequences) -> Bools:
    """bool[N], the events that are the first of their user's second."""
    ptr, time = sequences.ptr, sequences.time
    begins = np.concatenate(([True], time[1:] != time[:-1])) if len(time) else np.zeros(0, np.bool_)
    begins[ptr[:-1][ptr[:-1] < len(time)]] = True
    return np.asarray(begins)


def _after_moments(sequences: Sequences, rng: np.random.Generator, most: int) -> HoldOut:
    """Each user at one of a few moments, about the events that follow until `HORIZON_SHARE` of all have
    passed."""
    ptr, time = sequences.ptr, sequences.time
    shares = np.linspace(1 - HORIZON_SHARE - HORIZON_SPREAD, 1 - HORIZON_SHARE, HORIZON_MOMENTS)
    moments = np.quantile(time, shares, method="higher").astype(np.int64)
    ends = np.quantile(time, shares + HORIZON_SHARE, method="higher").astype(np.int64)
    start, end = np.empty((2, HORIZON_MOMENTS, len(ptr) - 1), dtype=np.int64)
    for k, (moment, last) in enumerate(zip(moments.tolist(), ends.tolist(), strict=True)):
        start[k], end[k] = _place(sequences, time < moment), _place(sequences, time <= last)
    asked = (start > ptr[:-1]) & (start < end)
    users = np.flatnonzero(asked.any(axis=0))
    if len(users) > most:
        users = np.sort(rng.choice(users, most, replace=False))
    chosen = np.where(asked[:, users], rng.random((HORIZON_MOMENTS, len(users))), -1.0).argmax(axis=0)
    return HoldOut(
        time < moments[0],
        users.astype(np.int32),
        start[chosen, users],
        end[chosen, users],
        moments[chosen],
    )


def first_seen(sequences: Sequences) -> Int64:
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
