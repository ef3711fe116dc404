"""The gauge shows the largest lag of the last windows, and forgets it again."""

import asyncio
import time

from openpersonalize.server.looplag import LoopLag


def test_what_holds_the_loop_up_is_shown_for_two_windows() -> None:
    shown: list[float] = []

    async def journey() -> None:
        lag = LoopLag(shown.append, sample_seconds=0.005, window_seconds=0.1)
        lag.start()
        await asyncio.sleep(0.02)
        time.sleep(0.08)
        await asyncio.sleep(0.02)
        assert 0.07 <= shown[-1] == max(shown)
        until = time.monotonic() + 5
        while shown[-1] > 0.07 and time.monotonic() < until:
            await asyncio.sleep(0.02)
        assert shown[-1] < 0.07
        lag.stop()

    asyncio.run(journey())
