"""top_k against a plain sort."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openpersonalize.algorithms.topk import top_k, top_k_rows


def plainly(scores, k):
    order = sorted(range(len(scores)), key=lambda row: (-scores[row], row))
    return [row for row in order if scores[row] > -np.inf][:k]


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(0, 6000),
    k=st.integers(0, 600),
    levels=st.integers(1, 2000),
    hidden=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_it_equals_a_sort_by_score_then_row(n, k, levels, hidden, seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, n).astype(np.float32)
    scores[rng.random(n) < hidden] = -np.inf
    assert top_k(scores, k).tolist() == plainly(scores.tolist(), k)


@settings(max_examples=60, deadline=None)
@given(
    m=st.integers(0, 5),
    n=st.integers(0, 6000),
    k=st.integers(0, 600),
    levels=st.integers(1, 2000),
    hidden=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_many_rows_at_once_have_what_each_has(m, n, k, levels, hidden, seed):
    rng = np.random.default_rng(seed)
    scores = (rng.integers(0, levels, (m, n)) - levels // 2).astype(np.float32)
    scores *= rng.choice([np.float32(1), np.float32(-0.0), np.float32(1e-40), np.float32(-1)], (m, 1))
    scores[rng.random((m, n)) < hidden * rng.random((m, 1))] = -np.inf
    found = top_k_rows(scores, k)
    assert [rows.tolist() for rows in found] == [top_k(row, k).tolist() for row in scores]


def test_distinct_scores_of_a_large_catalogue():
    scores = np.random.default_rng(1).permutation(100_000).astype(np.float32)
    assert scores[top_k(scores, 25)].tolist() == list(range(99_999, 99_974, -1))


def test_all_equal_scores_come_in_row_order():
    assert top_k(np.zeros(100_000, dtype=np.float32), 5).tolist() == [0, 1, 2, 3, 4]


def test_sorted_scores_are_no_worst_case():
    scores = np.arange(50_000, dtype=np.float32)
    assert top_k(scores, 3).tolist() == [49_999, 49_998, 49_997]


def test_everything_filtered_out_gives_nothing():
    assert top_k(np.full(10_000, -np.inf, dtype=np.float32), 25).tolist() == []


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("shape", ["spread", "tied", "rising", "mostly gone", "in step"])
@pytest.mark.parametrize("n", [30, 1000, 5003])
def test_the_order_of_the_scores_is_no_matter(kind, shape, n):
    scores = np.random.default_rng(n).normal(size=n).astype(kind)
    if shape == "tied":
        scores = np.round(scores)
    elif shape == "rising":
        scores = np.sort(scores)
    elif shape == "mostly gone":
        scores[n // 50 :] = -np.inf
    elif shape == "in step":
        scores[:: 8 * 20] += 50  # all in one block
    for k in (1, 20, 25):
        assert top_k(scores, k).tolist() == plainly(scores.tolist(), k)
