"""Conditional logit (McFadden 1974), `fit_logit`: the weights of attributes of alternatives by which the one
that was chosen is most likely, found by Newton's method.

Of many alternatives a question may keep a part: those that count for themselves, and a random sample of the
others, each of which stands for several (importance sampling of the normalising sum).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .arrays import Float32, Float64

STEPS = 25
LEAST_GAIN = 1e-6
_BLOCK = 64


def fit_logit(
    features: Float32,
    share: Float32,
    ridge: Float64,
    centre: Float64,
    check: Callable[[], None] = lambda: None,
) -> tuple[Float64, float]:
    """The weights that maximise the mean log-likelihood less ``ridge * (weights - centre) ** 2 / 2``,
    and the mean log-likelihood.

    Args:
        features: float32[Q, M, F], of M alternatives of Q choices; the first was chosen.
        share: float32[Q, M], how many alternatives each stands for; 0: it is none.
        ridge, centre: float64[F]. check: called between pieces of work.
    """
    weights = centre.copy()
    value, gradient, hessian = _derivatives(features, share, weights, check)
    best = value
    for _ in range(STEPS):
        step = np.linalg.solve(hessian + np.diag(ridge), gradient - ridge * (weights - centre))
        size = 1.0
        while size > 1e-4:
            tried = weights + size * step
            value, gradient, hessian = _derivatives(features, share, tried, check)
            reached = value - float(ridge @ (tried - centre) ** 2) / 2
            if reached >= best:
                break
            size /= 2
        else:
            break
        gain, best, weights = reached - best, reached, tried
        if gain < LEAST_GAIN:
            break
    return weights, best + float(ridge @ (weights - centre) ** 2) / 2


def _derivatives(
    features: Float32, share: Float32, weights: Float64, check: Callable[[], None]
) -> tuple[float, Float64, Float64]:
    """Mean log-likelihood, its gradient and the negative of its Hessian."""
    count, size = len(features), features.shape[2]
    value, gradient, hessian = 0.0, np.zeros(size), np.zeros((size, size))
    for start in range(0, count, _BLOCK):
        check()
        block = features[start : start + _BLOCK]
        logits = block @ weights.astype(np.float32)
        logits -= logits.max(axis=1, keepdims=True)
        mass = np.exp(logits) * share[start : start + _BLOCK]
        whole = mass.sum(axis=1)
        value += float((logits[:, 0] - np.log(whole)).sum())
        mass /= whole[:, None]
        mean = np.einsum("qm,qmf->qf", mass, block)
        gradient += (block[:, 0] - mean).sum(axis=0)
        flat = block.reshape(-1, size)
        hessian += flat.T @ (flat * mass.reshape(-1, 1)) - mean.T @ mean
    return value / count, gradient / count, hessian / count
