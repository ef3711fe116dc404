"""Outcomes of actions, what a propensity is learned from: `Occasions`, and which actions have enough of them.

An occasion begins with an event of a user with an action and holds what the user did with that action until
the action was taken or the period (``action_optimization_period``) had passed; then the next event begins
another. It is a success where it ends with the action taken.

What began shortly before the end of the data had no time to be taken. Leaving out what is undecided and
keeping what was taken would make propensities too high (right censoring: Kaplan and Meier 1958), so all that
began in the last *patience* is left out, and what is older and was not taken counts so. Patience is the time
in which `TAKEN_BY` of those that are taken are. With too few of these to tell, an occasion counts where it
was taken or refused, or the period has passed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...algorithms.arrays import Bools, Float32, Int64
from ...datasets.action_events import Int8, Outcome
from ...datasets.sequences import Sequences

DAY = 86_400
JUDGED_DAYS = 42
"""Amazon looks at so many days before the newest action interaction."""

LEAST_OUTCOMES = 50
"""Taken, and not taken or viewed, each so often: below that an action has the score 0."""

TAKEN_BY = 0.95
"""Share of the occasions that end with the action taken by which patience is measured."""

_TIME_BITS = 33  # times end in the year 2100, below 2**32


class Occasions(NamedTuple):
    """K occasions, in order of the events that begin them.

    Attributes:
        event: int64[K], the event that begins each. taken: float32[K], 1 where it was a success, else 0.
    """

    event: Int64
    taken: Float32


def occasions(sequences: Sequences, outcome: Int8, period_days: int) -> Occasions:
    """The occasions of all users.

    As many turns as one user has occasions with one action; each turn is columns over those that have more.

    Args:
        sequences: the action interactions. outcome: int8[N], what each of them says.
        period_days: the period.
    """
    used = np.flatnonzero(outcome != Outcome.OTHER)
    if not len(used):
        return Occasions(np.empty(0, np.int64), np.empty(0, np.float32))
    user, action, time = sequences.user[used], sequences.item[used], sequences.time[used]
    order = np.lexsort((time, action, user))
    event, user, action, time = used[order], user[order], action[order], time[order]
    kind = outcome[event]
    new = np.concatenate(([True], (user[1:] != user[:-1]) | (action[1:] != action[:-1])))
    group = np.cumsum(new) - 1
    last = np.append(np.flatnonzero(new)[1:], len(event)) - 1
    keys = (group << _TIME_BITS) | time
    decided = _next(kind == Outcome.TAKEN)
    refused = _next(kind == Outcome.NOT_TAKEN)
    end_of_data = int(sequences.time.max())
    at = np.flatnonzero(new)
    turns: list[tuple[Int64, Int64, Bools, Bools, Int64]] = []
    while len(at):
        closes = time[at] + period_days * DAY
        end = np.searchsorted(keys, (group[at] << _TIME_BITS) | closes, side="right") - 1
        success = decided[at] <= end
        delay = time[np.minimum(decided[at], len(time) - 1)] - time[at]
        turns.append((event[at], time[at], success, refused[at] <= end, delay))
        after = np.where(success, decided[at], end) + 1
        at = after[after <= last[group[at]]]
    begin, began, success, left, delay = (np.concatenate(parts) for parts in zip(*turns, strict=True))
    over = began + period_days * DAY <= end_of_data
    in_time = delay[over & success]
    if len(in_time) >= LEAST_OUTCOMES:
        known = began + np.quantile(in_time, TAKEN_BY) <= end_of_data
    else:
        known = success | left | over
    begin, success = begin[known], success[known]
    place = np.argsort(begin, kind="stable")
    return Occasions(begin[place], success[place].astype(np.float32))


def judged(sequences: Sequences, outcome: Int8, least: int = LEAST_OUTCOMES) -> Bools:
    """bool[n], the actions that were taken, and not taken or viewed, `least` times each in the last
    `JUDGED_DAYS` of the data."""
    n = len(sequences.items)
    if not len(sequences.time):
        return np.zeros(n, dtype=np.bool_)
    recent = sequences.time >= int(sequences.time.max()) - JUDGED_DAYS * DAY
    took = np.bincount(sequences.item[recent & (outcome == Outcome.TAKEN)], minlength=n)
    passed = np.isin(outcome, (Outcome.NOT_TAKEN, Outcome.VIEWED))
    left = np.bincount(sequences.item[recent & passed], minlength=n)
    return np.asarray((took >= least) & (left >= least))


def _next(marked: Bools) -> Int64:
    """int64[N], the place of the next marked one at or behind each place; beyond the end where none is."""
    places = np.where(marked, np.arange(len(marked)), len(marked))
    return np.asarray(np.minimum.accumulate(places[::-1])[::-1])
