"""The conditional logit finds the weights that made the choices."""

from __future__ import annotations

import numpy as np

from openpersonalize.algorithms.conditional_logit import fit_logit


def choices(weights: np.ndarray, count: int, alternatives: int) -> np.ndarray:
    """float32[count, alternatives, F], the chosen one of each first."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((count, alternatives, len(weights)))
    chosen = np.argmax(features @ weights + rng.gumbel(size=(count, alternatives)), axis=1)
    rows = np.arange(count)
    features[rows, 0], features[rows, chosen] = features[rows, chosen].copy(), features[rows, 0].copy()
    return features.astype(np.float32)


def test_the_weights_that_made_the_choices_are_found() -> None:
    truth = np.array([1.5, -0.5, 0.0])
    features = choices(truth, 3000, 20)
    found, likelihood = fit_logit(features, np.ones((3000, 20), np.float32), np.full(3, 1e-6), np.zeros(3))
    assert np.allclose(found, truth, atol=0.1)
    assert likelihood > -np.log(20)


def test_a_sample_of_the_alternatives_finds_nearly_the_same() -> None:
    truth = np.array([1.5, -0.5])
    features = choices(truth, 3000, 200)[:, :150]
    share = np.full((3000, 150), 199 / 149, np.float32)
    share[:, 0] = 1.0
    found, _ = fit_logit(features, share, np.full(2, 1e-6), np.zeros(2))
    assert np.allclose(found, truth, atol=0.15)


def test_of_few_choices_the_centre_stays() -> None:
    centre = np.array([2.0, 1.0])
    found, _ = fit_logit(choices(np.zeros(2), 3, 5), np.ones((3, 5), np.float32), np.full(2, 1e3), centre)
    assert np.allclose(found, centre, atol=0.01)
