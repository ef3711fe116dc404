"""Marginal contribution of one ranker to a linear score fusion, `contribution`: the objective with it over
that without it, both at their best on the same questions.

Weights flatter every ranker on the questions that they were found on, so it is none too little. Found on one
half of some hundred questions and compared on the other it is right on average, and off by several per cent
either way: the same encoder then added 13 and took 8.
"""

from __future__ import annotations

import numpy as np

from .arrays import Float64
from .coordinate_ascent import STEP_SIZES, Ascent, CoordinateAscent


def contribution(ascent: CoordinateAscent, ranker: int) -> float:
    """What the ranker adds, as a share of the objective without it, 0 or more; 0 without questions.

    As in a fit, an ascent begins from nothing and one from a ranker alone, the first there is, and the higher
    end counts; with the ranker also where the others ended.
    """
    if not ascent.rows:
        return 0.0
    nothing, alone = np.zeros(ascent.rankers), np.eye(ascent.rankers)
    begins = [nothing, *np.delete(alone, ranker, axis=0)[:1]]
    others = [_climbed(ascent, begin, ranker) for begin in begins]
    without = max(others, key=lambda one: one.best)
    least = without.best
    for step in STEP_SIZES:
        without.climb(step)
    joined = max(without.best, _climbed(ascent, alone[ranker]).best)
    return joined / least - 1 if least > 0 else 0.0


def _climbed(ascent: CoordinateAscent, begin: Float64, without: int | None = None) -> Ascent:
    """An ascent from `begin` at its end; the weight of ranker `without` stays."""
    climbing = ascent.ascent(begin)
    for step in STEP_SIZES:
        climbing.climb(step, without)
    return climbing
