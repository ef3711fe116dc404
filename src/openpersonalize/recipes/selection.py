"""Which interactions of a training a recipe leaves out: users and items at the extremes, by percentiles."""

from __future__ import annotations

import numpy as np

from ..datasets.sequences import Sequences
from .training import Configuration


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
    configuration (``min_`` and ``max_item_interaction_count_percentile``), among items that have some."""
    low, high = _bounds(configuration, "item_interaction_count")
    if (low <= 0.0 and high >= 1.0) or not len(sequences.item):
        return sequences
    counts = np.bincount(sequences.item, minlength=len(sequences.items))
    least, most = np.quantile(counts[counts > 0], (low, high))
    return sequences.where(((counts >= least) & (counts <= most))[sequences.item])


def _bounds(configuration: Configuration, what: str) -> tuple[float, float]:
    parameters = configuration.parameters
    low, high = parameters.get(f"min_{what}_percentile", 0.0), parameters.get(f"max_{what}_percentile", 1.0)
    return float(low), float(high)
