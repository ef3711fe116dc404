"""Coordinate ascent of the weights of a linear ranking function by its rank quality, `CoordinateAscent`
(Metzler and Croft, "Linear feature-based models for information retrieval", 2007).

The objective is NDCG@10 + NDCG@100 / 2, of questions that keep a part of the catalogue each: items that count
for themselves, and others that stand for all the rest.

Most steps do not pay, and most items stand far below: a step is judged beside the items that lead, which
bounds what it can reach. One that moves the weights far is judged beside all items as well, and it is looked
up anew who leads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from functools import cache

import numpy as np

from .arrays import Float32, Float64
from .rank_quality import Judged, Run, ScoredQuestions

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
"""Items of a question beside which a step is judged, of those that count for themselves, and a third as many
of the others. (The objective looks at 100 places.)"""
TRUSTED = 0.25
"""Share of the weights by which they may move before it is looked up anew which items lead, and the step that
brought them there is judged beside all."""
_ROWS = 64
_RUNS = 16


class CoordinateAscent:
    """The objective over some questions, and ascents of it.

    Attributes:
        rows: questions that have something relevant.
    """

    def __init__(self, judged: Judged, check: Callable[[], None], leading: int = LEADING) -> None:
        """`check`: called between steps; may raise to stop. `leading`: see `LEADING`."""
        self._judged, self._check, self._leading = judged, check, leading
        self._credit, self.rows = judged.credit()
        size = max(min(_ROWS, len(judged.gain) // _RUNS), 1)
        self._runs = Run.all(judged.place, self._credit, size)

    def bags(self, rng: np.random.Generator) -> Iterator[CoordinateAscent]:
        """The same on random halves of the runs; the arrays are shared."""
        for _ in range(BAGS):
            bag = copy(self)
            chosen = rng.permutation(len(self._runs))[: (len(self._runs) + 1) // 2]
            bag._runs = [self._runs[k] for k in np.sort(chosen)]
            yield bag

    @property
    def rankers(self) -> int:
        """R."""
        return len(self._judged.signed_weight)

    def judge(self, weights: Float64) -> tuple[float, float]:
        """The objective and the NDCG@10 of these weights."""
        return self._scored(weights).objective()

    def _scored(self, weights: Float64) -> ScoredQuestions:
        return ScoredQuestions(self._judged, self._credit, self._runs, weights)

    def ascent(self, weights: Float64) -> Ascent:
        """An ascent that begins there."""
        return Ascent(self._scored(weights), weights, self._judged.signed_weight, self._leading, self._check)

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


class Ascent:
    """An ascent on its way.

    Attributes:
        weights: float64[R], where it is. best: the objective there.
    """

    def __init__(
        self,
        scored: ScoredQuestions,
        weights: Float64,
        signed_weight: tuple[bool, ...],
        leading: int,
        check: Callable[[], None],
    ) -> None:
        """See `CoordinateAscent`."""
        self.weights, self.best = weights.copy(), scored.objective()[0]
        self._scored, self._signed_weight = scored, signed_weight
        self._most, self._check = leading, check
        self._pending = np.zeros(len(weights))
        self._leading = scored.leading(leading)
        self._value = self._leading.objective()

    def climb(self, step: float, without: int | None = None) -> None:
        """Move one weight at a time by so much while it pays; that of ranker `without` stays."""
        rankers = [one for one in range(len(self.weights)) if one != without]
        settled = 0
        for ranker in ASCENT_PASSES * rankers:
            self._check()
            moved = self._along(ranker, step) or self._along(ranker, -step)
            settled = 0 if moved else settled + 1
            if settled == len(rankers):
                break
        self._catch_up()

    def drop(self) -> None:
        """Leave out the rankers that bring nothing where it is."""
        for ranker in np.flatnonzero(self.weights).tolist():
            self._check()
            by = -float(self.weights[ranker])
            value = self._scored.objective(ranker, by)[0]
            if value >= self.best:
                self._scored.move(ranker, by)
                self.weights[ranker], self.best = 0.0, value
        self._look()

    def _along(self, ranker: int, step: float) -> bool:
        """Move one weight while it pays; whether it did."""
        moved = False
        while True:
            least = MOST_WEIGHT if self._signed_weight[ranker] else 0.0
            tried = float(np.clip(self.weights[ranker] + step, -least, MOST_WEIGHT))
            by = tried - self.weights[ranker]
            if not by or not self._pays(ranker, by):
                return moved
            self.weights[ranker] = tried
            moved = True

    def _pays(self, ranker: int, by: float) -> bool:
        """Whether a step pays; then it is made."""
        value = self._leading.objective(ranker, by)
        if value <= _enough(self._value):
            return False
        moved = float(np.abs(self._pending).sum()) + abs(by)
        if moved > TRUSTED * float(np.abs(self.weights).sum()):
            return self._pays_beside_all(ranker, by)
        self._leading.move(ranker, by)
        self._pending[ranker] += by
        self._value = value
        return True

    def _pays_beside_all(self, ranker: int, by: float) -> bool:
        stale = bool(self._pending.any())
        self._catch_up()
        value = self._scored.objective(ranker, by)[0]
        pays = value > _enough(self.best)
        if pays:
            self._scored.move(ranker, by)
            self.best = value
        if pays or stale:
            self._look()
        return pays

    def _catch_up(self) -> None:
        """Make the steps beside all items that were made beside those that lead."""
        for ranker in np.flatnonzero(self._pending).tolist():
            self._scored.move(ranker, float(self._pending[ranker]))
        if self._pending.any():
            self.best = self._scored.objective()[0]
            self._pending[:] = 0.0

    def _look(self) -> None:
        """See who leads."""
        self._leading = self._scored.leading(self._most)
        self._value = self._leading.objective()


def _enough(value: float) -> float:
    """What the objective must exceed for a step to pay."""
    return value * LEAST_GAIN + 1e-12
