"""Distinct users of items in a sliding window, `Visits` and `VisitLog`: a user counts once, however often
there is an event.

An event at second s counts in every window that ends from s on and before s + its length. What one user does
with one item, again and again, is therefore one visit: from the first event to one length behind the last.
The distinct users of the windows that end at a moment are the visits that are under way then.

Where streamed visits would be more than `MOST_VISITS` a part of the users is followed, drawn by the hash of
their ids, and each counts for several (distinct sampling; Gibbons 2001).
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from .arrays import Bools, Float32, Float64, Int32, Int64, UInt64

MOST_VISITS = 1_000_000
"""Visits that are followed, 28 bytes each."""

_COLUMNS = ("item", "start", "end", "weight")


class Visits(NamedTuple):
    """Visits of items, of any users: int32[V] item, int64[V] seconds when a visit begins to count and no
    longer does, float32[V] how many users it stands for."""

    item: Int32
    start: Int64
    end: Int64
    weight: Float32

    @classmethod
    def none(cls) -> Visits:
        """No visits."""
        times = np.empty(0, np.int64)
        return cls(np.empty(0, np.int32), times, times, np.empty(0, np.float32))

    @classmethod
    def joined(cls, parts: list[Visits]) -> Visits:
        """Those of all parts."""
        item, start, end, weight = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        return cls(item, start, end, weight)

    def users(self, moment: int, n: int) -> Float64:
        """float64[n], the users of each of the first `n` items in the window that ends at `moment`."""
        there = (self.start <= moment) & (self.end > moment) & (self.item < n)
        return np.bincount(self.item[there], self.weight[there], n).astype(np.float64)

    def after(self, moment: int) -> Visits:
        """Those that still count at `moment` or later."""
        left = self.end > moment
        return Visits(self.item[left], self.start[left], self.end[left], self.weight[left])

    def save(self, folder: Path, name: str) -> None:
        """One file; nothing in it tells who a user was."""
        np.savez(folder / f"{name}.npz", **self._asdict())

    @classmethod
    def load(cls, folder: Path, name: str) -> Visits:
        """Read what `save` wrote."""
        with np.load(folder / f"{name}.npz") as stored:
            return cls(*(stored[column] for column in _COLUMNS))


class VisitLog:
    """Visits as events are told. Memory: `MOST_VISITS`, and the events of one call."""

    def __init__(self, window: int, most: int = MOST_VISITS, reach: int | None = None) -> None:
        """Nothing told yet.

        Args:
            window: seconds. most: see `MOST_VISITS`.
            reach: seconds before the newest event: windows that end since then can be told; None: `window`.
        """
        self.window, self._most = window, most
        self._reach = window if reach is None else reach
        self._item: Int32 = np.empty(0, np.int32)
        self._user: UInt64 = np.empty(0, np.uint64)
        self._first: Int64 = np.empty(0, np.int64)
        self._last: Int64 = np.empty(0, np.int64)
        self._share = 0
        """One user in 2 ** share is followed."""

    def add(self, item: Int32, time: Int64, user: UInt64) -> None:
        """Events in any order: int32[m] items, int64[m] seconds, uint64[m] users by a hash that is even."""
        self._join(*self._followed(item, time, user), self._share)
        newest = int(self._last.max(initial=0))
        self._keep(self._last > newest - self._reach - self.window)
        while len(self._item) > self._most:
            self._share += 1
            self._keep((self._user >> np.uint64(64 - self._share)) == 0)

    def _followed(self, item: Int32, time: Int64, user: UInt64) -> tuple[Int32, Int64, UInt64]:
        if not self._share:
            return item, time, user
        some = (user >> np.uint64(64 - self._share)) == 0
        return item[some], time[some], user[some]

    def _join(self, item: Int32, time: Int64, user: UInt64, share: int) -> None:
        """Lay events beside the visits and make one visit of those that touch."""
        item = np.concatenate((self._item, item))
        user = np.concatenate((self._user, user))
        first = np.concatenate((self._first, time))
        last = np.concatenate((self._last, time))
        order = np.lexsort((first, user, item))
        item, user, first, last = item[order], user[order], first[order], last[order]
        if not len(item):
            return
        same = (item[1:] == item[:-1]) & (user[1:] == user[:-1])
        begins = np.concatenate(([True], ~(same & (first[1:] - last[:-1] < self.window))))
        starts = np.flatnonzero(begins)
        self._item, self._user, self._first = item[starts], user[starts], first[starts]
        self._last = np.maximum.reduceat(last, starts)

    def _keep(self, some: Bools) -> None:
        self._item, self._user = self._item[some], self._user[some]
        self._first, self._last = self._first[some], self._last[some]

    def visits(self) -> Visits:
        """As told until now."""
        weight = np.full(len(self._item), 1 << self._share, dtype=np.float32)
        return Visits(self._item, self._first, self._last + self.window, weight)


def visits(item: Int32, time: Int64, user: UInt64, window: int) -> Visits:
    """The visits that events make, all of them, in windows of so many seconds: see `VisitLog.add`."""
    span = int(time.max() - time.min()) if len(time) else 0
    log = VisitLog(window, most=max(len(item), 1), reach=span)
    log.add(item, time, user)
    return log.visits()
