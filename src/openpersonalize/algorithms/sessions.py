"""Sessions of packed events: where they begin, which one still runs, and the inactivity threshold between
them, `session_gap`, from the data (Halfaker et al., "User session identification based on strong regularities
in inter-activity time", 2015).

The logarithms of the times between neighbouring events of a user have two humps, one inside of sessions and
one between them: two normal distributions are fitted to them (expectation maximisation), and the threshold is
where the second becomes the likelier one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .arrays import Bools, Float64, Int32, Int64, sorted_unique
from .ranker import RankerQuery

BASKET_SHARE = 0.3
"""Share of neighbouring events of different items in one second above which the data is baskets: events of
one second have no order then."""
DEFAULT_GAP = 1_800
"""Seconds, where the data does not say."""
LEAST_GAP, MOST_GAP = 900, 7_200
"""Bounds of what the data says."""
LEAST_TIMES = 200
"""Times between events below which it says nothing."""
TIMES_SAMPLED = 200_000
"""About as many are looked at, evenly spread."""
MOST_RUNNING = 50
"""Events of the running session that count, the newest."""
_ROUNDS = 50
_BINS = 4
_LEAST_SPREAD = 0.5


def follows(ptr: Int64, length: int) -> Bools:
    """bool[length], the events that are not the first of their user."""
    inside = np.ones(length, dtype=np.bool_)
    inside[ptr[:-1][ptr[:-1] < length]] = False
    return inside


def session_starts(ptr: Int64, time: Int64, gap: int) -> Int64:
    """int64[S], the places of the first events of all sessions: more than `gap` seconds after the event
    before."""
    begins = ~follows(ptr, len(time))
    begins[1:] |= np.diff(time) > gap
    return np.flatnonzero(begins)


def running_session(time: Int64, now: int, gap: int) -> int:
    """The place in a user's `time`, oldest first, at which the session that runs at `now` begins, or from
    which on its newest `MOST_RUNNING` events are; ``len(time)`` where none runs. Whatever device an event
    comes from, it is the session of the newest one."""
    if not in_session(time, now, gap):
        return len(time)
    newest = time[-MOST_RUNNING:]
    breaks = np.flatnonzero(np.diff(newest) > gap)
    return len(time) - len(newest) + (int(breaks[-1]) + 1 if len(breaks) else 0)


def running_items(query: RankerQuery, gap: int) -> Int32:
    """The distinct items of the session that runs at the query's moment, ascending."""
    begin = running_session(query.time, query.now, gap)
    return sorted_unique(query.item[begin:])


def in_session(time: Int64, now: int, gap: int) -> bool:
    """Whether the newest event is at most `gap` seconds old."""
    return bool(len(time)) and now - int(time[-1]) <= gap


def session_gap(ptr: Int64, time: Int64) -> int:
    """Seconds without an event after which a session is over, `LEAST_GAP` to `MOST_GAP`."""
    inside = np.flatnonzero(follows(ptr, len(time)))
    inside = inside[:: max(1, len(inside) // TIMES_SAMPLED)]
    between = time[inside] - time[inside - 1]
    between = between[between > 0]
    if len(between) < LEAST_TIMES:
        return DEFAULT_GAP
    return round(float(np.clip(2.0 ** _crossing(np.log2(between)), LEAST_GAP, MOST_GAP)))


def _crossing(logs: Float64) -> float:
    """Where the upper one of two normal distributions over `logs` becomes the likelier one."""
    edges = np.arange(0.0, np.ceil(logs.max()) + 1.0, 1 / _BINS)
    count, _ = np.histogram(logs, edges)
    x = edges[:-1] + 0.5 / _BINS
    mean = np.quantile(logs, (0.25, 0.9))
    spread, share = np.full(2, 2.0), np.full(2, 0.5)
    for _ in range(_ROUNDS):
        density = _densities(x, mean, spread, share)
        part = density / np.maximum(density.sum(axis=0), 1e-300) * count
        mass = np.maximum(part.sum(axis=1), 1e-9)
        mean = (part * x).sum(axis=1) / mass
        spread = np.sqrt((part * (x - mean[:, None]) ** 2).sum(axis=1) / mass).clip(_LEAST_SPREAD)
        share = mass / mass.sum()
    low, high = np.argsort(mean)
    between = np.linspace(mean[low], mean[high], 200)
    density = _densities(between, mean, spread, share)
    later = np.flatnonzero(density[high] > density[low])
    return float(between[later[0]] if len(later) else between[-1])


def _densities(x: Float64, mean: Float64, spread: Float64, share: Float64) -> Float64:
    """float64[2, len(x)]."""
    z = (x[None, :] - mean[:, None]) / spread[:, None]
    found: Float64 = share[:, None] * np.exp(-0.5 * z * z) / spread[:, None]
    return found


def are_baskets(ptr: Int64, item: Int32, time: Int64) -> bool:
    """Whether the events are baskets (see `BASKET_SHARE`). Several events of one item in one second (a click
    and a watch) are no basket."""
    inside = follows(ptr, len(time))[1:]
    together = inside & (time[1:] == time[:-1]) & (item[1:] != item[:-1])
    return bool(together.sum() > BASKET_SHARE * max(int(inside.sum()), 1))


def shuffled_ties(ptr: Int64, time: Int64, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """int64[N], all places, those of events of one user and one second in random order among themselves."""
    order = np.arange(len(time))
    same = follows(ptr, len(time))
    same[1:] &= time[1:] == time[:-1]
    crowded = np.flatnonzero(same | np.append(same[1:], False))
    group = np.cumsum(~same)[crowded]
    order[crowded] = crowded[np.argsort(group + rng.random(len(crowded)), kind="stable")]
    return order
