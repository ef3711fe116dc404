"""The events of all users in order of time: `Timeline`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arrays import Float32, Int32, Int64
from .returns import news


@dataclass(frozen=True)
class Timeline:
    """Events in order of time: int32[N] items, int64[N] seconds, float32[N] weights, and float32[N] seconds
    since the same user met the same item before (see `returns`; None: every event is somebody else's)."""

    item: Int32
    time: Int64
    weight: Float32
    gap: Float32 | None = None

    @classmethod
    def of(cls, item: Int32, time: Int64, weight: Float32, gap: Float32 | None = None) -> Timeline:
        """Sort events by time."""
        order = np.argsort(time, kind="stable")
        alike = weight.strides == (0,)
        return cls(
            item[order],
            time[order],
            weight if alike else weight[order],
            None if gap is None else gap[order],
        )

    def news(self, some: slice, half_life: float) -> Float32:
        """float32[m], what these events add to a decayed count of users."""
        if self.gap is None:
            return self.weight[some]
        return self.weight[some] * news(self.gap[some], half_life)

    def first_meetings(self) -> Timeline:
        """Only the events with which a user first met an item."""
        if self.gap is None:
            return self
        first = np.isinf(self.gap)
        return Timeline(self.item[first], self.time[first], self.weight[first], self.gap[first])
