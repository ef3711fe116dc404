"""Sparse rows: scattered sums, bounded pieces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from openpersonalize.algorithms.sparse import SparseRows, join, spans


def rows_of(full: np.ndarray) -> SparseRows:
    row, col = np.nonzero(full)
    return join([(row, col.astype(np.int32), full[row, col].astype(np.float32))], len(full))


@given(st.lists(st.integers(0, 5), max_size=9), st.integers(0, 99))
def test_scatter_is_a_weighted_sum_of_rows(chosen: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    full = rng.random((6, 6)) * (rng.random((6, 6)) < 0.4)
    weights = rng.random(len(chosen)).astype(np.float32)
    wanted = weights @ full[chosen] if chosen else np.zeros(6)
    assert np.allclose(rows_of(full).scatter(np.array(chosen, np.int32), weights), wanted, atol=1e-5)


def test_saved_and_mapped(tmp_path: Path) -> None:
    full = np.eye(4)[[1, 0, 3, 2]]
    rows_of(full).save(tmp_path, "x")
    opened = SparseRows.load(tmp_path, "x")
    assert opened.scatter(np.array([0], np.int32), np.ones(1, np.float32)).tolist() == [0, 1, 0, 0]
    rows_of(np.zeros((3, 3))).save(tmp_path, "none")
    assert SparseRows.load(tmp_path, "none").n == 3


@given(st.lists(st.integers(0, 9), max_size=40), st.integers(1, 20))
def test_spans_cover_everything_within_the_budget(costs: list[int], budget: int) -> None:
    found = list(spans(np.array(costs, dtype=np.int64), budget))
    assert [place for begin, end in found for place in range(begin, end)] == list(range(len(costs)))
    assert all(sum(costs[begin:end]) <= budget or end == begin + 1 for begin, end in found)
