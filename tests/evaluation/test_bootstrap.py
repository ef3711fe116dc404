"""Resampled means: as wide as theory says, paired over columns, the same for one seed."""

from __future__ import annotations

import numpy as np
import pytest

from openpersonalize.evaluation.bootstrap import interval, resampled_means


def test_the_interval_of_a_mean_is_that_of_the_normal_law() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, (1600, 1))
    low, high = interval(resampled_means(values, seed=5))[:, 0]
    error = 1.96 * values.std() / 40
    assert low == pytest.approx(values.mean() - error, abs=0.15 * error)
    assert high == pytest.approx(values.mean() + error, abs=0.15 * error)


def test_columns_are_resampled_together() -> None:
    one = np.random.default_rng(0).normal(0.0, 1.0, 400)
    means = resampled_means(np.column_stack([one, one + 0.01]), seed=0)
    assert interval(means[:, 1] - means[:, 0]) == pytest.approx([0.01, 0.01])


def test_one_seed_gives_one_answer() -> None:
    values = np.arange(20.0)[:, None]
    assert np.array_equal(resampled_means(values, 3), resampled_means(values, 3))
    assert not np.array_equal(resampled_means(values, 3), resampled_means(values, 4))
    assert not resampled_means(np.empty((0, 2)), 0).any()
