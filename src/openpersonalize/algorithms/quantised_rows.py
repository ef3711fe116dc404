"""Uniform 16-bit quantisation of rows, between the least and the largest number of each: `QuantisedRows`.

Half the memory of single precision, and as fast to read (half precision is coarser, and slow without
AVX-512).
"""

from __future__ import annotations

import numpy as np

from .arrays import Float32, Int64

LEVELS = 65_535
LEAST_STEP = 1e-30
"""A smaller step is none."""


class QuantisedRows:
    """float32[layers, rows, size] in two bytes a number, up to a constant of each row: what all numbers of a
    row have in common is not kept, for no rank and no softmax depends on it.

    A number comes back within half a step: less than a 100,000th of the row's span.
    """

    def __init__(self, layers: int, rows: int, size: int) -> None:
        """Room; what was not `put` reads as anything."""
        self._code = np.empty((layers, rows, size), dtype=np.uint16)
        self._step = np.zeros((layers, rows, 1), dtype=np.float32)

    def put(self, layer: int, row: int, values: Float32) -> None:
        """Keep float32[size], all finite."""
        low, high = float(values.min()), float(values.max())
        step = (high - low) / LEVELS
        step = step if step > LEAST_STEP else 0.0
        self._step[layer, row] = step
        # Rounded by cutting: everything is 0 or more. A row of equal numbers is all 0.
        self._code[layer, row] = (values - np.float32(low)) * np.float32(1 / step if step else 0.0) + 0.5

    def times(self, layer: int, rows: slice, factor: float) -> Float32:
        """A new float32[rows, size]: what was kept, times `factor`."""
        code = self._code[layer, rows]
        found: Float32 = code.astype(np.float32)
        found *= self._step[layer, rows] * np.float32(factor)
        return found

    def at(self, layer: int, rows: Int64, columns: Int64) -> Float32:
        """A new float32[k, m]: what was kept of these rows, int64[k], in some columns each, int64[k, m]."""
        flat = rows[:, None] * self._code.shape[2] + columns
        found: Float32 = self._code[layer].reshape(-1).take(flat).astype(np.float32)
        found *= self._step[layer, rows]
        return found
