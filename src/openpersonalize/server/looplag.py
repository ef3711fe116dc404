"""The event loop's lag, how much later than asked it gets to things: `LoopLag`.

Everything that the loop does at a time is everybody's latency. A timer is due every
`SAMPLE_SECONDS`; how much later it goes off is the lag. What is shown is the largest lag of the last
`WINDOW_SECONDS`, and of the window before it, so that a scrape every ten seconds misses none. While nobody
asks for anything it samples ever more rarely, down to every `REST_SECONDS`, and from the next request on as
often as before: an idle server has nothing to wake up for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

SAMPLE_SECONDS = 0.05
WINDOW_SECONDS = 10.0
REST_SECONDS = 1.0


class LoopLag:
    """Measures the loop that `start` is called on. Costs some microseconds a sample."""

    def __init__(
        self,
        show: Callable[[float], None],
        sample_seconds: float = SAMPLE_SECONDS,
        window_seconds: float = WINDOW_SECONDS,
        rest_seconds: float = REST_SECONDS,
    ) -> None:
        """`show` is told the largest lag whenever it changes, in seconds."""
        self._show = show
        self._shortest, self._window, self._longest = sample_seconds, window_seconds, rest_seconds
        self._pause = sample_seconds
        self._asked = False
        self._before = self._largest = self._shown = self._ends = self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to measure."""
        self._ends = asyncio.get_running_loop().time() + self._window
        self._wait(self._shortest)

    def stop(self) -> None:
        """Measure no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def request(self) -> None:
        """Something is to be done: call this before it, on the loop."""
        self._asked = True
        if self._pause == self._shortest or self._timer is None:
            return
        if asyncio.get_running_loop().time() < self._due:  # else the lag of that sample is yet to be seen
            self._timer.cancel()
            self._wait(self._shortest)

    def _wait(self, pause: float) -> None:
        loop = asyncio.get_running_loop()
        self._pause, self._due = pause, loop.time() + pause
        self._timer = loop.call_at(self._due, self._sample)

    def _sample(self) -> None:
        now = asyncio.get_running_loop().time()
        lag = now - self._due
        self._largest = max(self._largest, lag)
        if max(self._before, self._largest) != self._shown:
            self._shown = max(self._before, self._largest)
            self._show(self._shown)
        if now >= self._ends:
            self._before, self._largest, self._ends = self._largest, 0.0, now + self._window
        busy, self._asked = self._asked or lag > self._shortest, False
        self._wait(self._shortest if busy else min(2 * self._pause, self._longest))
