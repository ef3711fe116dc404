"""Intervals by the bootstrap: how far a mean over users could be off because other users might have come.

Percentile intervals of resampled means (Efron and Tibshirani 1993, "An introduction to the bootstrap"), the
same resamples for all columns, so that differences of columns are paired (Sakai 2006, "Evaluating evaluation
metrics based on the bootstrap").
"""

from __future__ import annotations

import numpy as np

from .metrics import Float64

RESAMPLES = 2_000
CONFIDENCE = 0.95

_AT_ONCE = 50


def resampled_means(values: Float64, seed: int, resamples: int = RESAMPLES) -> Float64:
    """float64[resamples, m]: means of the m columns of float64[Q, m] over Q users drawn with replacement.

    Memory beyond the answer: 50 * Q * 8 bytes.
    """
    count, columns = values.shape
    means = np.zeros((resamples, columns))
    if not count:
        return means
    rng = np.random.default_rng(seed)
    for begin in range(0, resamples, _AT_ONCE):
        size = min(_AT_ONCE, resamples - begin)
        drawn = rng.integers(0, count, (size, count)) + np.arange(size)[:, None] * count
        times = np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count)
        means[begin : begin + size] = times @ values / count
    return means


def interval(means: Float64) -> Float64:
    """float64[2, ...], the bounds of the middle 95 % along the first axis."""
    outside = (1.0 - CONFIDENCE) / 2
    return np.asarray(np.quantile(means, (outside, 1.0 - outside), axis=0))
