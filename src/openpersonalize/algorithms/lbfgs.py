"""Limited-memory BFGS with a backtracking line search (Liu and Nocedal 1989): `minimised`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from .arrays import Float64

MEMORY = 10
"""Steps from which the curvature is known."""

SUFFICIENT, SHRINK, TRIES = 1e-4, 0.5, 25
"""Armijo's condition, and how a step gets shorter."""

Objective = Callable[[Float64], tuple[float, Float64]]
"""The value at a point and its gradient."""


def minimised(
    objective: Objective,
    start: Float64,
    *,
    iterations: int = 100,
    tolerance: float = 1e-6,
    each: Callable[[int], None] = lambda iteration: None,
) -> Float64:
    """A point near a minimum of `objective`, from float64[n] `start`.

    Ends when the gradient's largest part, or the relative gain of five iterations, falls below `tolerance`.
    Memory: 22 vectors. `each` is called before every iteration and may raise.
    """
    point, (value, gradient) = start.copy(), objective(start)
    steps: deque[tuple[Float64, Float64, float]] = deque(maxlen=MEMORY)
    values = [value]
    for iteration in range(iterations):
        each(iteration)
        if np.abs(gradient).max(initial=0.0) < tolerance:
            break
        direction = -_product(gradient, steps)
        slope = float(direction @ gradient)
        if slope >= 0:  # rounding made the memory useless
            steps.clear()
            direction, slope = -gradient, -float(gradient @ gradient)
        size = 1.0 if steps else 1.0 / max(1.0, float(np.abs(gradient).sum()))
        for _ in range(TRIES):
            after = point + size * direction
            new_value, new_gradient = objective(after)
            if new_value <= value + SUFFICIENT * size * slope:
                break
            size *= SHRINK
        else:
            break
        change, turn = after - point, new_gradient - gradient
        curvature = float(change @ turn)
        if curvature > 1e-12 * float(turn @ turn):
            steps.append((change, turn, 1.0 / curvature))
        point, value, gradient = after, new_value, new_gradient
        values.append(value)
        if len(values) > 5 and values[-6] - value < tolerance * max(1.0, abs(value)):
            break
    return point


def _product(gradient: Float64, steps: deque[tuple[Float64, Float64, float]]) -> Float64:
    """The inverse Hessian, as far as it is known, times the gradient: the two-loop recursion."""
    found, shares = gradient.copy(), []
    for change, turn, scale in reversed(steps):
        share = scale * float(change @ found)
        shares.append(share)
        found -= share * turn
    if steps:
        change, turn, scale = steps[-1]
        found *= 1.0 / (scale * float(turn @ turn))
    for (change, turn, scale), share in zip(steps, reversed(shares), strict=True):
        found += (share - scale * float(turn @ found)) * change
    return found
