"""Requests of S3 in work, `Transfers`: bounded in all and for each address, so that nobody who reads or sends
slowly, be it through a signed URL that went round, keeps the others out."""

from __future__ import annotations

from collections import Counter

from ..connections import network_of
from .faults import Fault


class Transfers:
    """One per process; used from the event loop's thread only."""

    def __init__(self, most: int) -> None:
        """Args:
        most: at once; one address may have half of them.
        """
        self._most = most
        self._by_address: Counter[str] = Counter()
        self._total = 0

    def begin(self, address: str) -> None:
        """Count one in; pair with `end`.

        Raises:
            Fault: SlowDown: there are too many.
        """
        network = network_of(address)
        if self._total >= self._most or self._by_address[network] >= max(1, self._most // 2):
            raise Fault("SlowDown", "Please reduce your request rate: too many requests are in work.")
        self._total += 1
        self._by_address[network] += 1

    def end(self, address: str) -> None:
        """Count one out."""
        network = network_of(address)
        self._total -= 1
        self._by_address[network] -= 1
        if not self._by_address[network]:
            del self._by_address[network]
