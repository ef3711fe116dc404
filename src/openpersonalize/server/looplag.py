"""The event loop's lag, how much later than asked it gets to things: `LoopLag`.

Everything that the loop does at a time is everybody's latency. A task asks to be woken every
`SAMPLE_SECONDS`; how much later it is woken is the lag. What is shown is the largest lag of the last
`WINDOW_SECONDS`, and of the window before it, so that a scrape every ten seconds misses none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

SAMPLE_SECONDS = 0.05
WINDOW_SECONDS = 10.0


class LoopLag:
    """Measures the loop that `start` is called on. Costs some microseconds a sample."""

    def __init__(
        self,
        show: Callable[[float], None],
        sample_seconds: float = SAMPLE_SECONDS,
        window_seconds: float = WINDOW_SECONDS,
    ) -> None:
        """`show` is told the largest lag whenever it changes, in seconds."""
        self._show, self._sample, self._window = show, sample_seconds, window_seconds
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to measure."""
        self._task = asyncio.get_running_loop().create_task(self._watch())

    def stop(self) -> None:
        """Measure no more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        before = largest = shown = 0.0
        ends = loop.time() + self._window
        while True:
            due = loop.time() + self._sample
            await asyncio.sleep(self._sample)
            now = loop.time()
            largest = max(largest, now - due)
            if max(before, largest) != shown:
                shown = max(before, largest)
                self._show(shown)
            if now >= ends:
                before, largest, ends = largest, 0.0, now + self._window
