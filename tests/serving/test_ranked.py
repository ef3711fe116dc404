"""Scores, filters and the cut on plain arrays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openpersonalize.serving.ranked import TOP_ROWS, CandidateMask, Ranked, among, bias_of, choose


def plainly(scores, keep, dropped, k):
    """Rows and scores by definition: a softmax over everything, then the filter, then the cut."""
    finite = scores > -np.inf
    shifted = np.where(finite, scores.astype(np.float64), -np.inf)
    share = np.exp(shifted - shifted.max()) if finite.any() else np.zeros(len(scores))
    share = share / max(share.sum(), 1e-300)
    rows = [row for row in range(len(scores)) if finite[row] and keep[row] and row not in dropped]
    rows.sort(key=lambda row: (-scores[row], row))
    return rows[:k], [share[row] for row in rows[:k]]


def cut(scores, mask, k):
    return choose(Ranked.of(scores), mask, k, lambda: scores)


@settings(max_examples=80, deadline=None)
@given(
    n=st.integers(1, 3000),
    k=st.integers(1, 500),
    kept=st.floats(0, 1),
    dropped=st.integers(0, 400),
    unscored=st.floats(0, 0.9),
    prepared=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_choosing_equals_the_definition(n, k, kept, dropped, unscored, prepared, seed):
    rng = np.random.default_rng(seed)
    scores = (rng.integers(0, 400, n) / 40).astype(np.float32)
    without = np.flatnonzero(rng.random(n) < unscored)
    keep = rng.random(n) < kept
    gone = frozenset(rng.integers(0, n, dropped).tolist())
    scores[without] = -np.inf
    given = scores.copy()
    chosen = cut(scores, CandidateMask(keep, bias_of(keep) if prepared else None, gone), k)
    assert (scores == given).all()
    rows, shares = plainly(scores, keep, gone, k)
    assert chosen.rows == rows
    assert chosen.scores == pytest.approx(shares, abs=2e-7)


@pytest.mark.parametrize("n", [3, TOP_ROWS - 1, TOP_ROWS, TOP_ROWS + 1, 300])
def test_scores_of_a_whole_catalogue_sum_to_one(n):
    scores = np.random.default_rng(n).normal(size=n).astype(np.float32)
    chosen = cut(scores, CandidateMask(), 500)
    assert len(chosen.rows) == n
    assert sum(chosen.scores) == pytest.approx(1, abs=1e-4)


def test_scores_are_not_rescaled_by_a_filter():
    scores = np.log(np.array([0.5, 0.3, 0.2], dtype=np.float32))
    chosen = cut(scores, CandidateMask(np.array([False, True, True])), 2)
    assert (chosen.rows, chosen.scores) == ([1, 2], [0.3, 0.2])


def test_scores_have_at_most_seven_decimals():
    chosen = cut(np.random.default_rng(0).normal(size=1000).astype(np.float32), CandidateMask(), 500)
    assert all(len(f"{score:.17g}") > 9 or score == round(score, 7) for score in chosen.scores)
    assert all(score == round(score, 7) for score in chosen.scores)


def test_large_scores_do_not_overflow():
    chosen = cut(np.array([1000, 999, -1000], dtype=np.float32), CandidateMask(), 3)
    assert chosen.scores == pytest.approx([0.7310586, 0.2689414, 0], abs=1e-6)


def test_nothing_scored_chooses_nothing():
    assert cut(np.full(4, -np.inf, dtype=np.float32), CandidateMask(), 5).rows == []


def test_among_ranks_only_the_given_rows():
    scores = np.log(np.array([0.1, 0.2, 0.3, 0.4], dtype=np.float32))
    order, values = among(scores[[0, 3, 2]])
    assert order.tolist() == [1, 2, 0]
    assert values == pytest.approx([0.5, 0.375, 0.125])


def test_among_keeps_the_given_order_of_equals():
    order, values = among(np.zeros(3, dtype=np.float32))
    assert order.tolist() == [0, 1, 2]
    assert sum(values) == pytest.approx(1, abs=1e-6)
