"""The events of all users in order of time: `Timeline`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arrays import Float32, Int32, Int64


@dataclass(frozen=True)
class Timeline:
    """Events in order of time: int32[N] items, int64[N] seconds, float32[N] weights."""

    item: Int32
    time: Int64
    weight: Float32

    @classmethod
    def of(cls, item: Int32, time: Int64, weight: Float32) -> Timeline:
        """Sort events by time."""
        order = np.argsort(time, kind="stable")
        alike = weight.strides == (0,)
        return cls(item[order], time[order], weight if alike else weight[order])
