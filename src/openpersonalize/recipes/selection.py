"""Which interactions of a training a recipe leaves out: users and items at the extremes, by percentiles, and
of users who do far more than others what is beyond a bound, `Usual`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..algorithms.popularity import item_events
from ..algorithms.returns import later_meetings
from ..datasets.sequences import Bools, Sequences
from .training import Configuration

MOST_AGAIN = 20
"""Events of one user with one item that train, the newest."""
MOST_OF_A_USER = 20
"""Times the median of users' events that train of one user, the newest."""
LEAST_BOUND = 200
"""Events of a user that always train."""
MOST_ASKED, LEAST_ASKED = 5, 50
"""Times the median of users' events above which weights are not found on a user, and the least such bound."""


@dataclass(frozen=True)
class Usual:
    """The interactions that a model may learn from, however much single users do (robots, scrapers, tills
    that are one user).

    Attributes:
        sequences: those events. askable: bool[U], the users that weights are found on: none who has
            `MOST_ASKED` times as many events as the median user, or of whom half was left out.
    """

    sequences: Sequences
    askable: Bools

    @classmethod
    def of(cls, sequences: Sequences) -> Usual:
        """Of each user the newest `MOST_AGAIN` events with an item, and of those the newest
        `MOST_OF_A_USER` times as many as the median user has, but `LEAST_BOUND` at least. Memory: a byte an
        event."""
        counts = sequences.counts
        if not len(sequences.item):
            return cls(sequences, counts > 0)
        kept: Bools = later_meetings(sequences.ptr, sequences.item, MOST_AGAIN) < MOST_AGAIN
        median = float(np.median(counts[counts > 0]))
        most = max(LEAST_BOUND, int(MOST_OF_A_USER * median))
        before = np.concatenate(([0], np.cumsum(kept)))
        total = np.diff(before[sequences.ptr])
        if (total > most).any():
            newer = np.repeat(before[sequences.ptr[1:]], counts) - before[:-1]
            kept &= newer <= most
            total = np.minimum(total, most)
        askable = (2 * total >= counts) & (counts <= max(LEAST_ASKED, MOST_ASKED * median))
        return cls(sequences if kept.all() else sequences.where(kept), askable)


def without_extreme_users(sequences: Sequences, configuration: Configuration) -> Sequences:
    """Leave out users whose history is shorter or longer than the percentiles of the configuration
    (``min_`` and ``max_user_history_length_percentile``), among those of users who have one here: those held
    out for a measurement have none."""
    low, high = _bounds(configuration, "user_history_length")
    counts = sequences.counts
    if (low <= 0.0 and high >= 1.0) or not len(sequences.item):
        return sequences
    least, most = np.quantile(counts[counts > 0], (low, high))
    return sequences.where(np.repeat((counts >= least) & (counts <= most), counts))


def without_extreme_items(sequences: Sequences, configuration: Configuration) -> Sequences:
    """Leave out the interactions with items of which there are fewer or more than the percentiles of the
    configuration (``min_`` and ``max_item_interaction_count_percentile``), among items that have some.
    What one user does again counts less each time (`item_events`): nobody puts an item out of reach alone."""
    low, high = _bounds(configuration, "item_interaction_count")
    if (low <= 0.0 and high >= 1.0) or not len(sequences.item):
        return sequences
    counts = item_events(sequences.ptr, sequences.item, len(sequences.items))[0]
    least, most = np.quantile(counts[counts > 0], (low, high))
    return sequences.where(((counts >= least) & (counts <= most))[sequences.item])


def _bounds(configuration: Configuration, what: str) -> tuple[float, float]:
    parameters = configuration.parameters
    low, high = parameters.get(f"min_{what}_percentile", 0.0), parameters.get(f"max_{what}_percentile", 1.0)
    return float(low), float(high)
