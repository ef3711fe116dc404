"""Interactions packed by user, in the layout of compressed sparse rows: what rankers are fitted on,
`Events`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arrays import Float32, Int16, Int32, Int64


@dataclass(frozen=True)
class Events:
    """All events, by user and oldest first; user u's are ``ptr[u]:ptr[u + 1]``.

    ptr int64[U+1], item int32[N] in 0..n-1, time int64[N] seconds, event int16[N] (-1 unknown), weight
    float32[N].
    """

    ptr: Int64
    item: Int32
    time: Int64
    event: Int16
    weight: Float32
    n: int

    @property
    def user(self) -> Int32:
        """int32[N], the user of each event."""
        return np.repeat(np.arange(len(self.ptr) - 1, dtype=np.int32), np.diff(self.ptr))
