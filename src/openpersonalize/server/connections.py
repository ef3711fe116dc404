"""The connections of a process: how many there may be, and how long each may take for what it is at.

Every connection has a deadline unless an operation of its is being answered; one timer looks at all of them,
because a timer each would cost as much as the rest of a small request.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Protocol

from ..access.refusals import RefusalLog


@dataclass(frozen=True)
class Limits:
    """What one connection, and all of them, may take.

    Attributes:
        head_bytes, head_fields: of a request line with its header fields, and the number of these.
        head_seconds: time for a head, from its first byte or from the opening of the connection.
        body_seconds: time for a body, from the end of its head.
        idle_seconds: time between an answer and the next request; longer than the pools of AWS clients keep a
            connection unused.
        write_seconds: time for a client to take an answer.
        linger_seconds, linger_bytes: what is still read, and dropped, after an answer that came before the
            end of its request, so that the client can read the answer.
        queued: requests that were sent before the first of them was answered.
        connections: in all.
        per_address: from one address; of IPv6, from one network of 64 bits.
    """

    head_bytes: int = 16 * 1024
    head_fields: int = 100
    head_seconds: float = 30.0
    body_seconds: float = 60.0
    idle_seconds: float = 75.0
    write_seconds: float = 60.0
    linger_seconds: float = 5.0
    linger_bytes: int = 16 * 1024 * 1024
    queued: int = 16
    connections: int = 4096
    per_address: int = 2048

    @property
    def look_seconds(self) -> float:
        """How often deadlines are looked at."""
        shortest = min(self.head_seconds, self.body_seconds, self.idle_seconds, self.write_seconds)
        return min(1.0, shortest / 4, self.linger_seconds / 4)


class Watched(Protocol):
    """What `Connections` needs to know of a connection.

    Attributes:
        deadline: on the clock of `Connections`; infinite while an operation is being answered.
    """

    deadline: float

    def expire(self) -> None:
        """Be told that the deadline is past."""


class Connections:
    """One per process; used from the event loop's thread only."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        """Args:
        clock: seconds, monotonic.
        """
        self.limits = limits
        self.clock = clock
        self.refusals = RefusalLog(clock)
        self._open: dict[Watched, str] = {}
        self._by_address: dict[str, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: Watched, address: str) -> bool:
        """Count a connection in, if there is room for it; pair with `remove`."""
        network = network_of(address)
        held = self._by_address.get(network, 0)
        if len(self._open) >= self.limits.connections:
            self.refusals.tell(address, "", f"all {self.limits.connections} connections are in use")
            return False
        if held >= self.limits.per_address:
            self.refusals.tell(address, "", f"the address has {held} connections already")
            return False
        self._open[connection] = network
        self._by_address[network] = held + 1
        if self._timer is None:
            self._set_timer()
        return True

    def remove(self, connection: Watched) -> None:
        """Count a connection out; one that was not let in is none."""
        network = self._open.pop(connection, None)
        if network is None:
            return
        held = self._by_address[network] - 1
        if held:
            self._by_address[network] = held
        else:
            del self._by_address[network]

    def look(self) -> None:
        """Tell those whose deadline is past."""
        now = self.clock()
        for connection in [each for each in self._open if each.deadline <= now]:
            connection.deadline = math.inf
            connection.expire()

    def _set_timer(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self.limits.look_seconds, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self.look()
        if self._open:
            self._set_timer()


def network_of(address: str) -> str:
    """What counts as one address: an IPv4 address, or the network of 64 bits of an IPv6 one."""
    if ":" not in address:
        return address
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(ip_network((int(parsed) >> 64 << 64, 64)))
    return str(parsed)
