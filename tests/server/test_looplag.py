"""The gauge shows the largest lag of the last windows, and forgets it again."""

import asyncio
import time
from typing import Any

from openpersonalize.server.looplag import LoopLag


def test_what_holds_the_loop_up_is_shown_for_two_windows() -> None:
    shown: list[float] = []

    async def journey() -> None:
        lag = LoopLag(shown.append, sample_seconds=0.005, window_seconds=0.1)
        lag.start()
        await asyncio.sleep(0.02)
        lag.request()
        time.sleep(0.08)
        await asyncio.sleep(0.02)
        assert 0.07 <= shown[-1] == max(shown)
        until = time.monotonic() + 5
        while shown[-1] > 0.07 and time.monotonic() < until:
            await asyncio.sleep(0.02)
        assert shown[-1] < 0.07
        lag.stop()

    asyncio.run(journey())


def test_an_idle_loop_is_left_alone_until_the_next_request() -> None:
    shown: list[float] = []

    async def journey() -> None:
        loop = asyncio.get_running_loop()
        timers: list[float] = []
        call_at = loop.call_at

        def counted(when: float, *arguments: Any, **more: Any) -> asyncio.TimerHandle:
            timers.append(when)
            return call_at(when, *arguments, **more)

        loop.call_at = counted  # type: ignore[assignment, method-assign]
        lag = LoopLag(shown.append, sample_seconds=0.005, window_seconds=60.0, rest_seconds=30.0)
        lag.start()
        await asyncio.sleep(0.5)  # 100 samples if it did not rest
        assert len(timers) < 20
        lag.request()
        time.sleep(0.08)
        await asyncio.sleep(0.02)
        assert shown[-1] >= 0.07
        lag.stop()

    asyncio.run(journey())
