"""EASE, the linear item-to-item model in closed form (Steck, "Embarrassingly Shallow Autoencoders", WWW
2019), as a base ranker, `Linear`.

With X the users' distinct items: P = (X'X + lambda I)^-1, B = P / -diag(P), zero diagonal. One inversion of
a dense matrix, so for small catalogues only: 8 bytes * items^2 at the peak.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from threadpoolctl import threadpool_limits

from .arrays import Float32, Int32, Int64
from .events import Events
from .item_based import ItemBased
from .item_counts import distinct_items
from .sparse import SparseRows, ranges, spans

REGULARISATION = 300.0
MOST_ITEMS = 4_000
TOP = 500
LONG_PART = 8
"""A history of more than one in so many of all items is counted by a matrix product, a shorter one by its
pairs."""
_PAIRS = 500_000
_SMALL = 512


class Linear(ItemBased):
    """The rows are those of B."""

    kind: ClassVar[str] = "linear"

    @classmethod
    def fit(
        cls,
        events: Events,
        regularisation: float = REGULARISATION,
        top: int = TOP,
        check: Callable[[], None] = lambda: None,
        threads: int = 1,
    ) -> Linear:
        """Solve. Items beyond the `MOST_ITEMS` met by most users, or met by one user only, get empty rows."""
        ptr, item = distinct_items(events.ptr, events.item, events.n)
        users = np.bincount(item, minlength=events.n)
        chosen = np.argsort(-users, kind="stable")[:MOST_ITEMS]
        chosen = np.sort(chosen[users[chosen] >= 2])
        number = np.full(events.n, -1, dtype=np.int32)
        number[chosen] = np.arange(len(chosen), dtype=np.int32)
        kept = number[item] >= 0
        ends = np.concatenate(([0], np.cumsum(kept)))
        gram = co_occurrences(ends[ptr], number[item[kept]], len(chosen), check)
        gram[np.diag_indices(len(chosen))] += np.float32(regularisation)
        check()
        invert(gram, threads)
        gram /= -np.diag(gram).copy()
        np.fill_diagonal(gram, 0.0)
        return cls(strongest_rows(gram, chosen, events.n, top))


def invert(matrix: Float32, threads: int = 1) -> None:
    """Invert a symmetric positive definite float32[n, n] in its place, half by half (by the Schur
    complement): beside it, memory for three quarters of it. With so many threads, whatever all else in this
    process has."""
    with threadpool_limits(limits=threads, user_api="blas"):
        _invert(matrix)


def _invert(matrix: Float32) -> None:
    n = len(matrix)
    if n <= _SMALL:
        if n:
            matrix[...] = np.linalg.inv(matrix)
        return
    half = n // 2
    first, across, second = matrix[:half, :half], matrix[:half, half:], matrix[half:, half:]
    _invert(first)
    solved = first @ across
    second -= across.T @ solved
    _invert(second)
    across[...] = solved @ second
    first += across @ solved.T
    across *= -1
    matrix[half:, :half] = across.T


def co_occurrences(ptr: Int64, item: Int32, n: int, check: Callable[[], None] = lambda: None) -> Float32:
    """float32[n, n], X'X: how many users have both items. Long histories by matrix product, short ones by
    counting."""
    gram = np.zeros((n, n), dtype=np.float32)
    lengths = np.diff(ptr)
    long = lengths > max(n // LONG_PART, 8)
    heavy = np.flatnonzero(long)
    for start in range(0, len(heavy), 512):
        check()
        some = heavy[start : start + 512]
        rows = np.zeros((len(some), n), dtype=np.float32)
        places = ranges(ptr[some], lengths[some])
        rows[np.repeat(np.arange(len(some)), lengths[some]), item[places]] = 1.0
        gram += rows.T @ rows
    flat = gram.reshape(-1)
    light = np.flatnonzero(~long & (lengths > 0))
    for start, end in spans(lengths[light] ** 2, _PAIRS):
        check()
        some = light[start:end]
        size = lengths[some]
        own = ranges(ptr[some], size)
        per_event = np.repeat(size, size)
        cell = np.repeat(item[own].astype(np.int64) * n, per_event)
        cell += item[ranges(np.repeat(ptr[some], size), per_event)]
        np.add.at(flat, cell, np.float32(1.0))
    return gram


def strongest_rows(weights: Float32, chosen: Int64, n: int, top: int) -> SparseRows:
    """The `top` cells of largest magnitude in each row of a dense table over the items `chosen`."""
    size = len(chosen)
    top = min(top, size)
    ptr = np.zeros(n + 1, dtype=np.int64)
    ptr[chosen + 1] = top
    np.cumsum(ptr, out=ptr)
    col = np.empty(size * top, dtype=np.int32)
    value = np.empty(size * top, dtype=np.float32)
    for start in range(0, size, 512):
        block = weights[start : start + 512]
        cells = np.sort(np.argpartition(-np.abs(block), top - 1, axis=1)[:, :top], axis=1)
        span = slice(start * top, (start + len(block)) * top)
        col[span] = chosen[cells].ravel()
        value[span] = np.take_along_axis(block, cells, axis=1).ravel()
    return SparseRows(ptr, col, value)
