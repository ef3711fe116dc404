"""Exponentially decayed counts at moments that only move on, evaluated lazily: `DecayedCounts`.

All counts decay alike, so none overtakes another but by events of its own: the largest are kept, and the
others are never looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arrays import Float32, Float64, Int64, sorted_unique
from .lazy_scores import LazyScores
from .timeline import Timeline
from .topk import top_k

AHEAD = 200
"""Half-lives after which the counts are scaled anew: they are kept as of one moment, and grow without end."""


class DecayedCounts:
    """Counts of the users of a timeline's events before a moment that only moves on (see `returns`).

    A question costs the events since the one before, not the catalogue; 8 bytes an item.
    """

    def __init__(self, half_life: int, step: int, n: int, timeline: Timeline) -> None:
        """Nothing counted yet. Moments are `step` seconds apart."""
        self.half_life, self.step, self.timeline = half_life, step, timeline
        self.boundary = 0
        self._since = 0
        self._counts: Float64 = np.zeros(n)
        self._fed = 0
        self._leads: Int64 = np.zeros(0, dtype=np.int64)
        self._room = 0

    def moved(self, boundary: int) -> LazyScores:
        """Count the events before moment `boundary`, in steps; answers as of then."""
        self.boundary = boundary
        now = boundary * self.step
        end = int(np.searchsorted(self.timeline.time, now))
        if not self._fed or now - self._since > AHEAD * self.half_life:
            self._counts *= np.exp2(max((self._since - now) / self.half_life, -1000.0))
            self._since = now
        if end > self._fed:
            some = slice(self._fed, end)
            item, age = self.timeline.item[some], self.timeline.time[some] - self._since
            grown = np.exp2(np.maximum(age / self.half_life, -1000.0)) * self.timeline.news(
                some, self.half_life
            )
            if end - self._fed < len(self._counts):
                np.add.at(self._counts, item, grown)
            else:
                self._counts += np.bincount(item, weights=grown, minlength=len(self._counts))
            self._fed = end
            self._lead(sorted_unique(item.astype(np.int64)))
        return _DecayedScores(self, np.exp2((self._since - now) / self.half_life))

    def _lead(self, touched: Int64) -> None:
        """Those that may lead now: the ones that did, and the ones that events came for."""
        if self._room:
            self._leads = self._largest(sorted_unique(np.concatenate((self._leads, touched))), self._room)

    def _largest(self, items: Int64, k: int) -> Int64:
        return items[top_k(self._counts[items], k)]

    def top(self, k: int) -> Int64:
        """At most `k` items of the largest counts."""
        if k > self._room:
            self._room = 2 * k
            self._leads = self._largest(np.flatnonzero(self._counts), self._room)
        return self._largest(self._leads, k)

    def counts(self, rows: Int64) -> Float64:
        """As of the moment they are kept for."""
        return self._counts[rows]


@dataclass(frozen=True)
class _DecayedScores(LazyScores):
    counts: DecayedCounts
    fade: float

    def at(self, rows: Int64) -> Float32:
        """See `LazyScores`."""
        return np.log1p(self.counts.counts(rows) * self.fade).astype(np.float32)

    def top(self, k: int) -> Int64:
        """See `LazyScores`."""
        return self.counts.top(k)
