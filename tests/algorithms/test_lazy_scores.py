"""Sums of scores that are not written out."""

from __future__ import annotations

import numpy as np

from openpersonalize.algorithms.lazy_scores import DenseScores, WeightedScores
from openpersonalize.algorithms.topk import top_k


def test_a_sum_adds_up_and_puts_forward_what_leads_in_it() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.standard_normal((2, 50)).astype(np.float32)
    sum = WeightedScores([(DenseScores(one), 0.5), (DenseScores(other), -2.0)])
    total = 0.5 * one - 2.0 * other
    rows = np.array([7, 3, 49])
    np.testing.assert_allclose(sum.at(rows), total[rows], rtol=1e-5)
    found = sum.top(50)
    assert sorted(found.tolist()) == list(range(50))
    few = sum.top(5)
    assert len(few) == 5
    assert set(few.tolist()) <= set(top_k(one, 5).tolist()) | set(top_k(other, 5).tolist())
