"""Linear score fusion (a weighted sum of base rankers), weighted by rank quality on held-out questions over
the whole catalogue: `Questions` and `Fitted`.

The objective is NDCG@10 + NDCG@100 / 2. Coordinate ascent (Metzler and Croft, "Linear feature-based models
for information retrieval", 2007) from two starts (the lead ranker alone; nothing, ties parted by popularity),
the better one kept. A weight of 0 leaves a ranker out.

The weights are the mean of ascents on `BAGS` random halves of the questions: what holds for one half by
chance fades (bagging; Caruana et al., "Ensemble Selection from Libraries of Models", 2004). A half is made
of runs of questions that follow one another in time: those have much in common.

In catalogues above `EXACT_ITEMS` items a question keeps the items that lead by any ranker, and a random
sample of the others that stands for all of them: an unbiased estimate of each rank. (Leading candidates alone
would over-represent popular items, and the weights would learn a false penalty on popularity.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from .arrays import Float32, Float64, Int32, Int64
from .lazy_scores import DenseScores, LazyScores
from .quantised_rows import QuantisedRows

EXACT_ITEMS = 2048
"""Most items that a question keeps the scores of."""
SHUFFLED_ITEMS = 65_536
"""Most items that are shuffled for a sample; of more, the sample alone is drawn."""
STEP_SIZES = (0.4, 0.2, 0.1)
"""By which one weight is moved at a time."""
LEAST_GAIN = 1.002
"""How many times the objective must be what it was for a step to count."""
TEMPERATURES = tuple(np.geomspace(0.02, 50.0, 32).tolist())
ASCENT_PASSES = 4
MOST_TARGETS = 8
MOST_WEIGHT = 12.0
"""Largest weight before scaling, either way where it may be negative."""
BAGS = 5
_ROWS = 64
_RUNS = 16
_TIE = 1e-3
_LEFT_OUT = np.float32(-1e9)

Bools: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Fitted:
    """Weights of the rankers in order, the NDCG@10 they reach on the questions, and that of each ranker
    alone."""

    weights: tuple[float, ...]
    ndcg: float
    alone: tuple[float, ...]


def questions_memory(rankers: int, count: int, n: int, threads: int = 1) -> int:
    """Bytes of so many questions about n items, `Questions.fit` included: two for each ranker, two for the
    tie, three for what is no candidate, four for scores (two for each ascent, of half of the questions)."""
    scores = max(4, 2 * min(threads, 2 * BAGS))
    return (2 * rankers + 5 + scores) * count * min(n, EXACT_ITEMS)


class Questions:
    """Held-out questions, packed as they are asked. Memory: `questions_memory`."""

    def __init__(
        self,
        signed_weight: Sequence[bool],
        capacity: int,
        popularity: Float32,
        rng: np.random.Generator,
        exact_items: int = EXACT_ITEMS,
        shuffled_items: int = SHUFFLED_ITEMS,
    ) -> None:
        """Room for `capacity` questions.

        Args:
            signed_weight: of each ranker, whether its weight may be negative; the first ranker leads.
            capacity: most questions that will be added.
            popularity: float32[n], parts items that no ranker tells apart.
            rng: draws samples.
            exact_items: see `EXACT_ITEMS`. shuffled_items: see `SHUFFLED_ITEMS`.
        """
        n = len(popularity)
        self.n, self.signed_weight, self._rng = n, tuple(signed_weight), rng
        self._shuffled_items = shuffled_items
        self.size = min(n, exact_items)
        self._leaders = n if n <= exact_items else exact_items // 2
        self._share = (n - self._leaders) / max(self.size - self._leaders, 1)
        self._count = 0
        self._features = QuantisedRows(len(signed_weight), capacity, self.size)
        self._base = QuantisedRows(1, capacity, self.size)
        self._interacted = np.zeros((capacity, self.size), dtype=np.bool_)
        self._place = np.full((capacity, MOST_TARGETS), -1, dtype=np.int32)
        self._gain = np.zeros((capacity, MOST_TARGETS), dtype=np.float32)
        self._tie = np.empty(n, dtype=np.float32)
        self._tie[np.argsort(popularity, kind="stable")] = np.linspace(0.0, _TIE, n, dtype=np.float32)
        self._leading_items: list[tuple[Float32, int, Int64] | None] = [None] * len(signed_weight)
        self._known = popularity > 0
        self._unknown = np.zeros((capacity, self.size), dtype=np.bool_)

    def __len__(self) -> int:
        return self._count

    @property
    def large(self) -> bool:
        """Whether rankers had better give a part of their features, where that costs less."""
        return self.n > self._shuffled_items

    def add(
        self,
        features: Sequence[Float32 | LazyScores],
        target: Int32,
        gain: Float32,
        interacted: Int32,
        known: Bools | None = None,
    ) -> None:
        """One question.

        Args:
            features: each ranker's float32[n] or a part of it.
            target: the relevant items. gain: of each.
            interacted: the user's own items by then.
            known: bool[n], the items with which anybody has interacted by then: others are neither candidates
                nor relevant. None: those with popularity.
        """
        known = self._known if known is None else known
        asked = known[target]
        target, gain = target[asked], gain[asked]
        if not len(target):
            return
        if len(target) > MOST_TARGETS:
            some = np.sort(self._rng.choice(len(target), MOST_TARGETS, replace=False))
            target, gain = target[some], gain[some]
        row = self._count
        parts = [DenseScores(one) if isinstance(one, np.ndarray) else one for one in features]
        items = self._items(parts, target)
        place = np.full(self.n, -1, dtype=np.int32)
        place[items] = np.arange(self.size, dtype=np.int32)
        for ranker, part in enumerate(parts):
            self._features.put(ranker, row, part.at(items))
        self._base.put(0, row, self._tie[items])
        self._unknown[row] = ~known[items]
        self._interacted[row, place[interacted][place[interacted] >= 0]] = True
        self._place[row, : len(target)] = place[target]
        self._gain[row, : len(target)] = gain
        self._count += 1

    def _items(self, parts: Sequence[LazyScores], target: Int32) -> Int64:
        """int64[size] item numbers: those that count for themselves, then those that stand for all the
        others."""
        if self.n <= self.size:
            return np.arange(self.n)
        leads = np.zeros(self.n, dtype=np.bool_)
        leads[target] = True
        most = (self._leaders - len(target)) // len(parts)
        for ranker, part in enumerate(parts):
            leads[self._leading(ranker, part, most)] = True
        if self.large:
            drawn = self._rng.choice(self.n, self.size, replace=False)
        else:
            drawn = self._rng.permutation(self.n)
        return np.concatenate((np.flatnonzero(leads), drawn[~leads[drawn]]))[: self.size]

    def _leading(self, ranker: int, part: LazyScores, most: int) -> Int64:
        """Items that lead by a feature; found once where a ranker gives one array to many questions."""
        if not isinstance(part, DenseScores):
            return part.top(most)
        last = self._leading_items[ranker]
        if last is None or last[0] is not part.values or last[1] != most:
            last = self._leading_items[ranker] = part.values, most, part.top(most).copy()
        return last[2]

    def fit(self, seen_excluded: bool, check: Callable[[], None] = lambda: None, threads: int = 1) -> Fitted:
        """Weights that rank well. With `seen_excluded`, the user's own items are neither candidates nor
        relevant.

        Without a single question to judge by, the lead ranker alone. The ascents do not depend on each other:
        so many at once as there are `threads`, which changes nothing about the result.
        """
        ascent = _Ascent(self, seen_excluded, check)
        rankers = len(self.signed_weight)
        lead = np.eye(rankers)[0]
        if not ascent.rows:
            return Fitted(tuple(lead.tolist()), 0.0, (0.0,) * rankers)
        alone = [ascent.judge(np.eye(rankers)[k])[1] for k in range(rankers)]
        weights = np.zeros(rankers)
        rng = np.random.default_rng(rankers)
        starts = [(bag, start) for bag in ascent.bags(rng) for start in (lead, np.zeros(rankers))]
        with ThreadPoolExecutor(max(1, min(threads, len(starts)))) as pool:
            climbed = list(pool.map(lambda one: one[0].climb(one[1]), starts))
        for first, second in zip(climbed[::2], climbed[1::2], strict=True):
            best = max((first, second), key=lambda found: found[0])[1]
            weights += best / max(float(np.abs(best).sum()), 1e-9)  # ranks have no scale
        if all(
            signed_weight or not weight
            for signed_weight, weight in zip(self.signed_weight, weights, strict=True)
        ):
            # Few questions can make it look best to answer everybody alike; an event must still change its
            # user's next answer, so the lead ranker parts what popularity leaves close together.
            weights[0] = STEP_SIZES[-1] * max(float(np.abs(weights).sum()), 1.0)
        scaled = weights * ascent.temper(weights)
        return Fitted(tuple(np.round(scaled, 4).tolist()), ascent.judge(scaled)[1], tuple(alone))


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


class _Ascent:
    """The questions as one seen-rule sees them, and the objective over them."""

    def __init__(self, questions: Questions, seen_excluded: bool, check: Callable[[], None]) -> None:
        count = questions._count
        self._features, self._base = questions._features, questions._base
        left_out = questions._unknown[:count]
        self._left_out = left_out | questions._interacted[:count] if seen_excluded else left_out
        place, gain = questions._place[:count], questions._gain[:count].copy()
        gain[place < 0] = 0.0
        if seen_excluded:
            gain[np.take_along_axis(questions._interacted[:count], np.maximum(place, 0), axis=1)] = 0.0
        self._place, self._gain = np.maximum(place, 0), gain
        self._leaders, self._share = questions._leaders, questions._share
        self._signed_weight, self._check = questions.signed_weight, check
        discounts = 1.0 / np.log2(np.arange(2, 2 + MOST_TARGETS))
        ideal = (np.sort(gain, axis=1)[:, ::-1] * discounts).sum(axis=1)
        self.rows = int((ideal > 0).sum())
        scale = np.divide(1.0, ideal, out=np.zeros_like(ideal), where=ideal > 0) / max(self.rows, 1)
        credit = self._gain * scale[:, None]
        size = max(min(_ROWS, count // _RUNS), 1)
        starts = range(0, count, size)
        self._runs = [_Run.of(start, min(start + size, count), self._place, credit) for start in starts]

    def bags(self, rng: np.random.Generator) -> Iterator[_Ascent]:
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
            block = self._base.times(0, run.rows, 1.0)
            block[self._left_out[run.rows]] = _LEFT_OUT
            scores.append(block)
        for ranker, weight in enumerate(weights):
            if weight:
                self._move(scores, ranker, weight)
        return scores

    def _move(self, scores: list[Float32], ranker: int, by: float) -> None:
        """Change the weight of one ranker in `scores` by so much."""
        for run, block in zip(self._runs, scores, strict=True):
            block += self._features.times(ranker, run.rows, by)

    def _objective(self, scores: list[Float32], moved: int | None, by: float) -> tuple[float, float]:
        """Of `scores` with the weight of ranker `moved` changed `by` so much; block by block inside the
        cache."""
        at_10 = at_100 = 0.0
        for run, settled in zip(self._runs, scores, strict=True):
            block = settled
            if moved is not None:
                block = self._features.times(moved, run.rows, by)
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
            rank[some] = _marked(above[:, : self._leaders])
            if self._leaders < block.shape[1]:
                rank[some] += _marked(above[:, self._leaders :]) * np.float32(self._share)
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
            reached = np.take_along_axis(block, self._place[rows], axis=1)
            mass = np.exp(block)
            whole = mass[:, : self._leaders].sum(axis=1) + self._share * mass[:, self._leaders :].sum(axis=1)
            total += float(((reached - np.log(whole)[:, None]) * self._gain[rows]).sum())
        return total

    def _bounded(self, ranker: int, weight: float) -> float:
        return float(np.clip(weight, -MOST_WEIGHT if self._signed_weight[ranker] else 0.0, MOST_WEIGHT))


def _marked(bits: Bools) -> Int64:
    """int64[rows], how many of bool[rows, m] are true; packed, as NumPy adds up booleans one by one."""
    count: Int64 = np.bitwise_count(np.packbits(bits, axis=1)).sum(axis=1, dtype=np.int64)
    return count
