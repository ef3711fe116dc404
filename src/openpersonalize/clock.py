"""The clock, injectable so that schedules can be tested in milliseconds."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time. Implementations are safe to call from any thread."""

    def now(self) -> float:
        """Seconds since the epoch (UTC), with at least millisecond resolution."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        return time.time()
