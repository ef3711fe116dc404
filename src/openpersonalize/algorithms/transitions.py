"""A time-ordered transition table: what follows what, over several steps.

For distances k = 1..reach inside a user, ``fade ** (k - 1)`` is added to cell (i_t, i_{t+k}); a cell is
divided by ``count_i ** 0.8 * (count_j + 5) ** 0.2``. A history scores with its last events, the newest most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from .companion import Companion, Events, Float32, Float64, History, Int32, Int64
from .meetings import counts
from .sparse import PAIRS, Sparse, SparseRows, join, spans, strongest, summed

REACH = 20
FADE = 0.85
RECENT = 30
AGE_FADE = np.float32(0.8)
TOP = 500
OFFSET = np.float32(0.1)

Places: TypeAlias = npt.NDArray[np.signedinteger[Any]]

_DISTANCE_BITS = 5
_WEIGHT_BITS = 4


class Transitions(Companion):
    """Feature: log(n * share of the item in the scattered rows + 0.1)."""

    kind: ClassVar[str] = "transitions"

    def __init__(self, rows: SparseRows) -> None:
        """`rows`: the normalised table."""
        self.rows = rows

    @classmethod
    def fit(cls, events: Events, top: int = TOP, check: Callable[[], None] = lambda: None) -> Transitions:
        """Count. About a second per million events; memory: 9 bytes per event, 8 bytes for `PAIRS` pairs at a
        time a few times over, and the table.

        Args:
            events: all of them.
            top: cells kept per row.
            check: called between pieces of work; may raise to stop.
        """
        n, length = events.n, len(events.item)
        if length >= 2 and n >= 1 << 27:
            raise ValueError("more items than a table of transitions can number")
        return cls(join(_Counting(events).parts(top, check), n))

    def feature(self, history: History) -> Float32:
        """See the class."""
        mass = self.rows.scatter(*_newest(history))
        total = float(mass.sum())
        if total > 0:
            mass *= np.float32(len(mass) / total)
        mass += OFFSET
        return np.log(mass, out=mass)

    def partial(self, history: History) -> Sparse:
        """See `Companion.partial`."""
        columns, mass = self.rows.gather(*_newest(history))
        total = mass.sum()
        share = mass * (self.rows.n / total) if total > 0 else mass
        return Sparse(columns, np.log(share + OFFSET).astype(np.float32), float(np.log(OFFSET)))

    def unmet(self, history: History) -> float:
        """See `Companion.unmet`."""
        return float(np.log(OFFSET))

    def save(self, folder: Path) -> None:
        """The table."""
        self.rows.save(folder, self.name)

    @classmethod
    def load(cls, folder: Path, name: str) -> Transitions:
        """Map what `save` wrote."""
        return cls(SparseRows.load(folder, name))


def _newest(history: History) -> tuple[Int32, Float32]:
    """The items that count, and how much each does."""
    items = history.item[-RECENT:]
    return items, AGE_FADE ** np.arange(len(items) - 1, -1, -1, dtype=np.float32)


class _Counting:
    """The cells of the table, row by row."""

    def __init__(self, events: Events) -> None:
        self.events, self.n = events, events.n
        constant = events.weight.strides == (0,)
        strengths = np.unique(events.weight[:1] if constant else events.weight)
        if len(strengths) > 1 << _WEIGHT_BITS:
            raise ValueError(f"at most {1 << _WEIGHT_BITS} distinct weights of events, not {len(strengths)}")
        self.strengths = strengths
        fades = FADE ** np.arange(1 << _DISTANCE_BITS)
        padded = np.pad(strengths, (0, (1 << _WEIGHT_BITS) - len(strengths)))
        self.levels = np.multiply.outer(padded, fades).ravel()
        self.count = counts(events.item, self.n)
        self.to_norm = (self.count + 5.0) ** -0.2
        self.from_norm = np.maximum(self.count, 1.0) ** -0.8
        narrow: type[np.signedinteger[Any]] = np.int32 if len(events.item) < 1 << 31 else np.int64
        self.last = np.repeat(events.ptr[1:].astype(narrow), np.diff(events.ptr))
        self.by_item = np.argsort(events.item, kind="stable").astype(narrow)

    def parts(self, top: int, check: Callable[[], None]) -> Iterator[tuple[Int64, Int32, Float32]]:
        """See `sparse.join`. A row of more than `PAIRS` pairs is counted alone, in an array of all items."""
        starts = np.concatenate(([0], np.cumsum(self.count)))
        for first, end in spans(self.count * REACH, PAIRS):
            check()
            source = self.by_item[starts[first] : starts[end]]
            if len(source) * REACH > PAIRS:
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
        bits = _DISTANCE_BITS + _WEIGHT_BITS
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
        for distance in range(1, REACH + 1):
            here = source[source + distance < self.last[source]]
            target = here + distance
            strength = np.searchsorted(self.strengths, self.events.weight[target])
            yield here, target, (strength << _DISTANCE_BITS) | (distance - 1)
