"""Item recency: the time since anybody first interacted with an item, as a base ranker, `Freshness`.

What is new draws attention before counts can tell it, and what is old has been seen by those who wanted to.
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

from .arrays import Float32, Int32, Int64
from .lazy_scores import LazyScores
from .mapped import mapped
from .ranker import OnlineRanker, RankerQuery
from .recent_popularity import HOUR, span_name
from .timeline import Timeline

AGE_SCALES = (HOUR // 4, 24 * HOUR)
"""Seconds below which ages hardly differ: two of them, and the weights can make a curve with a peak."""

NEVER = np.iinfo(np.int64).max

NEWEST_SHARE = 0.1
"""Share of all first meetings of a user and an item, the newest ones, that tell how young an item may be to
be told from others."""
YOUNG_QUANTILE = 0.02
"""Share of those that are about items young enough to say so."""
SAMPLED_MOMENTS = 10
"""Moments among them, at half of which some item is young enough to say so."""


@dataclass(frozen=True)
class FirstSeen:
    """When anybody first interacted with each item: int64[n] seconds, `NEVER` where nobody did; the last
    event's time; and the age in seconds below which there was too little to tell one age from another."""

    first: Int64
    end: int
    youngest: int = 0

    @classmethod
    def of(cls, timeline: Timeline, n: int) -> FirstSeen:
        """Of all events."""
        first = np.full(n, NEVER)
        # The earliest is written last.
        first[timeline.item[::-1]] = timeline.time[::-1]
        if not len(timeline.time):
            return cls(first, 0)
        first_seen = cls(first, int(timeline.time[-1]))
        return replace(first_seen, youngest=first_seen._youngest(timeline.first_meetings()))

    def _youngest(self, timeline: Timeline) -> int:
        begin = int((1 - NEWEST_SHARE) * len(timeline.time))
        time = timeline.time[begin:]
        ages = time - self.first[timeline.item[begin:]]
        # An item's first event tells nothing: nobody could have been asked about it.
        ages = ages[ages > 0]
        asked = float(np.quantile(ages, YOUNG_QUANTILE)) if len(ages) else np.inf
        moments = time[np.linspace(0, len(time) - 1, SAMPLED_MOMENTS).astype(np.int64)]
        place = np.searchsorted(self.ordered, moments)
        there = moments[place > 0] - self.ordered[place[place > 0] - 1]
        offered = float(np.median(there)) if len(there) else np.inf
        youngest = min(asked, offered)
        return int(youngest) if np.isfinite(youngest) else int(time[-1] - timeline.time[0])

    @cached_property
    def order(self) -> Int64:
        """int64[n], items by their first event."""
        return np.argsort(self.first, kind="stable")

    @cached_property
    def ordered(self) -> Int64:
        """int64[n], the first events in order."""
        return self.first[self.order]


class Freshness(OnlineRanker):
    """Feature: -log(1 + age / span). What is younger than the youngest that questions were about, or that was
    there to choose, counts as old as those: where nothing new ever came, a weight that fits small differences
    between old items must not carry a new one away.

    While training, the moment is that of the history, and an item with which nobody interacted before it is
    as old as the oldest: many of those are learnt from what other users did later, and are no answer yet.
    Afterwards (`freeze`) what nobody met is new. The clock stands where the events ended; from `start_clock`
    on it moves in complete steps of a quarter of the span, as that of `RecentPopularity` does.
    """

    kind: ClassVar[str] = "freshness"
    signed_weight: ClassVar[bool] = True
    user_independent: ClassVar[bool] = True

    def __init__(self, span: int, first_seen: FirstSeen) -> None:
        """`span`: seconds."""
        self.span = span
        self.step = span // 4
        self._first_seen = first_seen
        self._oldest = int(first_seen.first.min(initial=NEVER))
        self._lock = Lock()
        self._pause: int | None = None
        self._training = True
        self._cached: tuple[int, Float32] | None = None

    @property
    def youngest(self) -> int:
        """The least age that is told from others, seconds."""
        return self._first_seen.youngest

    @property
    def name(self) -> str:
        """``freshness-<hours>h``, or ``freshness-<minutes>m`` below an hour."""
        return f"{self.kind}-{span_name(self.span)}"

    def _now(self, query: RankerQuery) -> int:
        if self._training:
            return query.now
        if self._pause is None:
            return self._first_seen.end
        return max((query.now - self._pause) // self.step * self.step, self._first_seen.end)

    def feature(self, query: RankerQuery) -> Float32:
        """See the class."""
        now = self._now(query)
        cached = self._cached
        if cached is None or cached[0] != now:
            with self._lock:
                cached = self._cached = (now, self._of(self._first_seen.first, now))
        return cached[1]

    def lazy(self, query: RankerQuery) -> LazyScores:
        """See `BaseRanker.lazy`: the newest are found by their place in the order of first events."""
        return _FreshnessScores(self, self._now(query))

    def _of(self, first: Int64, now: int) -> Float32:
        """The feature of items first met then."""
        if self._training:
            first = np.where(first < now, first, self._oldest)
        age = np.maximum(now - np.minimum(first, now), self._first_seen.youngest)
        found: Float32 = -np.log1p(age / self.span).astype(np.float32)
        return found

    def unseen_value(self, query: RankerQuery) -> float:
        """See `BaseRanker.unseen_value`."""
        return float(self._of(np.array([NEVER]), self._now(query))[0])

    def partial_fit(self, item: Int32, time: Int64, weight: Float32, gap: Float32 | None = None) -> None:
        """See `OnlineRanker.partial_fit`."""
        if not len(item):
            return
        with self._lock:
            first = self._first_seen.first
            new = np.flatnonzero(first[item] == NEVER)
            if len(new):
                first = first.copy()
                np.minimum.at(first, item[new], time[new] - (self._pause or 0))
                self._first_seen = replace(self._first_seen, first=first)
                self._oldest = min(self._oldest, int(first.min()))
                self._cached = None

    def for_new_items(self) -> Freshness:
        """See `OnlineRanker.for_new_items`."""
        found = Freshness(self.span, replace(self._first_seen, first=np.empty(0, np.int64)))
        found.freeze()
        return found

    def grow(self, n: int) -> None:
        """See `OnlineRanker.grow`."""
        with self._lock:
            first = self._first_seen.first
            first = np.concatenate((first, np.full(max(0, n - len(first)), NEVER)))
            self._first_seen = replace(self._first_seen, first=first)
            self._cached = None

    @property
    def frozen(self) -> bool:
        """See `OnlineRanker.frozen`."""
        return not self._training

    def freeze(self) -> None:
        """See `OnlineRanker.freeze`."""
        self._training = False
        self._cached = None

    def start_clock(self, pause: int = 0) -> None:
        """See `OnlineRanker.start_clock`."""
        self._pause = pause

    def save(self, folder: Path) -> None:
        """An array, and the moment at which the events ended."""
        np.save(folder / f"{self.name}.npy", self._first_seen.first)
        state = {"span": self.span, "end": self._first_seen.end, "youngest": self._first_seen.youngest}
        (folder / f"{self.name}.json").write_text(json.dumps(state))

    @classmethod
    def load(cls, folder: Path, name: str) -> Freshness:
        """Map what `save` wrote."""
        state = json.loads((folder / f"{name}.json").read_text())
        first_seen = FirstSeen(mapped(folder / f"{name}.npy"), state["end"], state["youngest"])
        opened = cls(state["span"], first_seen)
        opened.freeze()
        return opened


@dataclass(frozen=True)
class _FreshnessScores(LazyScores):
    ranker: Freshness
    now: int

    def at(self, rows: Int64) -> Float32:
        """See `LazyScores`."""
        return self.ranker._of(self.ranker._first_seen.first[rows], self.now)

    def top(self, k: int) -> Int64:
        """See `LazyScores`."""
        first_seen = self.ranker._first_seen
        met = int(np.searchsorted(first_seen.ordered, self.now))
        return first_seen.order[max(0, met - k) : met]
