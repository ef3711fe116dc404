"""The figures printed in Amazon's developer guide, and the rules at the edges."""

from __future__ import annotations

import numpy as np
import pytest

from openpersonalize.evaluation.metrics import (
    average_reward,
    ideal_gains,
    ndcg,
    precision,
    reciprocal_rank,
    rounded,
)


def hits(*ranks: int, length: int = 25) -> np.ndarray:
    row = np.zeros((1, length))
    row[0, [rank - 1 for rank in ranks]] = 1
    return row


def test_reciprocal_rank_of_the_guide() -> None:
    rows = np.concatenate([hits(4, 9), hits(2), hits(6)])
    assert round(float(reciprocal_rank(rows).mean()), 4) == 0.3056


def test_no_hit_within_25_is_zero() -> None:
    assert reciprocal_rank(np.zeros((1, 25))).tolist() == [0.0]


def test_ndcg_of_the_guide() -> None:
    assert round(float(ndcg(hits(2, 5), ideal_gains(np.array([2])), 5)[0]), 4) == 0.6241


def test_precision_of_the_guide() -> None:
    assert precision(hits(1, 3), 5)[0] == pytest.approx(0.4)
    assert precision(hits(1, 4, 10), 10)[0] == pytest.approx(0.3)


def test_precision_divides_by_k_even_when_the_list_is_short() -> None:
    assert precision(hits(1, length=2), 10)[0] == pytest.approx(0.1)


@pytest.mark.parametrize("relevant", [1, 3, 40])
def test_a_perfect_list_has_ndcg_one(relevant: int) -> None:
    perfect = np.zeros((1, 25))
    perfect[0, : min(relevant, 25)] = 1
    for k in (5, 10, 25):
        assert ndcg(perfect, ideal_gains(np.array([relevant])), k)[0] == pytest.approx(1.0)


def test_weights_of_event_types_are_gains() -> None:
    # Weights 0.3 and 0.1 are gains 1.5 and 0.5: the weaker one first costs, but not everything.
    gains, ideal = np.array([[0.5, 1.5]]), np.array([[1.5, 0.5]])
    value = float(ndcg(gains, ideal, 5)[0])
    assert value == pytest.approx((0.5 + 1.5 / np.log2(3)) / (1.5 + 0.5 / np.log2(3)))
    assert float(ndcg(ideal, ideal, 5)[0]) == pytest.approx(1.0)


def test_rewards_count_hits_among_the_25_dearest() -> None:
    reward = np.arange(100.0, 0.0, -1.0)
    met = np.zeros(100)
    met[[0, 99]] = 1
    assert average_reward(reward, met) == pytest.approx(100 / 101)
    assert average_reward(reward, np.zeros(100)) is None
    assert average_reward(np.zeros(100), met) is None


def test_four_decimals() -> None:
    assert rounded({"coverage": 0.123456}) == {"coverage": 0.1235}
