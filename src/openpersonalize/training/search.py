"""What a hyperparameter search tries (``performHPO``), and on how much of the data.

Successive halving (Jamieson and Talwalkar 2016; samples as the resource: Li et al. 2018): all settings are
tried on a part of the users, the best third of them on three times as many, and so on; the last ones on all.
All are measured on the same held-out questions. The default search of 20 settings costs 7.5 times what one of
them does on all users, where there is enough data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import islice, product
from typing import Any

import numpy as np

from ..recipes.facts import Facts
from ..recipes.hyperparameters import Range, read_search

DRAWS = 20
"""Points that are looked at for each setting that may be tried: small ranges repeat themselves."""

LEAST_SAMPLE = 30_000
"""Events of the smallest part of the users that tells settings apart."""
FINALISTS = 3
"""Settings that are tried on all users, at least."""
THIRDS = 3


def parts_tried(tries: int, events: int) -> list[int]:
    """The parts of the users on which settings are tried, one after the other: 9, a ninth; 3, a third; 1,
    all. After each but the last the best third of the settings stays, see `best_third`.

    Args:
        tries: settings to try.
        events: interactions of all users together.
    """
    parts = [1]
    while math.ceil(tries / THIRDS) >= FINALISTS and events >= LEAST_SAMPLE * THIRDS * parts[0]:
        tries = math.ceil(tries / THIRDS)
        parts.insert(0, parts[0] * THIRDS)
    return parts


def best_third(found: Sequence[tuple[float, dict[str, str]]]) -> list[dict[str, str]]:
    """Of settings with their values, higher is better, the best third; of equals those tried first."""
    ordered = sorted(found, key=lambda one: -one[0])
    return [settings for _, settings in ordered[: best_third_of(len(ordered))]]


def best_third_of(count: int) -> int:
    """How many of so many settings stay."""
    return math.ceil(count / THIRDS)


def settings_to_try(
    recipe: Facts, config: Mapping[str, Any], seed: int, ignored: frozenset[str] = frozenset()
) -> list[dict[str, str]]:
    """The settings that a search tries, at most ``maxNumberOfTrainingJobs``, all different. Those `ignored`
    (see `IgnoresHyperparameters`) keep their defaults.

    Categories alone: every combination. With numbers: first the recipe's defaults, moved into their ranges,
    then points spread evenly over all ranges (additive recurrence by powers of the generalised golden ratio,
    Roberts 2018), from a start that the seed draws.
    """
    search = read_search(recipe, config)
    ranges = [
        Range(one.row, values=(default_in(one),)) if one.row.name in ignored else one for one in search.ranges
    ]
    if all(one.values for one in ranges):
        names = [one.row.name for one in ranges]
        combined = product(*(one.values for one in ranges))
        return [dict(zip(names, values, strict=True)) for values in islice(combined, search.jobs)]
    tries = [{one.row.name: default_in(one) for one in ranges}]
    ratio = 2.0
    for _ in range(64):
        ratio = (1 + ratio) ** (1 / (len(ranges) + 1))
    steps = ratio ** -np.arange(1.0, len(ranges) + 1)
    start = np.random.default_rng(seed).random(len(ranges))
    for turn in range(DRAWS * search.jobs):
        if len(tries) == search.jobs:
            break
        point = (start + turn * steps) % 1.0
        drawn = {one.row.name: drawn_from(one, float(u)) for one, u in zip(ranges, point, strict=True)}
        if drawn not in tries:
            tries.append(drawn)
    return tries


def default_in(one: Range) -> str:
    """The default of a hyperparameter, moved into the range."""
    if one.values:
        return one.row.default_text if one.row.default_text in one.values else one.values[0]
    assert one.low is not None
    assert one.high is not None
    moved = min(max(float(one.row.default), one.low), one.high)
    return str(round(moved)) if one.row.type == "integer" else str(moved)


def drawn_from(one: Range, place: float) -> str:
    """What lies at `place` of 0..1 in a range."""
    if one.values:
        return one.values[int(place * len(one.values))]
    assert one.low is not None
    assert one.high is not None
    if one.row.type == "integer":
        return str(int(one.low) + int(place * (int(one.high) - int(one.low) + 1)))
    return str(round(one.low + place * (one.high - one.low), 6))
