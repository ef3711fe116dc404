"""Sessions as weighted sets of items, `SessionBags`: what rankers of the running session are counted from.

What one user does fades: the k-th session of a user, from the newest, is worth 1 / k, so that a robot with a
thousand of them weighs as much as seven customers. Of a session of more than `MOST_PAIRED` items so many
count, evenly spread over the numbers of its items.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from .arrays import Bools, Float64, Int32, Int64
from .cooccurrence import LEVEL_BITS, pair_sums
from .events import Events
from .item_counts import distinct_items
from .sessions import session_starts
from .sparse import PAIRS

MOST_PAIRED = 100
"""Distinct items of a session that are paired."""


@dataclass(frozen=True)
class SessionBags:
    """S sessions over n items: session s has ``item[ptr[s]:ptr[s + 1]]``, int32 and ascending, and is worth
    ``worth[s]``, float64, above 0 to 1."""

    ptr: Int64
    item: Int32
    worth: Float64
    n: int

    @classmethod
    def of(cls, events: Events, gap: int, most_paired: int = MOST_PAIRED) -> SessionBags:
        """The sessions of `events` with `gap` seconds between them at least. Memory: 16 bytes per event."""
        starts = session_starts(events.ptr, events.time, gap)
        ptr, item = distinct_items(np.append(starts, len(events.item)), events.item, events.n)
        return cls(*_thinned(ptr, item, most_paired), _fading(events.ptr, starts), events.n)

    def of_items(self, number: Int32, m: int) -> SessionBags:
        """Only items with a `number`, int32[n], in 0..m-1; -1: left out."""
        chosen = number[self.item] >= 0
        ends = np.concatenate(([0], np.cumsum(chosen)))
        return SessionBags(ends[self.ptr], number[self.item[chosen]], self.worth, m)

    def discounted(self, power: float) -> SessionBags:
        """Sessions of more items are worth less: divided by their size to this power."""
        size = np.maximum(np.diff(self.ptr), 1)
        return SessionBags(self.ptr, self.item, self.worth / size**power, self.n)

    @property
    def support(self) -> Float64:
        """float64[n], what the sessions with each item are worth."""
        worth = np.repeat(self.worth, np.diff(self.ptr))
        return np.bincount(self.item, weights=worth, minlength=self.n).astype(np.float64)

    def pairs(
        self, check: Callable[[], None], at_once: int = PAIRS
    ) -> Iterator[tuple[Int64, Int32, Float64]]:
        """Pieces (row, column, worth of the sessions with both), see `pair_sums`: at most `MOST_PAIRED`
        squared pairs for each session, about a second for five millions."""
        size = np.diff(self.ptr)
        paired: Bools = size > 1
        item = self.item[np.repeat(paired, size)]
        ptr = np.concatenate(([0], np.cumsum(size[paired])))
        levels = (1 << LEVEL_BITS) - 1
        # One of 32 levels, spaced by the root: the newest sessions, which count most, are told apart best.
        level = np.rint(np.sqrt(self.worth[paired]) * levels).astype(np.int64)
        edges = (np.arange(levels + 1) / levels) ** 2
        return pair_sums(ptr, item, self.n, edges, level, check, at_once)


def _fading(ptr: Int64, starts: Int64) -> Float64:
    """float64[S], 1 / k for the k-th session of its user from the newest."""
    past = np.searchsorted(starts, ptr[1:])
    last = np.repeat(past, np.diff(np.append(0, past)))
    return np.asarray(1.0 / (last - np.arange(len(starts))))


def _thinned(ptr: Int64, item: Int32, most: int) -> tuple[Int64, Int32]:
    """Of longer sessions `most` items."""
    size = np.diff(ptr)
    if not (size > most).any():
        return ptr, item
    place = np.arange(len(item)) - np.repeat(ptr[:-1], size)
    long = np.repeat(size, size)
    # The places at which place * most / size steps on to the next whole number.
    kept = (long <= most) | ((place * most) // long != ((place - 1) * most) // long)
    return np.concatenate(([0], np.cumsum(kept)))[ptr], item[kept]
