"""How short a time ago anybody first met an item: what is new draws attention before counts can tell it, and
what is old has been seen by those who wanted to.

Beside popularity at a moment it tells a new item on its way up from an old one on its way down (the recency
of an article in Moreira et al., "News Session-Based Recommendations using Deep Neural Networks", 2018).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import ClassVar

import numpy as np

from .companion import Float32, History, Int32, Int64, Moving, Partial
from .mapped import mapped
from .recent import HOUR, span_name
from .timeline import Timeline

SPANS = (HOUR // 4, 24 * HOUR)
"""Seconds below which ages hardly differ: two of them, and the weights can make a curve with a peak."""

NEVER = np.iinfo(np.int64).max

NEWEST = 0.1
"""Share of all events, the newest ones, that tell how young an item may be to be told from others."""
ASKED = 0.02
"""Share of those that are about items young enough to say so."""
MOMENTS = 10
"""Moments among them, at half of which some item is young enough to say so."""


@dataclass(frozen=True)
class Meetings:
    """When each item was first met: int64[n] seconds, `NEVER` where nobody did; the last event's time; and
    the age in seconds below which there was too little to tell one age from another."""

    first: Int64
    end: int
    youngest: int = 0

    @classmethod
    def of(cls, timeline: Timeline, n: int) -> Meetings:
        """Of all events."""
        first = np.full(n, NEVER)
        # The earliest is written last.
        first[timeline.item[::-1]] = timeline.time[::-1]
        if not len(timeline.time):
            return cls(first, 0)
        meetings = cls(first, int(timeline.time[-1]))
        return replace(meetings, youngest=meetings._youngest(timeline))

    def _youngest(self, timeline: Timeline) -> int:
        begin = int((1 - NEWEST) * len(timeline.time))
        time = timeline.time[begin:]
        ages = time - self.first[timeline.item[begin:]]
        # An item's first event tells nothing: nobody could have been asked about it.
        ages = ages[ages > 0]
        asked = float(np.quantile(ages, ASKED)) if len(ages) else np.inf
        moments = time[np.linspace(0, len(time) - 1, MOMENTS).astype(np.int64)]
        place = np.searchsorted(self.ordered, moments)
        there = moments[place > 0] - self.ordered[place[place > 0] - 1]
        offered = float(np.median(there)) if len(there) else np.inf
        youngest = min(asked, offered)
        return int(youngest) if np.isfinite(youngest) else int(time[-1] - timeline.time[0])

    @cached_property
    def order(self) -> Int64:
        """int64[n], items by their first meeting."""
        return np.argsort(self.first, kind="stable")

    @cached_property
    def ordered(self) -> Int64:
        """int64[n], the first meetings in order."""
        return self.first[self.order]


class Freshness(Moving):
    """Feature: -log(1 + age / span). What is younger than the youngest that questions were about, or that was
    there to choose, counts as old as those: where nothing new ever came, a weight that fits small differences
    between old items must not carry a new one away.

    While training, the moment is that of the history, and an item that nobody met before it is as old as the
    oldest: many of those are learnt from what other users did later, and are no answer yet. Afterwards
    (`settle`) what nobody met is new. The clock stands where the events ended; from `follow` on it moves in
    complete steps of a quarter of the span, as that of `Recent` does.
    """

    kind: ClassVar[str] = "freshness"
    free: ClassVar[bool] = True
    same: ClassVar[bool] = True

    def __init__(self, span: int, meetings: Meetings) -> None:
        """`span`: seconds."""
        self.span = span
        self.step = span // 4
        self._meetings = meetings
        self._oldest = int(meetings.first.min(initial=NEVER))
        self._lock = Lock()
        self._pause: int | None = None
        self._training = True
        self._cached: tuple[int, Float32] | None = None

    @property
    def youngest(self) -> int:
        """The least age that is told from others, seconds."""
        return self._meetings.youngest

    @property
    def name(self) -> str:
        """``freshness-<hours>h``, or ``freshness-<minutes>m`` below an hour."""
        return f"{self.kind}-{span_name(self.span)}"

    def _now(self, history: History) -> int:
        if self._training:
            return history.now
        if self._pause is None:
            return self._meetings.end
        return max((history.now - self._pause) // self.step * self.step, self._meetings.end)

    def feature(self, history: History) -> Float32:
        """See the class."""
        now = self._now(history)
        cached = self._cached
        if cached is None or cached[0] != now:
            with self._lock:
                cached = self._cached = (now, self._of(self._meetings.first, now))
        return cached[1]

    def partial(self, history: History) -> Partial:
        """See `Companion.partial`: the newest are found by their place in the order of meetings."""
        return _Ages(self, self._now(history))

    def _of(self, first: Int64, now: int) -> Float32:
        """The feature of items first met then."""
        if self._training:
            first = np.where(first < now, first, self._oldest)
        age = np.maximum(now - np.minimum(first, now), self._meetings.youngest)
        found: Float32 = -np.log1p(age / self.span).astype(np.float32)
        return found

    def unmet(self, history: History) -> float:
        """See `Companion.unmet`."""
        return float(self._of(np.array([NEVER]), self._now(history))[0])

    def observe(self, item: Int32, time: Int64, weight: Float32) -> None:
        """See `Moving.observe`."""
        if not len(item):
            return
        with self._lock:
            first = self._meetings.first
            new = np.flatnonzero(first[item] == NEVER)
            if len(new):
                first = first.copy()
                np.minimum.at(first, item[new], time[new] - (self._pause or 0))
                self._meetings = replace(self._meetings, first=first)
                self._oldest = min(self._oldest, int(first.min()))
                self._cached = None

    def beside(self) -> Freshness:
        """See `Moving.beside`."""
        found = Freshness(self.span, replace(self._meetings, first=np.empty(0, np.int64)))
        found.settle()
        return found

    def grow(self, n: int) -> None:
        """See `Moving.grow`."""
        with self._lock:
            first = self._meetings.first
            first = np.concatenate((first, np.full(max(0, n - len(first)), NEVER)))
            self._meetings = replace(self._meetings, first=first)
            self._cached = None

    def settle(self) -> None:
        """See `Moving.settle`."""
        self._training = False
        self._cached = None

    def follow(self, pause: int = 0) -> None:
        """See `Moving.follow`."""
        self._pause = pause

    def save(self, folder: Path) -> None:
        """An array, and the moment at which the events ended."""
        np.save(folder / f"{self.name}.npy", self._meetings.first)
        state = {"span": self.span, "end": self._meetings.end, "youngest": self._meetings.youngest}
        (folder / f"{self.name}.json").write_text(json.dumps(state))

    @classmethod
    def load(cls, folder: Path, name: str) -> Freshness:
        """Map what `save` wrote."""
        state = json.loads((folder / f"{name}.json").read_text())
        meetings = Meetings(mapped(folder / f"{name}.npy"), state["end"], state["youngest"])
        opened = cls(state["span"], meetings)
        opened.settle()
        return opened


@dataclass(frozen=True)
class _Ages(Partial):
    member: Freshness
    now: int

    def at(self, rows: Int64) -> Float32:
        """See `Partial`."""
        return self.member._of(self.member._meetings.first[rows], self.now)

    def best(self, k: int) -> Int64:
        """See `Partial`."""
        meetings = self.member._meetings
        met = int(np.searchsorted(meetings.ordered, self.now))
        return meetings.order[max(0, met - k) : met]
