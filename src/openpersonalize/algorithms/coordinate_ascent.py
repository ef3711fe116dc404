"""Coordinate ascent of the weights of a linear ranking function by its rank quality, `CoordinateAscent`
(Metzler and Croft, "Linear feature-based models for information retrieval", 2007).

The objective is NDCG@10 + NDCG@100 / 2, of questions that keep a part of the catalogue each: items that count
for themselves, and others that stand for all the rest.

Most steps do not pay, and most items stand far below: a step is judged first beside the items that lead,
which bounds what it can reach, and beside all items only where it may pay by that bound. The weights are
those that judging every step beside all items finds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cache

import numpy as np

from .arrays import Bools, Float32, Float64, Int32, Int64
from .quantised_rows import QuantisedRows

STEP_SIZES = (0.4, 0.2, 0.1)
"""By which one weight is moved at a time."""
LEAST_GAIN = 1.002
"""How many times the objective must be what it was for a step to count."""
TEMPERATURES: tuple[float, ...] = tuple(np.geomspace(0.02, 50.0, 32).tolist())
"""Factors that are tried for the scale of the scores."""
ASCENT_PASSES = 4
"""Rounds over the weights with one size of steps, at most."""
MOST_WEIGHT = 12.0
"""Largest weight before scaling, either way where it may be negative."""
BAGS = 5
"""Random halves of the questions."""
LEADING = 192
"""Items of a question beside which a step is judged first, of those that count for themselves, and a third as
many of the others. (The objective looks at 100 places.)"""
MOST_LOOSE = 3
"""Steps that the bound let pass in vain before the leading items are looked up anew."""
_ROWS = 64
_CELLS = 64 * 2048
"""Scores of a block that stays inside the cache."""
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


@dataclass(frozen=True)
class _Scored:
    """Questions with their scores by some weights.

    Attributes:
        runs: of questions. blocks: float32[questions, size], the scores of each run.
        features: see `Judged`, of the runs' rows. leaders, share: see there.
        place: int32[Q, targets], credit: float64[Q, targets], of the rows.
    """

    runs: Sequence[_Run]
    blocks: Sequence[Float32]
    features: QuantisedRows
    leaders: int
    share: float
    place: Int32
    credit: Float64

    def move(self, ranker: int, by: float) -> None:
        """Change the weight of one ranker by so much."""
        for run, block in zip(self.runs, self.blocks, strict=True):
            block += self.features.times(ranker, run.rows, by)

    def objective(self, moved: int | None = None, by: float = 0.0) -> tuple[float, float]:
        """The objective and the NDCG@10, with the weight of ranker `moved` changed `by` so much; block by
        block inside the cache."""
        at_10 = at_100 = 0.0
        for run, settled in zip(self.runs, self.blocks, strict=True):
            block = settled
            if moved is not None:
                block = self.features.times(moved, run.rows, by)
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
            rank[some] = _marked(above[:, : self.leaders])
            if self.leaders < block.shape[1]:
                rank[some] += _marked(above[:, self.leaders :]) * np.float32(self.share)
        return rank

    def leading(self, most: int) -> _Scored | None:
        """The same questions beside at most so many items that lead by these scores: a bound of the objective
        whatever weight is moved, since no rank is larger beside fewer items. None where that spares
        little."""
        size = self.blocks[0].shape[1] if self.blocks else 0
        leaders, sampled = min(self.leaders, most), min(size - self.leaders, most // 3)
        if 2 * (leaders + sampled) > size:
            return None
        rows = np.concatenate([np.arange(run.rows.start, run.rows.stop) for run in self.runs])
        columns = np.empty((len(rows), leaders + sampled), dtype=np.int64)
        blocks = np.empty(columns.shape, dtype=np.float32)
        place = np.empty((len(rows), self.place.shape[1]), dtype=np.int32)
        end = 0
        for run, block in zip(self.runs, self.blocks, strict=True):
            start, end = end, end + len(block)
            behind = -block
            np.put_along_axis(behind, self.place[run.rows], -np.inf, axis=1)  # the relevant ones stay
            some = columns[start:end]
            some[:, :leaders] = _least(behind[:, : self.leaders], leaders)
            some[:, leaders:] = _least(behind[:, self.leaders :], sampled) + self.leaders
            blocks[start:end] = np.take_along_axis(block, some, axis=1)
            found = np.empty(block.shape, dtype=np.int32)
            np.put_along_axis(found, some, np.arange(some.shape[1], dtype=np.int32)[None, :], axis=1)
            place[start:end] = np.take_along_axis(found, self.place[run.rows], axis=1)
        credit, step = self.credit[rows], _CELLS // columns.shape[1]
        ends = [(first, min(first + step, len(rows))) for first in range(0, len(rows), step)]
        return _Scored(
            [_Run.of(first, last, place, credit) for first, last in ends],
            [blocks[first:last] for first, last in ends],
            self.features.part(rows, columns),
            leaders,
            self.share,
            place,
            credit,
        )


class CoordinateAscent:
    """The objective over some questions, and ascents of it.

    Attributes:
        rows: questions that have something relevant.
    """

    def __init__(self, judged: Judged, check: Callable[[], None], leading: int = LEADING) -> None:
        """`check`: called between steps; may raise to stop. `leading`: see `LEADING`."""
        self._judged, self._check, self._leading = judged, check, leading
        gain, count = judged.gain, len(judged.gain)
        discounts = 1.0 / np.log2(np.arange(2, 2 + gain.shape[1]))
        ideal = (np.sort(gain, axis=1)[:, ::-1] * discounts).sum(axis=1)
        self.rows = int((ideal > 0).sum())
        scale = np.divide(1.0, ideal, out=np.zeros_like(ideal), where=ideal > 0) / max(self.rows, 1)
        self._credit = gain * scale[:, None]
        size = max(min(_ROWS, count // _RUNS), 1)
        starts = range(0, count, size)
        self._runs = [
            _Run.of(start, min(start + size, count), judged.place, self._credit) for start in starts
        ]

    def bags(self, rng: np.random.Generator) -> Iterator[CoordinateAscent]:
        """The same on random halves of the runs; the arrays are shared."""
        for _ in range(BAGS):
            bag = copy(self)
            chosen = rng.permutation(len(self._runs))[: (len(self._runs) + 1) // 2]
            bag._runs = [self._runs[k] for k in np.sort(chosen)]
            yield bag

    def judge(self, weights: Float64) -> tuple[float, float]:
        """The objective and the NDCG@10 of these weights."""
        return self._scored(weights).objective()

    def _scored(self, weights: Float64) -> _Scored:
        """The questions with a block of scores for each run."""
        judged, blocks = self._judged, []
        for run in self._runs:
            block = judged.base.times(0, run.rows, 1.0)
            block[judged.left_out[run.rows]] = _LEFT_OUT
            blocks.append(block)
        scored = _Scored(
            self._runs, blocks, judged.features, judged.leaders, judged.share, judged.place, self._credit
        )
        for ranker, weight in enumerate(weights):
            if weight:
                scored.move(ranker, weight)
        return scored

    def climb(self, weights: Float64) -> tuple[float, Float64]:
        """Move one weight at a time while it pays."""
        ascent = _Ascent(self._scored(weights), weights.copy(), self._judged.signed_weight, self._leading)
        for step in STEP_SIZES:
            settled = 0
            for ranker in ASCENT_PASSES * list(range(len(weights))):
                self._check()
                moved = ascent.along(ranker, step) or ascent.along(ranker, -step)
                settled = 0 if moved else settled + 1
                if settled == len(weights):
                    break
        return ascent.best, ascent.weights

    def temper(self, weights: Float64) -> float:
        """The factor by which to multiply the weights so that the softmax of the scores fits the questions
        best.

        Ranks do not depend on a common factor, so the scale is free to make scores read as probabilities
        (temperature scaling; Guo et al., "On Calibration of Modern Neural Networks", 2017).
        """
        blocks = self._scored(weights).blocks
        value = cache(lambda place: self._likelihood(blocks, TEMPERATURES[place]))
        first, last = 0, len(TEMPERATURES) - 1
        while first < last:  # the likelihood is concave in the factor
            middle = (first + last) // 2
            if value(middle) >= value(middle + 1):
                last = middle
            else:
                first = middle + 1
        return TEMPERATURES[first]

    def _likelihood(self, blocks: Sequence[Float32], scale: float) -> float:
        """Mean logarithm of the softmax of the relevant items, the sampled others counted as often as they
        stand for."""
        total = 0.0
        for run, scored in zip(self._runs, blocks, strict=True):
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


class _Ascent:
    """An ascent on its way.

    Attributes:
        weights: float64[R], where it is. best: the objective there.
    """

    def __init__(
        self, scored: _Scored, weights: Float64, signed_weight: tuple[bool, ...], leading: int
    ) -> None:
        self.weights, self.best = weights, scored.objective()[0]
        self._scored, self._signed_weight = scored, signed_weight
        self._most = leading
        self._leading = scored.leading(leading)
        self._loose, self._moves = 0, 0

    def along(self, ranker: int, step: float) -> bool:
        """Move one weight by `step` while it pays; whether it did."""
        moved = False
        while True:
            least = MOST_WEIGHT if self._signed_weight[ranker] else 0.0
            tried = float(np.clip(self.weights[ranker] + step, -least, MOST_WEIGHT))
            by = tried - self.weights[ranker]
            value = self._value(ranker, by) if by else None
            if value is None:
                return moved
            self._scored.move(ranker, by)
            if self._leading is not None:
                self._leading.move(ranker, by)
            self.weights[ranker], self.best = tried, value
            self._moves += 1
            moved = True

    def _value(self, ranker: int, by: float) -> float | None:
        """The objective after a step; None where it does not pay."""
        enough = self.best * LEAST_GAIN + 1e-12
        if self._leading is not None and self._leading.objective(ranker, by)[0] <= enough:
            return None
        value = self._scored.objective(ranker, by)[0]
        if value > enough:
            return value
        self._loose += 1
        if self._leading is not None and self._moves and self._loose > MOST_LOOSE:
            self._leading = self._scored.leading(self._most)
            self._loose, self._moves = 0, 0
        return None


def _least(values: Float32, count: int) -> Int64:
    """int64[rows, count], the places of the smallest values of each row."""
    found: Int64 = (
        np.argpartition(values, min(count, values.shape[1] - 1), axis=1)[:, :count]
        if count
        else (np.empty((len(values), 0), dtype=np.int64))
    )
    return found


def _marked(bits: Bools) -> Int64:
    """int64[rows], how many of bool[rows, m] are true; packed, as NumPy adds up booleans one by one."""
    count: Int64 = np.bitwise_count(np.packbits(bits, axis=1)).sum(axis=1, dtype=np.int64)
    return count
