"""Where the pages beside the operations are made: in two threads of their own, so that whoever reads pages
keeps nobody's calls waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from ..errors import Throttled

Made = TypeVar("Made")

THREADS = 2
MOST = 16
"""Pages being made or waiting for it; more are turned away."""
KEPT_SECONDS = 1.0


class PagePool:
    """One per process; used from the event loop's thread only."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Args:
        clock: seconds, monotonic.
        """
        self._clock = clock
        self._threads = ThreadPoolExecutor(THREADS, "page")
        self._at_work = 0
        self._kept: dict[str, tuple[float, asyncio.Future[bytes]]] = {}

    async def made(self, make: Callable[..., Made], *arguments: Any) -> Made:
        """A page, or a part of one, made for one request.

        Raises:
            Throttled: too many are being made.
        """
        if self._at_work >= MOST:
            raise Throttled
        self._at_work += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, make, *arguments)
        finally:
            self._at_work -= 1

    async def kept(self, name: str, make: Callable[[], bytes]) -> bytes:
        """A page that is the same for everybody: made at most once in `KEPT_SECONDS`, and once for all who
        ask meanwhile."""
        found = self._kept.get(name)
        now = self._clock()
        if found is None or (found[1].done() and (now - found[0] > KEPT_SECONDS or found[1].exception())):
            making = asyncio.get_running_loop().run_in_executor(self._threads, make)
            found = self._kept[name] = (now, making)
        return await asyncio.shield(found[1])

    def close(self) -> None:
        """End the threads when their work is done."""
        self._threads.shutdown()
