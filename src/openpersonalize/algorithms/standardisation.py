"""Standard scores (z-scores) over the catalogue: mean 0 and standard deviation 1, dense and sparse."""

from __future__ import annotations

import numpy as np

from .arrays import Float32, Float64, Int64
from .lazy_scores import SparseScores

LEAST_DEVIATION = 1e-12
"""Below it all values count as equal."""


def standardised(values: Float32) -> Float32:
    """The standard scores of float32[n]; all 0 when the values are equal."""
    centred: Float32 = values - values.mean()
    deviation = float(np.sqrt(np.dot(centred, centred) / max(len(values), 1)))
    if deviation <= LEAST_DEVIATION:
        return np.zeros_like(values)
    centred /= np.float32(deviation)
    return centred


def standardise_rows(values: Float32) -> None:
    """`standardised` of each row of float32[m, n], in its place."""
    values -= values.mean(axis=1, keepdims=True)
    deviation = np.sqrt(np.vecdot(values, values) / np.float32(max(values.shape[1], 1)))
    values *= np.where(deviation > LEAST_DEVIATION, 1 / np.maximum(deviation, LEAST_DEVIATION), 0)[
        :, None
    ].astype(np.float32)


def zero_standardised(values: Float32) -> float:
    """The standard score of a 0 among `values`."""
    deviation = float(values.std())
    return -float(values.mean()) / deviation if deviation > LEAST_DEVIATION else 0.0


def sparsely_standardised(columns: Int64, sums: Float64, n: int) -> SparseScores:
    """The standard scores of n values that are 0 but for `sums` at `columns`."""
    mean = sums.sum() / n
    deviation = np.sqrt(max(sums @ sums / n - mean * mean, 0.0))
    if deviation <= LEAST_DEVIATION:
        return SparseScores(columns[:0], np.empty(0, dtype=np.float32))
    values = (sums - mean) / deviation
    return SparseScores(columns, values.astype(np.float32), float(-mean / deviation))
