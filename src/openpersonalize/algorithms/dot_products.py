"""Dot products of one query's vector with those of all items, as scores: `DotProductScores`, normalised as
logarithms by `log_sum_exp`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arrays import Float32, Int64
from .ivf_index import IVFIndex
from .lazy_scores import LazyScores
from .topk import top_k


@dataclass(frozen=True)
class DotProductScores(LazyScores):
    """The feature of one query, not written out: products with `vector`, less `level`."""

    items: Float32
    vector: Float32
    level: np.float32
    ivf: IVFIndex | None

    def at(self, rows: Int64) -> Float32:
        """See `LazyScores`."""
        return self.items.take(rows, axis=0) @ self.vector - self.level

    def top(self, k: int) -> Int64:
        """See `LazyScores`: by all products. `IVFIndex.search` finds them without."""
        return top_k(self.items @ self.vector, k)


def log_sum_exp_rows(scores: Float32) -> Float32:
    """float32[m], `log_sum_exp` of each row of float32[m, n]."""
    most = scores.max(axis=1, keepdims=True)
    less = scores - most
    np.exp(less, out=less)
    found: Float32 = most[:, 0] + np.log(less.sum(axis=1))
    return found


def log_sum_exp(scores: Float32) -> np.float32:
    """log of the sum of exp."""
    most = scores.max()
    less = scores - most
    np.exp(less, out=less)
    total: np.float32 = most + np.log(less.sum())
    return total
