"""Coordinate ascent of the weights of a linear ranking function by its rank quality, `CoordinateAscent`
(Metzler and Croft, "Linear feature-based models for information retrieval", 2007).

The objective is NDCG@10 + NDCG@100 / 2, of questions that keep a part of the catalogue each: items that count
for themselves, and others that stand for all the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass

import numpy as np

from .arrays import Bools, Float32, Float64, Int32, Int64
from .quantised_rows import QuantisedRows

STEP_SIZES = (0.4, 0.2, 0.1)
"""By which one weight is moved at a time."""
LEAST_GAIN = 1.002
"""How many times the objective must be what it was for a step to count."""
TEMPERATURES = tuple(np.geomspace(0.02, 50.0, 32).tolist())
"""Factors that are tried for the scale of the scores."""
ASCENT_PASSES = 4
"""Rounds over the weights with one size of steps, at most."""
MOST_WEIGHT = 12.0
"""Largest weight before scaling, either way where it may be negative."""
BAGS = 5
"""Random halves of the questions."""
_ROWS = 64
_RUNS = 16
_LEFT_OUT = np.float32(-1e9)


@dataclass(frozen=True)
class Judged:
    """Q questions by which weights are judged, over `size` items each.

    Attributes:
        features: of R rankers, [R, Q, size]. base: parts ties, [1, Q, size].
        left_out: bool[Q, size], the items that are no candidates.
        place: int32[Q, targets], of the relevant items in their question. gain: float32[Q, targets], of each;
            0 where there is none.
        leaders: how many of the items count for themselves; each of the others counts `share` times.
        signed_weight: of each ranker, whether its weight may be negative.
    """

    features: QuantisedRows
    base: QuantisedRows
    left_out: Bools
    place: Int32
    gain: Float32
    leaders: int
    share: float
    signed_weight: tuple[bool, ...]


@dataclass(frozen=True)
class _Run:
    """Questions that follow one another, and their relevant items: the first of each question in order (of no
    credit where it does not count), then the others of those that have more.

    Attributes:
        rows: which questions.
        row: int64[k], the place of an item's question in the run. place: int32[k], of the item in the
            question. credit: float64[k], its share of the objective at rank 0.
    """

    rows: slice
    row: Int64
    place: Int32
    credit: Float64

    @classmethod
    def of(cls, start: int, end: int, place: Int32, credit: Float64) -> _Run:
        """Of the questions from `start` to before `end`; `place` and `credit` [questions, targets]."""
        rows = slice(start, end)
        row, target = np.nonzero(credit[rows, 1:])
        row = np.concatenate((np.arange(end - start), row))
        target = np.concatenate((np.zeros(end - start, np.int64), target + 1))
        return cls(rows, row, place[rows][row, target], credit[rows][row, target])


class CoordinateAscent:
    """The objective over some questions, and ascents of it.

    Attributes:
        rows: questions that have something relevant.
    """

    def __init__(self, judged: Judged, check: Callable[[], None]) -> None:
        """`check`: called between steps; may raise to stop."""
        self._judged, self._check = judged, check
        gain, count = judged.gain, len(judged.gain)
        discounts = 1.0 / np.log2(np.arange(2, 2 + gain.shape[1]))
        ideal = (np.sort(gain, axis=1)[:, ::-1] * discounts).sum(axis=1)
        self.rows = int((ideal > 0).sum())
        scale = np.divide(1.0, ideal, out=np.zeros_like(ideal), where=ideal > 0) / max(self.rows, 1)
        credit = gain * scale[:, None]
        size = max(min(_ROWS, count // _RUNS), 1)
        starts = range(0, count, size)
        self._runs = [_Run.of(start, min(start + size, count), judged.place, credit) for start in starts]

    def bags(self, rng: np.random.Generator) -> Iterator[CoordinateAscent]:
        """The same on random halves of the runs; the arrays are shared."""
        for _ in range(BAGS):
            bag = copy(self)
            chosen = rng.permutation(len(self._runs))[: (len(self._runs) + 1) // 2]
            bag._runs = [self._runs[k] for k in np.sort(chosen)]
            yield bag

    def judge(self, weights: Float64) -> tuple[float, float]:
        """The objective and the NDCG@10 of these weights."""
        return self._objective(self._scores(weights), None, 0.0)

    def _scores(self, weights: Float64) -> list[Float32]:
        """A block of scores for each run."""
        scores = []
        for run in self._runs:
            block = self._judged.base.times(0, run.rows, 1.0)
            block[self._judged.left_out[run.rows]] = _LEFT_OUT
            scores.append(block)
        for ranker, weight in enumerate(weights):
            if weight:
                self._move(scores, ranker, weight)
        return scores

    def _move(self, scores: list[Float32], ranker: int, by: float) -> None:
        """Change the weight of one ranker in `scores` by so much."""
        for run, block in zip(self._runs, scores, strict=True):
            block += self._judged.features.times(ranker, run.rows, by)

    def _objective(self, scores: list[Float32], moved: int | None, by: float) -> tuple[float, float]:
        """Of `scores` with the weight of ranker `moved` changed `by` so much; block by block inside the
        cache."""
        at_10 = at_100 = 0.0
        for run, settled in zip(self._runs, scores, strict=True):
            block = settled
            if moved is not None:
                block = self._judged.features.times(moved, run.rows, by)
                block += settled
            rank = self._ranks(block, run)
            credit = run.credit / np.log2(rank + 2.0)
            at_10 += float(credit[rank < 10].sum())
            at_100 += float(credit[rank < 100].sum())
        return at_10 + 0.5 * at_100, at_10

    def _ranks(self, block: Float32, run: _Run) -> Float32:
        """float32[k], how many items stand above each of the relevant ones of a run, each sampled one counted
        as often as it stands for."""
        reached = block[run.row, run.place][:, None]
        rank = np.empty(len(reached), dtype=np.float32)
        first, more = slice(len(block)), slice(len(block), None)
        for some, items in ((first, block), (more, block[run.row[more]])):
            above = items > reached[some]
            rank[some] = _marked(above[:, : self._judged.leaders])
            if self._judged.leaders < block.shape[1]:
                rank[some] += _marked(above[:, self._judged.leaders :]) * np.float32(self._judged.share)
        return rank

    def climb(self, weights: Float64) -> tuple[float, Float64]:
        """Move one weight at a time while it pays."""
        weights = weights.copy()
        scores = self._scores(weights)
        best = self._objective(scores, None, 0.0)[0]
        for step in STEP_SIZES:
            settled = 0
            for ranker in ASCENT_PASSES * list(range(len(weights))):
                self._check()
                found = self._along(scores, weights, ranker, step, best)
                if found == best:
                    found = self._along(scores, weights, ranker, -step, best)
                settled = settled + 1 if found == best else 0
                best = found
                if settled == len(weights):
                    break
        return best, weights

    def _along(self, scores: list[Float32], weights: Float64, ranker: int, step: float, best: float) -> float:
        """Move one weight by `step` while it pays, in `weights` and in `scores`; the objective then."""
        while True:
            tried = self._bounded(ranker, weights[ranker] + step)
            if tried == weights[ranker]:
                return best
            value = self._objective(scores, ranker, tried - weights[ranker])[0]
            if value <= best * LEAST_GAIN + 1e-12:
                return best
            self._move(scores, ranker, tried - weights[ranker])
            weights[ranker], best = tried, value

    def temper(self, weights: Float64) -> float:
        """The factor by which to multiply the weights so that the softmax of the scores fits the questions
        best.

        Ranks do not depend on a common factor, so the scale is free to make scores read as probabilities
        (temperature scaling; Guo et al., "On Calibration of Modern Neural Networks", 2017).
        """
        scores = self._scores(weights)
        return float(max(TEMPERATURES, key=lambda scale: self._likelihood(scores, scale)))

    def _likelihood(self, scores: list[Float32], scale: float) -> float:
        """Mean logarithm of the softmax of the relevant items, the sampled others counted as often as they
        stand for."""
        total = 0.0
        for run, scored in zip(self._runs, scores, strict=True):
            rows = run.rows
            block = scored * np.float32(scale)
            block -= block.max(axis=1, keepdims=True)
            reached = np.take_along_axis(block, self._judged.place[rows], axis=1)
            mass = np.exp(block)
            whole = mass[:, : self._judged.leaders].sum(axis=1) + self._judged.share * mass[
                :, self._judged.leaders :
            ].sum(axis=1)
            total += float(((reached - np.log(whole)[:, None]) * self._judged.gain[rows]).sum())
        return total

    def _bounded(self, ranker: int, weight: float) -> float:
        return float(
            np.clip(weight, -MOST_WEIGHT if self._judged.signed_weight[ranker] else 0.0, MOST_WEIGHT)
        )


def _marked(bits: Bools) -> Int64:
    """int64[rows], how many of bool[rows, m] are true; packed, as NumPy adds up booleans one by one."""
    count: Int64 = np.bitwise_count(np.packbits(bits, axis=1)).sum(axis=1, dtype=np.int64)
    return count
