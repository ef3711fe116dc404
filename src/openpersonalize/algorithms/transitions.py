"""A time-ordered transition table: what follows what, over several steps.

For distances k = 1..reach inside a user, ``fade ** (k - 1)`` is added to cell (i_t, i_{t+k}); a cell is
divided by ``count_i ** 0.8 * (count_j + 5) ** 0.2``. A history scores with its last events, the newest most.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np

from .companion import Companion, Events, Float32, History
from .sparse import PAIRS, SparseRows, join, spans, strongest, summed

REACH = 20
FADE = 0.85
RECENT = 30
AGE_FADE = np.float32(0.8)
TOP = 500
OFFSET = np.float32(0.1)

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
        """Count. About a second per million events; memory: 8 bytes for `PAIRS` pairs at a time, and the
        table.

        Args:
            events: all of them.
            top: cells kept per row.
            check: called between pieces of work; may raise to stop.
        """
        n, length = events.n, len(events.item)
        if length >= 2 and n >= 1 << 27:
            raise ValueError("more items than a table of transitions can number")
        strengths, level = np.unique(events.weight, return_inverse=True)
        if len(strengths) > 1 << _WEIGHT_BITS:
            raise ValueError(f"at most {1 << _WEIGHT_BITS} distinct weights of events, not {len(strengths)}")
        bits = _DISTANCE_BITS + _WEIGHT_BITS
        fades = FADE ** np.arange(1 << _DISTANCE_BITS)
        levels = np.multiply.outer(
            np.pad(strengths, (0, (1 << _WEIGHT_BITS) - len(strengths))), fades
        ).ravel()
        count = np.bincount(events.item, minlength=n).astype(np.float64)
        to_norm = (count + 5.0) ** -0.2
        from_norm = np.maximum(count, 1.0) ** -0.8
        last = np.repeat(events.ptr[1:], np.diff(events.ptr))
        by_item = np.argsort(events.item, kind="stable")
        item, level = events.item.astype(np.int64), level.astype(np.int64)
        parts = []
        for first, end in spans(count.astype(np.int64) * REACH, PAIRS):
            check()
            begin, stop = np.searchsorted(events.item[by_item], (first, end))
            source = by_item[begin:stop]
            keys = []
            for distance in range(1, REACH + 1):
                here = source[source + distance < last[source]]
                target = here + distance
                low = (level[target] << _DISTANCE_BITS) | (distance - 1)
                keys.append((item[here] * n + item[target]) << bits | low)
            cells, sums = summed(np.concatenate(keys), levels, bits)
            row = cells // n
            col = (cells - row * n).astype(np.int32)
            value = (sums * from_norm[row] * to_norm[col]).astype(np.float32)
            parts.append(strongest(row, col, value, top))
        return cls(join(parts, n))

    def feature(self, history: History) -> Float32:
        """See the class."""
        items = history.item[-RECENT:]
        weights = AGE_FADE ** np.arange(len(items) - 1, -1, -1, dtype=np.float32)
        mass = self.rows.scatter(items, weights)
        total = float(mass.sum())
        if total > 0:
            mass *= np.float32(len(mass) / total)
        mass += OFFSET
        return np.log(mass, out=mass)

    def save(self, folder: Path) -> None:
        """The table."""
        self.rows.save(folder, self.name)

    @classmethod
    def load(cls, folder: Path, name: str) -> Transitions:
        """Map what `save` wrote."""
        return cls(SparseRows.load(folder, name))
