"""L-BFGS finds minima that are known."""

from __future__ import annotations

import numpy as np
import pytest

from openpersonalize.algorithms.lbfgs import minimised


def test_a_quadratic_is_solved() -> None:
    rng = np.random.default_rng(0)
    root = rng.normal(size=(30, 20))
    matrix, right = root.T @ root + np.eye(20), rng.normal(size=20)

    def objective(point: np.ndarray) -> tuple[float, np.ndarray]:
        return float(0.5 * point @ matrix @ point - right @ point), matrix @ point - right

    found = minimised(objective, np.zeros(20), iterations=200, tolerance=1e-10)
    assert np.allclose(found, np.linalg.solve(matrix, right), atol=1e-4)


def test_a_bent_valley_is_followed() -> None:
    def rosenbrock(point: np.ndarray) -> tuple[float, np.ndarray]:
        x, y = point
        value = (1 - x) ** 2 + 100 * (y - x * x) ** 2
        return value, np.array([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)])

    assert np.allclose(minimised(rosenbrock, np.array([-1.2, 1.0]), tolerance=1e-12), [1, 1], atol=1e-3)


def test_it_stops_where_it_is_told_to() -> None:
    def each(iteration: int) -> None:
        if iteration == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        minimised(
            lambda point: (float(point @ point), 2 * point + 1e-3), np.ones(2) * 9, tolerance=0, each=each
        )
