"""Item-to-item transitions (a Markov chain over several distances), as a base ranker, `Transitions`.

For distances k = 1..`MAX_DISTANCE` inside a user, ``DISTANCE_DECAY ** (k - 1)`` is added to cell (i_t,
i_{t+k}); a cell is divided by ``count_i ** 0.8 * (count_j + 5) ** 0.2``. A history scores with its last
events, the newest most.

What one user does again fades: an event counts `REPEAT_DECAY` times as much for each time that the user meets
the item later, in pairs and in counts. So nobody adds more than `MOST_OF_A_USER` to a cell, however many
events there are, and nothing fades where users meet an item once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from .arrays import Float32, Float64, Int32, Int64
from .events import Events
from .item_counts import BLOCK, item_counts
from .lazy_scores import SparseScores
from .ranker import BaseRanker, QueryBlock, RankerQuery
from .returns import later_meetings
from .sparse import PAIRS, SparseRows, join, spans, strongest, summed

MAX_DISTANCE = 20
DISTANCE_DECAY = 0.85
QUERY_EVENTS = 30
AGE_DECAY = np.float32(0.8)
TOP = 500
SMOOTHING = np.float32(0.1)

Places: TypeAlias = npt.NDArray[np.signedinteger[Any]]

REPEAT_DECAY = 0.5
MOST_OF_A_USER = 1 / (1 - REPEAT_DECAY**2) / (1 - REPEAT_DECAY * DISTANCE_DECAY**2)
"""The most that one user adds to a cell: two items in turn for ever, 2.1 times as much as once."""

_DISTANCE_BITS = 5
_WEIGHT_BITS = 4
_REPEAT_BITS = 3
_MOST_AGAIN = (1 << _REPEAT_BITS) - 1
"""Pairs that are repeated more often do not count any more, by less than a hundredth."""


class Transitions(BaseRanker):
    """Feature: log(n * share of the item in the scattered rows + 0.1)."""

    kind: ClassVar[str] = "transitions"

    def __init__(self, rows: SparseRows) -> None:
        """`rows`: the normalised table."""
        self.rows = rows

    @classmethod
    def fit(cls, events: Events, top: int = TOP, check: Callable[[], None] = lambda: None) -> Transitions:
        """Count. About a second per million events; memory: 10 bytes per event, 8 bytes for `PAIRS` pairs at
        a time a few times over, and the table.

        Args:
            events: all of them.
            top: cells kept per row.
            check: called between pieces of work; may raise to stop.
        """
        n, length = events.n, len(events.item)
        if length >= 2 and n >= 1 << 25:
            raise ValueError("more items than a table of transitions can number")
        return cls(join(_Counting(events).parts(top, check), n))

    def feature(self, query: RankerQuery) -> Float32:
        """See the class."""
        mass = self.rows.scatter(*_newest(query))
        total = float(mass.sum())
        if total > 0:
            mass *= np.float32(len(mass) / total)
        mass += SMOOTHING
        return np.log(mass, out=mass)

    def lazy(self, query: RankerQuery) -> SparseScores:
        """See `BaseRanker.lazy`."""
        columns, mass = self.rows.gather(*_newest(query))
        total = mass.sum()
        share = mass * (self.rows.n / total) if total > 0 else mass
        return SparseScores(columns, np.log(share + SMOOTHING).astype(np.float32), float(np.log(SMOOTHING)))

    def accumulate(self, block: QueryBlock, weight: np.float32, total: Float32) -> None:
        """See `BaseRanker.accumulate`."""
        ptr, places = block.newest(QUERY_EVENTS)
        age = np.repeat(ptr[1:] - 1, np.diff(ptr)) - np.arange(len(places))
        items, share = block.item[places], AGE_DECAY ** age.astype(np.float32)
        for some in block.pieces(self.rows.n):
            span = slice(ptr[some.start], ptr[some.stop])
            ends = ptr[some.start : some.stop + 1] - ptr[some.start]
            mass = self.rows.scatter_block(ends, items[span], share[span])
            sums = mass.sum(axis=1, keepdims=True)
            mass *= np.where(sums > 0, self.rows.n / np.where(sums > 0, sums, 1), 1).astype(np.float32)
            mass += SMOOTHING
            np.log(mass, out=mass)
            mass *= weight
            total[some] += mass

    def unseen_value(self, query: RankerQuery) -> float:
        """See `BaseRanker.unseen_value`."""
        return float(np.log(SMOOTHING))

    def save(self, folder: Path) -> None:
        """The table."""
        self.rows.save(folder, self.name)

    @classmethod
    def load(cls, folder: Path, name: str) -> Transitions:
        """Map what `save` wrote."""
        return cls(SparseRows.load(folder, name))


def _newest(query: RankerQuery) -> tuple[Int32, Float32]:
    """The items that count, and how much each does."""
    items = query.item[-QUERY_EVENTS:]
    return items, AGE_DECAY ** np.arange(len(items) - 1, -1, -1, dtype=np.float32)


class _Counting:
    """The cells of the table, row by row."""

    def __init__(self, events: Events) -> None:
        self.events, self.n = events, events.n
        constant = events.weight.strides == (0,)
        strengths = np.unique(events.weight[:1] if constant else events.weight)
        if len(strengths) > 1 << _WEIGHT_BITS:
            raise ValueError(f"at most {1 << _WEIGHT_BITS} distinct weights of events, not {len(strengths)}")
        self.strengths = strengths
        fades = DISTANCE_DECAY ** np.arange(1 << _DISTANCE_BITS)
        padded = np.pad(strengths, (0, (1 << _WEIGHT_BITS) - len(strengths)))
        repeats = REPEAT_DECAY ** np.arange(1 << _REPEAT_BITS)
        self.levels = np.multiply.outer(repeats, np.multiply.outer(padded, fades)).ravel()
        self.count = item_counts(events.item, self.n)
        self.later = later_meetings(events.ptr, events.item, _MOST_AGAIN + 1)
        counted = np.zeros(self.n)
        for start in range(0, len(events.item), BLOCK):
            some = slice(start, start + BLOCK)
            faded = REPEAT_DECAY ** self.later[some].astype(np.float64)
            counted += np.bincount(events.item[some], weights=faded, minlength=self.n)
        self.to_norm = (counted + 5.0) ** -0.2
        self.from_norm = np.maximum(counted, 1.0) ** -0.8
        narrow: type[np.signedinteger[Any]] = np.int32 if len(events.item) < 1 << 31 else np.int64
        self.last = np.repeat(events.ptr[1:].astype(narrow), np.diff(events.ptr))
        self.by_item = np.argsort(events.item, kind="stable").astype(narrow)

    def parts(self, top: int, check: Callable[[], None]) -> Iterator[tuple[Int64, Int32, Float32]]:
        """See `sparse.join`. A row of more than `PAIRS` pairs is counted alone, in an array of all items."""
        starts = np.concatenate(([0], np.cumsum(self.count)))
        for first, end in spans(self.count * MAX_DISTANCE, PAIRS):
            check()
            source = self.by_item[starts[first] : starts[end]]
            if len(source) * MAX_DISTANCE > PAIRS:
                mass = self._dense(source)
                col = np.flatnonzero(mass).astype(np.int32)
                row, sums = np.full(len(col), first), mass[col]
            else:
                cells, sums = self._sparse(source)
                row = cells // self.n
                col = (cells - row * self.n).astype(np.int32)
            value = (sums * self.from_norm[row] * self.to_norm[col]).astype(np.float32)
            yield strongest(row, col, value, top)

    def _sparse(self, source: Places) -> tuple[Int64, Float64]:
        bits = _DISTANCE_BITS + _WEIGHT_BITS + _REPEAT_BITS
        keys = []
        for here, target, level in self._pairs(source):
            keys.append((self.events.item[here].astype(np.int64) * self.n + self.events.item[target]) << bits)
            keys[-1] |= level
        return summed(np.concatenate(keys), self.levels, bits)

    def _dense(self, source: Places) -> Float64:
        mass = np.zeros(self.n)
        for start in range(0, len(source), PAIRS):
            for _, target, level in self._pairs(source[start : start + PAIRS]):
                mass += np.bincount(self.events.item[target], weights=self.levels[level], minlength=self.n)
        return mass

    def _pairs(self, source: Places) -> Iterator[tuple[Places, Places, Places]]:
        """By distance: from which events, to which, and the places of their weights in `levels`."""
        source = source[self.later[source] <= _MOST_AGAIN]
        for distance in range(1, MAX_DISTANCE + 1):
            here = source[source + distance < self.last[source]]
            again = self.later[here] + self.later[here + distance]
            here, again = here[again <= _MOST_AGAIN], again[again <= _MOST_AGAIN]
            target = here + distance
            strength = np.searchsorted(self.strengths, self.events.weight[target])
            level = (again.astype(np.int64) << _WEIGHT_BITS) | strength
            yield here, target, (level << _DISTANCE_BITS) | (distance - 1)
