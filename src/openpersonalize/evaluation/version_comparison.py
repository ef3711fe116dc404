"""Versions compared by what they scored question by question: intervals, the best sellers beside each, and
the paired difference of two versions on the questions that both were asked, `beside_best_sellers`, `paired`.

A question is the same when it is about the same user (item, attribute) and has the same right answers: two
versions of the same data share all questions, a version of newer data shares those of users who did nothing
since. Intervals are those of the bootstrap over questions (`bootstrap`). Time: 2,000 resamples of at most
5,000 questions, some tenths of a second; memory 5 MB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from ..algorithms.arrays import Float64, Int64
from ..recipes.question_values import QuestionValues
from . import bootstrap

Verdict: TypeAlias = Literal["better", "worse", "unclear"]

LEAST_QUESTIONS = 20
"""Fewer questions say nothing, whatever their interval."""

SEED = 0
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Estimate:
    """A mean over questions with the bounds of its 95 % interval."""

    mean: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        """Of a difference: whether it is clear."""
        return "better" if self.low > 0 else "worse" if self.high < 0 else "unclear"


@dataclass(frozen=True)
class Measured:
    """One metric of a version: its mean, that of the best sellers, and the difference."""

    value: Estimate
    best_sellers: Estimate
    difference: Estimate


def beside_best_sellers(found: QuestionValues) -> dict[str, Measured]:
    """A version's metrics by name, with the best sellers on the same questions; empty without questions."""
    if not len(found):
        return {}
    own, sold = found.values.astype(np.float64), found.peer.astype(np.float64)
    means = bootstrap.resampled_means(np.concatenate([own, sold], axis=1), SEED)
    half = len(found.names)
    first, second = means[:, :half], means[:, half:]
    values, peers = _estimates(own, first), _estimates(sold, second)
    differences = _estimates(own - sold, first - second)
    each = zip(found.names, values, peers, differences, strict=True)
    return {name: Measured(value, peer, difference) for name, value, peer, difference in each}


@dataclass(frozen=True)
class Paired:
    """Two versions on the questions that both were asked.

    Attributes:
        questions: how many those are. first, second: their means by metric.
        difference: the second less the first, by metric.
    """

    questions: int
    first: dict[str, Estimate]
    second: dict[str, Estimate]
    difference: dict[str, Estimate]


def paired(first: QuestionValues, second: QuestionValues) -> Paired:
    """Compare the second version with the first; without figures where they share fewer than
    `LEAST_QUESTIONS` questions."""
    rows = _shared(first, second)
    names = [name for name in first.names if name in second.names]
    count = len(rows[0])
    if count < LEAST_QUESTIONS or not names:
        return Paired(count, {}, {}, {})
    one, other = (_columns(found, names)[place] for found, place in zip((first, second), rows, strict=True))
    means = bootstrap.resampled_means(np.concatenate([one, other], axis=1), SEED)
    before, after = means[:, : len(names)], means[:, len(names) :]
    return Paired(
        count,
        dict(zip(names, _estimates(one, before), strict=True)),
        dict(zip(names, _estimates(other, after), strict=True)),
        dict(zip(names, _estimates(other - one, after - before), strict=True)),
    )


def _shared(first: QuestionValues, second: QuestionValues) -> tuple[Int64, Int64]:
    """The places in both of the questions that they share."""
    one, other = (found.asked * _SPREAD + found.truth for found in (first, second))
    _, here, there = np.intersect1d(one, other, return_indices=True)
    return here, there


def _columns(found: QuestionValues, names: list[str]) -> Float64:
    """float64[Q, len(names)]: the model's values of some metrics."""
    return found.values[:, [found.names.index(name) for name in names]].astype(np.float64)


def _estimates(values: Float64, means: Float64) -> list[Estimate]:
    """Of float64[Q, M] and its resampled means float64[R, M]."""
    low, high = bootstrap.interval(means)
    columns = zip(values.mean(axis=0).tolist(), low.tolist(), high.tolist(), strict=True)
    return [Estimate(*one) for one in columns]
