"""Rank quality (NDCG@10 + NDCG@100 / 2) of weighted sums of features on questions: `ScoredQuestions`, and
`LeadingItems`, which bounds it by the items that lead.

Questions keep a part of the catalogue each: items that count for themselves, and others that stand for all
the rest. No rank is larger beside fewer items, so what the objective is beside the leading ones it is at most
beside all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from .arrays import Bools, Float32, Float64, Int32, Int64
from .quantised_rows import QuantisedRows

_LEFT_OUT = np.float32(-1e9)
_CELLS = 64 * 2048
"""Scores of a block that stays inside the cache."""
_WORD = 64


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

    def credit(self) -> tuple[Float64, int]:
        """float64[Q, targets], what each relevant item adds to the mean NDCG at rank 0; and how many
        questions have any."""
        discounts = 1.0 / np.log2(np.arange(2, 2 + self.gain.shape[1]))
        ideal = (np.sort(self.gain, axis=1)[:, ::-1] * discounts).sum(axis=1)
        rows = int((ideal > 0).sum())
        scale = np.divide(1.0, ideal, out=np.zeros_like(ideal), where=ideal > 0) / max(rows, 1)
        return self.gain * scale[:, None], rows


@dataclass(frozen=True)
class _Ranking:
    """How items above a relevant one are counted: float32[words], what a marked item of each word is worth,
    once for those that count for themselves and `share` times for the others; a word is a byte or eight."""

    worth: Float32
    wide: bool

    @classmethod
    def of(cls, size: int, leaders: int, share: float) -> _Ranking:
        """`leaders` of `size` items count for themselves: all, or a multiple of eight."""
        wide = size % _WORD == 0 and leaders % _WORD == 0
        bits = _WORD if wide else 8
        worth = np.full(-(-size // bits), share, dtype=np.float32)
        worth[: -(-leaders // bits)] = 1.0
        return cls(worth, wide)

    def above(self, scores: Float32, reached: Float32) -> Float32:
        """float32[rows], the items of float32[rows, size] `scores` above float32[rows, 1] `reached`."""
        # Packed, as NumPy adds up booleans one by one.
        marks = np.packbits(scores > reached, axis=1)
        counts = np.bitwise_count(marks.view(np.uint64) if self.wide else marks)
        return np.asarray(counts.astype(np.float32) @ self.worth)


@dataclass(frozen=True)
class _Targets:
    """Relevant items of the questions of a block.

    Attributes:
        rows: the questions that have a first one, a second one and so on: a slice of the block, or places.
        row: int64[k], the place of each item's question in the block, in this order. place: int64[k], of the
            item in the question. credit: float64[k], 0 where the question has none.
    """

    rows: Sequence[slice | Int64]
    row: Int64
    place: Int64
    credit: Float64

    @classmethod
    def of(cls, place: Int32, credit: Float64) -> _Targets:
        """Of a block, [questions, targets]; there is some credit, or nothing to rank."""
        order = np.argsort(credit == 0, axis=1, kind="stable")
        place, credit = np.take_along_axis(place, order, axis=1), np.take_along_axis(credit, order, axis=1)
        everyone = np.arange(len(place))
        rows: list[slice | Int64] = []
        for target in range(place.shape[1]):
            some = np.flatnonzero(credit[:, target])
            if not len(some):
                break
            if some[-1] == len(some) - 1 or 2 * len(some) > len(place):
                rows.append(slice(0, int(some[-1]) + 1))
            else:
                rows.append(some)
        row = [everyone[one] for one in rows]
        column = np.repeat(np.arange(len(row)), [len(one) for one in row])
        places = np.concatenate([*row, np.empty(0, np.int64)])
        return cls(rows, places, place[places, column].astype(np.int64), credit[places, column])

    def gained(self, scores: Float32, ranking: _Ranking) -> tuple[float, float]:
        """What the items add to NDCG@10 and to NDCG@100 by float32[questions, items]."""
        reached = scores[self.row, self.place][:, None]
        rank = np.empty(len(reached), dtype=np.float32)
        end = 0
        for rows in self.rows:
            some = scores[rows]
            start, end = end, end + len(some)
            rank[start:end] = ranking.above(some, reached[start:end])
        credit = self.credit / np.log2(rank + 2.0)
        return float(credit @ (rank < 10)), float(credit @ (rank < 100))


@dataclass(frozen=True)
class Run:
    """Questions that follow one another: `rows` of all, and what is relevant to them."""

    rows: slice
    targets: _Targets

    @classmethod
    def all(cls, place: Int32, credit: Float64, size: int) -> list[Run]:
        """All questions, `size` in a run."""
        rows = [slice(start, min(start + size, len(place))) for start in range(0, len(place), size)]
        return [cls(one, _Targets.of(place[one], credit[one])) for one in rows]


class ScoredQuestions:
    """Questions with their scores by some weights."""

    def __init__(self, judged: Judged, credit: Float64, runs: Sequence[Run], weights: Float64) -> None:
        """`credit`: see `Judged.credit`. `runs`: of the questions that count. `weights`: float64[R]."""
        self._judged, self._credit, self.runs = judged, credit, runs
        self._ranking = _Ranking.of(judged.left_out.shape[1], judged.leaders, judged.share)
        self.blocks: list[Float32] = []
        for run in runs:
            block = judged.base.times(0, run.rows, 1.0)
            block[judged.left_out[run.rows]] = _LEFT_OUT
            self.blocks.append(block)
        for ranker, weight in enumerate(weights):
            if weight:
                self.move(ranker, weight)

    def move(self, ranker: int, by: float) -> None:
        """Change the weight of one ranker by so much."""
        for run, block in zip(self.runs, self.blocks, strict=True):
            block += self._judged.features.times(ranker, run.rows, by)

    def objective(self, moved: int | None = None, by: float = 0.0) -> tuple[float, float]:
        """The objective and the NDCG@10, with the weight of ranker `moved` changed `by` so much; block by
        block inside the cache."""
        total_10 = total_100 = 0.0
        for run, settled in zip(self.runs, self.blocks, strict=True):
            block = settled
            if moved is not None:
                block = self._judged.features.times(moved, run.rows, by)
                block += settled
            at_10, at_100 = run.targets.gained(block, self._ranking)
            total_10 += at_10
            total_100 += at_100
        return total_10 + 0.5 * total_100, total_10

    def leading(self, most: int) -> LeadingItems:
        """The same questions beside about so many items that lead by these scores, and a third as many of
        the others that stand for all; beside all where that spares little."""
        judged, size = self._judged, self._judged.left_out.shape[1]
        leaders = min(judged.leaders, -(-most // _WORD) * _WORD)
        sampled = min(size - judged.leaders, -(-most // 3 // _WORD) * _WORD)
        if 2 * (leaders + sampled) > size:
            leaders, sampled = judged.leaders, size - judged.leaders
        rows = np.concatenate([np.arange(run.rows.start, run.rows.stop) for run in self.runs])
        columns = np.empty((len(rows), leaders + sampled), dtype=np.int64)
        scores = np.empty(columns.shape, dtype=np.float32)
        place = np.empty((len(rows), judged.place.shape[1]), dtype=np.int32)
        end = 0
        for run, block in zip(self.runs, self.blocks, strict=True):
            start, end = end, end + len(block)
            behind = -block
            np.put_along_axis(behind, judged.place[run.rows], -np.inf, axis=1)  # the relevant ones stay
            some = columns[start:end]
            some[:, :leaders] = _least(behind[:, : judged.leaders], leaders)
            some[:, leaders:] = _least(behind[:, judged.leaders :], sampled) + judged.leaders
            scores[start:end] = np.take_along_axis(block, some, axis=1)
            found = np.empty(block.shape, dtype=np.int32)
            np.put_along_axis(found, some, np.arange(some.shape[1], dtype=np.int32)[None, :], axis=1)
            place[start:end] = np.take_along_axis(found, judged.place[run.rows], axis=1)
        # Those with most relevant items first, so that the k-th ones are those of the first questions.
        order = np.argsort(-(self._credit[rows] > 0).sum(axis=1), kind="stable")
        rows, columns = rows[order], columns[order]
        features = partial(judged.features.at, rows=rows, columns=columns)
        return LeadingItems(features, scores[order], place[order], self._credit[rows], leaders, judged.share)


class LeadingItems:
    """Questions beside the items that led when it was made. Memory: four bytes for each ranker, question and
    item."""

    def __init__(
        self,
        features: Callable[[int], Float32],
        scores: Float32,
        place: Int32,
        credit: Float64,
        leaders: int,
        share: float,
    ) -> None:
        """`features`: of a ranker float32[Q, items]; asked for when the ranker's weight is first moved."""
        self._ranking, self._scores = _Ranking.of(scores.shape[1], leaders, share), scores
        self._feature = cache(features)
        step = max(_CELLS // max(scores.shape[1], 1), 1)
        ends = range(0, len(scores), step)
        self._blocks = [
            (
                slice(start, start + step),
                _Targets.of(place[start : start + step], credit[start : start + step]),
            )
            for start in ends
        ]

    def move(self, ranker: int, by: float) -> None:
        """See `ScoredQuestions.move`."""
        self._scores += self._feature(ranker) * np.float32(by)

    def objective(self, moved: int | None = None, by: float = 0.0) -> float:
        """No less than `ScoredQuestions.objective` of the same step."""
        total = 0.0
        for rows, targets in self._blocks:
            block = self._scores[rows]
            if moved is not None:
                block = block + self._feature(moved)[rows] * np.float32(by)
            at_10, at_100 = targets.gained(block, self._ranking)
            total += at_10 + 0.5 * at_100
        return total


def _least(values: Float32, count: int) -> Int64:
    """int64[rows, count], the places of the smallest values of each row."""
    found: Int64 = (
        np.argpartition(values, min(count, values.shape[1] - 1), axis=1)[:, :count]
        if count
        else (np.empty((len(values), 0), dtype=np.int64))
    )
    return found
