"""The security log: who was turned away at the door, and why, at a rate that nobody can fill a disk with."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

BURST = 20
PER_SECOND = 2.0
_log = logging.getLogger(__name__)


class RefusalLog:
    """Log lines about refused requests and connections: `PER_SECOND` a second, `BURST` saved up; the next
    line says how many were left out. One per process; used from the event loop's thread only."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Args:
        clock: seconds, monotonic.
        """
        self._clock = clock
        self._at = clock()
        self._left = float(BURST)
        self._untold = 0

    def tell(self, peer: str, key_id: str, reason: str) -> None:
        """Log one refusal.

        Args:
            peer: the address that the connection comes from.
            key_id: the access key id that the request names, not proven; empty where it names none.
            reason: an AWS error code, or some words. At most 100 characters of each are shown.
        """
        now = self._clock()
        self._left = min(float(BURST), self._left + (now - self._at) * PER_SECOND)
        self._at = now
        if self._left < 1:
            self._untold += 1
            return
        self._left -= 1
        extra = {"peer": peer[:100], "reason": reason[:100]}
        if key_id:
            extra["key_id"] = key_id[:100]
        if self._untold:
            extra["not_logged"] = str(self._untold)
            self._untold = 0
        _log.warning("refused", extra=extra)
