"""Offline metrics, as the Amazon Personalize developer guide defines them ("Evaluating the trained solution
version").

Q questions, each with a recommendation list and a set of relevant items. DCG@K = sum of rel(r) / log(1 + r)
over ranks r = 1..K; NDCG divides by the best DCG possible with min(K, relevant) hits; precision divides hits
by K always; the reciprocal rank is that of the first hit within 25, else 0.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

LIST = 25
"""Length of the lists that coverage counts, and the largest K."""

CUTS = (5, 10, 25)
REWARDED = 500
"""Length of the lists that rewards are looked for in."""

DECIMALS = 4


def dcg(gains: Float64, k: int) -> Float64:
    """float64[Q], of the gains float64[Q, >= k] in order of rank."""
    shown = gains[:, :k]
    return np.asarray(shown @ (1.0 / np.log2(np.arange(2, 2 + shown.shape[1]))))


def ndcg(gains: Float64, ideal: Float64, k: int) -> Float64:
    """float64[Q]; `ideal` float64[Q, >= k]: the gains of the best possible list. 0 where nothing can be
    gained."""
    best = dcg(ideal, k)
    return np.divide(dcg(gains, k), best, out=np.zeros(len(gains)), where=best > 0)


def precision(hits: Float64, k: int) -> Float64:
    """float64[Q], of hits float64[Q, >= 1] as 0 and 1; a short list counts as a list of k with misses."""
    return np.asarray(hits[:, :k].sum(axis=1) / k)


def recall(hits: Float64, sizes: npt.NDArray[np.int64], k: int) -> Float64:
    """float64[Q], of hits float64[Q, >= 1] as 0 and 1 and int64[Q] relevant items: the share of them that
    the first k hold."""
    return np.asarray(hits[:, :k].sum(axis=1) / np.maximum(sizes, 1))


def reciprocal_rank(hits: Float64) -> Float64:
    """float64[Q]: 1 over the rank of the first hit within 25."""
    shown = hits[:, :LIST] > 0
    found = shown.any(axis=1)
    return np.where(found, 1.0 / (1 + shown.argmax(axis=1)), 0.0)


def ideal_gains(sizes: npt.NDArray[np.int64], k: int = LIST) -> Float64:
    """float64[Q, k]: ones for as many ranks as there are relevant items."""
    return (np.arange(k) < sizes[:, None]).astype(np.float64)


def average_reward(reward: Float64, hits: Float64) -> float | None:
    """Rewards of the guide's ``average_rewards_at_k`` for one question.

    Args:
        reward: float64[<= 500], the objective of the recommended items, not negative.
        hits: whether the user interacted with them.

    Returns:
        The reward of hits among the 25 items of largest reward over the reward of all hits; None without any.
    """
    total = float((reward * hits).sum())
    if total <= 0:
        return None
    best = np.argsort(-reward, kind="stable")[:LIST]
    return float((reward[best] * hits[best]).sum()) / total


def rounded(metrics: Mapping[str, float]) -> dict[str, float]:
    """Four decimals, as GetSolutionMetrics gives them."""
    return {name: round(float(value), DECIMALS) for name, value in metrics.items()}
