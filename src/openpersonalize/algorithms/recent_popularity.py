"""Popularity at a moment, as an online base ranker, `RecentPopularity`: exponentially decayed counts of
users, moved on in complete steps of a quarter of the half-life. A user counts once for an item, by the newest
event (`returns`).

What everybody does now is the strongest single hint where items live short (news, intranet feeds). The state
is two arrays, whatever the number of events: it can follow live events for ever.
"""

from __future__ import annotations

import json
from pathlib import Path
from threading import Lock
from typing import ClassVar

import numpy as np

from .arrays import Float32, Float64, Int32, Int64
from .decayed_counts import DecayedCounts
from .lazy_scores import LazyScores
from .mapped import mapped
from .ranker import OnlineRanker, RankerQuery
from .returns import news
from .timeline import Timeline

HOUR = 3600
HALF_LIVES = (HOUR // 4, HOUR, 6 * HOUR, 24 * HOUR, 168 * HOUR, 720 * HOUR, 2160 * HOUR, 8760 * HOUR)
"""Half-lives on offer, seconds."""

EVENTS_PER_HALF_LIFE = 4
"""Events that a half-life must see on average to tell what comes next."""

MOST_HALF_LIVES = 6

DENSITY_SAMPLE = 1_000_000
"""About as many events, evenly spread, tell how dense they are."""


def half_lives(time: Int64) -> tuple[int, ...]:
    """Those of `HALF_LIVES` that see `EVENTS_PER_HALF_LIFE` events on average, shortest first, at most
    `MOST_HALF_LIVES`."""
    if not len(time):
        return ()
    some = time[:: max(1, len(time) // DENSITY_SAMPLE)]
    span = max(int(np.quantile(some, 0.99)) - int(np.quantile(some, 0.01)), 1)
    rate = 0.98 * len(time) / span
    fitting = [one for one in HALF_LIVES if one * rate >= EVENTS_PER_HALF_LIFE and one <= span]
    return tuple(fitting[:MOST_HALF_LIVES])


def span_name(seconds: int) -> str:
    """``<hours>h``, or ``<minutes>m`` below an hour."""
    return f"{seconds // HOUR}h" if seconds >= HOUR else f"{seconds // 60}m"


class RecentPopularity(OnlineRanker):
    """Feature: log(1 + faded count) at the last complete step before the moment of the history.

    While training, `timeline` holds all events, and the state is moved to the moment that is asked for:
    cheap when histories come in order of time. Afterwards (`freeze`) the clock
    stands where the events ended, all of them counted, until `start_clock` lets it run.
    """

    kind: ClassVar[str] = "recent"
    signed_weight: ClassVar[bool] = True
    user_independent: ClassVar[bool] = True

    def __init__(self, half_life: int, n: int, timeline: Timeline | None = None) -> None:
        """Nothing counted yet."""
        self.half_life = half_life
        self.step = half_life // 4
        self._timeline = timeline
        self._lock = Lock()
        self._standing = False
        self._pause = 0
        self._decayed: DecayedCounts | None = None
        self._start(n)

    def _start(self, n: int) -> None:
        self._fed = 0
        self._boundary: int | None = None
        self._complete: Float64 = np.zeros(n)
        self._pending: Float64 = np.zeros(n)
        self._cached: tuple[int, Float32] | None = None

    @property
    def name(self) -> str:
        """``recent-<hours>h``, or ``recent-<minutes>m`` below an hour."""
        return f"{self.kind}-{span_name(self.half_life)}"

    def partial_fit(self, item: Int32, time: Int64, weight: Float32, gap: Float32 | None = None) -> None:
        """See `OnlineRanker.partial_fit`."""
        if not len(item):
            return
        if gap is not None:
            weight = weight * news(gap, self.half_life)
        with self._lock:
            time = time - self._pause
            if self._boundary is None:
                self._boundary = int(time[0]) // self.step
            time = np.maximum(time, self._boundary * self.step)
            boundary = int(time[-1]) // self.step
            complete, pending = self._at(boundary), self._pending
            if boundary > self._boundary:
                pending = np.zeros_like(pending)
            parted = int(np.searchsorted(time, boundary * self.step))
            self._complete = complete + self._faded(item[:parted], time[:parted], weight[:parted], boundary)
            self._pending = pending + self._faded(item[parted:], time[parted:], weight[parted:], boundary + 1)
            self._boundary = boundary
            self._cached = None

    def _faded(self, item: Int32, time: Int64, weight: Float32, boundary: int) -> Float64:
        fade = np.exp2((time - boundary * self.step) / self.half_life) * weight
        return np.bincount(item, weights=fade, minlength=len(self._complete)).astype(np.float64)

    def _at(self, boundary: int) -> Float64:
        ahead = boundary - (self._boundary or 0)
        if ahead <= 0 or self._boundary is None:
            return self._complete
        fades = np.exp2(np.array([-ahead / 4, (1 - ahead) / 4]))
        return np.asarray(self._complete * fades[0] + self._pending * fades[1])

    def feature(self, query: RankerQuery) -> Float32:
        """See the class."""
        if self._timeline is not None:
            self._move(query.now)
        boundary = (self._boundary or 0) + 1
        if not self._standing:
            boundary = max((query.now - self._pause) // self.step, self._boundary or 0)
        cached = self._cached
        if cached is None or cached[0] != boundary:
            with self._lock:
                cached = (boundary, np.log1p(self._at(boundary)).astype(np.float32))
                self._cached = cached
        return cached[1]

    def lazy(self, query: RankerQuery) -> LazyScores:
        """See `BaseRanker.lazy`: while training nothing is written out for the whole catalogue."""
        if self._timeline is None:
            return super().lazy(query)
        boundary = query.now // self.step
        if self._decayed is None or self._decayed.boundary > boundary:
            self._decayed = DecayedCounts(self.half_life, self.step, len(self._complete), self._timeline)
        return self._decayed.moved(boundary)

    def _move(self, now: int) -> None:
        """Count the events of the timeline before `now`, all anew when they were counted beyond it."""
        assert self._timeline is not None
        if self._boundary is not None and now // self.step < self._boundary:
            self._start(len(self._complete))
        end = int(np.searchsorted(self._timeline.time, now // self.step * self.step))
        if end > self._fed:
            self._take(self._timeline, slice(self._fed, end))
            self._fed = end

    def _take(self, timeline: Timeline, some: slice) -> None:
        added = timeline.news(some, self.half_life)
        self.partial_fit(timeline.item[some], timeline.time[some], added)

    def for_new_items(self) -> RecentPopularity:
        """See `OnlineRanker.for_new_items`."""
        return RecentPopularity(self.half_life, 0)

    def grow(self, n: int) -> None:
        """See `OnlineRanker.grow`."""
        with self._lock:
            more = np.zeros(max(0, n - len(self._complete)))
            self._complete = np.concatenate((self._complete, more))
            self._pending = np.concatenate((self._pending, more))
            self._cached = None

    @property
    def frozen(self) -> bool:
        """See `OnlineRanker.frozen`."""
        return self._timeline is None

    def freeze(self) -> None:
        """Count the timeline to its end and let go of it; see `OnlineRanker.freeze`."""
        if self._timeline is not None:
            self._start(len(self._complete))
            self._take(self._timeline, slice(None))
            self._timeline = self._decayed = None
            self._standing = True

    def start_clock(self, pause: int = 0) -> None:
        """See `OnlineRanker.start_clock`."""
        self._pause = pause
        self._standing = False

    def save(self, folder: Path) -> None:
        """Two arrays and where they stand."""
        np.save(folder / f"{self.name}.npy", np.stack([self._complete, self._pending]))
        state = {"half_life": self.half_life, "boundary": self._boundary}
        (folder / f"{self.name}.json").write_text(json.dumps(state))

    @classmethod
    def load(cls, folder: Path, name: str) -> RecentPopularity:
        """Map what `save` wrote."""
        state = json.loads((folder / f"{name}.json").read_text())
        complete, pending = mapped(folder / f"{name}.npy")
        recent = cls(state["half_life"], len(complete))
        recent._boundary, recent._complete, recent._pending = state["boundary"], complete, pending
        recent._standing = True
        return recent
