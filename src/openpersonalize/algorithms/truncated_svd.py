"""Truncated singular value decomposition of sparse rows by random projection with power iterations (Halko,
Martinsson and Tropp 2011): `leading_axes`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .arrays import Float32
from .sparse import SparseRows, spans

POWERS = 3
EXTRA = 16
_ENTRIES = 200_000


def times(rows: SparseRows, dense: Float32) -> Float32:
    """float32[n, k], the sparse matrix times a dense one, block by block."""
    product: Float32 = np.zeros((rows.n, dense.shape[1]), dtype=np.float32)
    lengths = np.diff(rows.ptr)
    for start, end in spans(lengths, _ENTRIES):
        some = start + np.flatnonzero(lengths[start:end])
        if len(some):
            span = slice(int(rows.ptr[start]), int(rows.ptr[end]))
            picked = dense[rows.col[span]]
            picked *= rows.value[span, None]
            product[some] = np.add.reduceat(picked, rows.ptr[some] - rows.ptr[start], axis=0)
    return product


def transposed(rows: SparseRows, columns: int) -> SparseRows:
    """The transposed matrix."""
    order = np.argsort(rows.col, kind="stable")
    row = np.repeat(np.arange(rows.n, dtype=np.int32), np.diff(rows.ptr))
    ptr = np.zeros(columns + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows.col, minlength=columns), out=ptr[1:])
    return SparseRows(ptr, row[order], rows.value[order])


def leading_axes(
    rows: SparseRows, columns: int, size: int, rng: np.random.Generator, check: Callable[[], None]
) -> Float32:
    """float32[columns, size], the leading right singular vectors."""
    turned = transposed(rows, columns)
    width = min(size + EXTRA, columns, rows.n)
    found = rng.standard_normal((columns, width), dtype=np.float32)
    for _ in range(POWERS):
        check()
        found, _ = np.linalg.qr(times(turned, times(rows, found)))
    seen = times(rows, found)
    _, _, turn = np.linalg.svd(seen, full_matrices=False)
    axes: Float32 = (found @ turn.T)[:, :size]
    return np.ascontiguousarray(axes)
