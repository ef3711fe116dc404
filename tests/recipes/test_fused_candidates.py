"""What a shortlist tells of the items that are none of it."""

from __future__ import annotations

import numpy as np
import pytest

from openpersonalize.recipes.fusion.candidates import LEADERS, SAMPLED_ITEMS, Pool

N = 50_000


def log_total(scores: np.ndarray) -> float:
    return float(np.log(np.exp(scores.astype(np.float64)).sum()))


def shortlist_of(pool: Pool, scores: np.ndarray, rows: np.ndarray, n: int):  # type: ignore[no-untyped-def]
    return pool.shortlist(rows, scores[rows], scores[pool.sample], n)


def test_the_total_of_a_large_catalogue_is_estimated() -> None:
    rng = np.random.default_rng(3)
    pool = Pool(np.ones(N, dtype=np.bool_))
    assert len(pool.sample) == SAMPLED_ITEMS
    for spread in (0.5, 1.0, 2.0):
        scores = (spread * rng.standard_normal(N)).astype(np.float32)
        rows = np.sort(np.argsort(-scores)[:2_000])
        found = shortlist_of(pool, scores, rows, 10)
        assert found.log_total == pytest.approx(log_total(scores), abs=0.05)
        assert found.low == pytest.approx(scores.mean() - scores.std(), abs=0.2 * spread)
        assert found.rows.tolist() == np.argsort(-scores)[:10].tolist()


def test_of_few_items_the_total_is_exact() -> None:
    allowed = np.ones(N, dtype=np.bool_)
    allowed[300:] = False
    scores = np.random.default_rng(0).standard_normal(N).astype(np.float32)
    found = shortlist_of(Pool(allowed), scores, np.array([1, 5, 9]), 2)
    assert found.log_total == pytest.approx(log_total(scores[:300]), abs=1e-4)
    scores[300:] = scores[:300].min() - 1
    others = shortlist_of(Pool(allowed, behind=N - 300), scores, np.array([1, 5, 9]), 2)
    assert others.log_total == pytest.approx(log_total(scores), abs=1e-4)
    assert found.low == pytest.approx(scores[:300].mean() - scores[:300].std(), abs=1e-4)


def test_leaders_are_allowed_and_follow_the_moment() -> None:
    allowed = np.ones(N, dtype=np.bool_)
    allowed[::2] = False
    pool = Pool(allowed)
    first, second = np.arange(N, dtype=np.float32), -np.arange(N, dtype=np.float32)
    assert pool.moment(first)[0][:3].tolist() == [N - 1, N - 3, N - 5]
    assert len(pool.moment(first)[0]) == LEADERS
    assert pool.moment(second)[0][:2].tolist() == [1, 3]


def test_nothing_allowed_gives_nothing() -> None:
    pool = Pool(np.zeros(5, dtype=np.bool_))
    scores = np.zeros(5, dtype=np.float32)
    assert len(pool.moment(scores)[0]) == 0
    found = shortlist_of(pool, scores, np.empty(0, dtype=np.int64), 3)
    assert len(found.rows) == 0
    assert np.isfinite(found.log_total)
