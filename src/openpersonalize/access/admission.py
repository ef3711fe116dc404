"""How much may come in: the load this process can hold and, on request, Amazon's call rates.

Shedding is always on: above `shed_after` requests in flight, `shed_after` requests whose bodies are still
awaited (counted apart, so that those who send nothing keep nobody from work), or `MAX_BUFFERED` bytes of
large bodies, a request is turned away at once with ThrottlingException, which every AWS client retries with
back-off. Half of the room for bodies is the most that one address may have.

Rates are kept only under ``quota_profile = aws``: 2500 runtime calls a second in all and, per campaign or
recommender and operation, the larger of 500 and its provisioned rate; per dataset group 1000 PutEvents and
PutActionInteractions a second and 10 PutItems, PutUsers and PutActions. A bucket holds one second's worth.
Each server process counts for itself.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ..errors import Throttled
from ..settings import Settings

MAX_BUFFERED = 256 * 1024 * 1024
SMALL_BODY = 64 * 1024
"""The first bytes of a body are not counted: `shed_after` bounds them well enough."""

RUNTIME_TOTAL = 2500
RUNTIME_EACH = 500
GROUP_RATES = {
    "PutEvents": 1000,
    "PutActionInteractions": 1000,
    "PutItems": 10,
    "PutUsers": 10,
    "PutActions": 10,
}
_RUNTIME = frozenset({"GetRecommendations", "GetPersonalizedRanking", "GetActionRecommendations"})
_PROVISIONED_SECONDS = 60.0


class Bucket:
    """A token bucket: `rate` calls a second, at most one second's worth saved up."""

    __slots__ = ("_at", "_left", "rate")

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self._left = rate
        self._at = now

    def take(self, now: float) -> bool:
        """Whether one more call may pass."""
        self._left = min(self.rate, self._left + (now - self._at) * self.rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class BodyRoom:
    """The room that one request's body takes, from its first byte until the request is answered."""

    __slots__ = ("_address", "_admission", "_taken", "_waits")

    def __init__(self, admission: Admission, address: str) -> None:
        self._admission = admission
        self._address = address
        self._taken = 0
        self._waits = False

    def wait(self) -> None:
        """Count the request among those whose bodies are awaited, until `arrived` or `close`.

        Raises:
            Throttled: too many are awaited, in all or from the address.
        """
        if not self._waits:
            self._admission.begin_waiting(self._address)
            self._waits = True

    def arrived(self) -> None:
        """The body is there."""
        if self._waits:
            self._waits = False
            self._admission.end_waiting(self._address)

    def grow(self, size: int) -> None:
        """Make room for a body that has `size` bytes by now.

        Raises:
            Throttled: bodies take too much at the moment, in all or from the address.
        """
        more = size - SMALL_BODY - self._taken
        if more > 0:
            self._admission.reserve(self._address, more)
            self._taken += more

    def close(self) -> None:
        """Give everything back."""
        self.arrived()
        if self._taken:
            self._admission.release(self._address, self._taken)
            self._taken = 0


class Admission:
    """One per process; used from the event loop's thread only.

    Attributes:
        in_flight: requests in hand.
        awaited: requests whose bodies are awaited.
        rated: whether call rates are kept.
    """

    def __init__(
        self,
        settings: Settings,
        provisioned: Callable[[str], Awaitable[int]] | None = None,
        clock: Callable[[], float] = time.monotonic,
        most_buckets: int = 10_000,
    ) -> None:
        """Args:
        provisioned: reads the rate that a campaign's or recommender's owner provisioned, 0 when unknown.
        clock: seconds, monotonic.
        most_buckets: targets whose rates are counted at once.
        """
        self.in_flight = 0
        self.awaited = 0
        self._shed_after = settings.shed_after
        self._buffered = 0
        self._awaited_of: dict[str, int] = {}
        self._buffered_of: dict[str, int] = {}
        self.rated = settings.quota_profile == "aws"
        self._provisioned = provisioned
        self._most_buckets = most_buckets
        self._clock = clock
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._asked: dict[tuple[str, str], float] = {}

    def enter(self) -> None:
        """Count a request in; pair with `leave`.

        Raises:
            Throttled: too many are in flight already.
        """
        if self.in_flight >= self._shed_after:
            raise Throttled
        self.in_flight += 1

    def leave(self) -> None:
        """Count a request out."""
        self.in_flight -= 1

    def begin_waiting(self, address: str) -> None:
        """Count a request whose body is awaited; pair with `end_waiting`.

        Raises:
            Throttled: too many are, in all or from `address`.
        """
        held = self._awaited_of.get(address, 0)
        if self.awaited >= self._shed_after or held >= max(1, self._shed_after // 2):
            raise Throttled
        self.awaited += 1
        self._awaited_of[address] = held + 1

    def end_waiting(self, address: str) -> None:
        """The body is awaited no more."""
        self.awaited -= 1
        _lower(self._awaited_of, address, 1)

    def reserve(self, address: str, size: int) -> None:
        """Make room for `size` bytes of a body; pair with `release`.

        Raises:
            Throttled: bodies take too much at the moment, in all or from `address`.
        """
        held = self._buffered_of.get(address, 0)
        if self._buffered + size > MAX_BUFFERED or held + size > MAX_BUFFERED // 2:
            raise Throttled
        self._buffered += size
        self._buffered_of[address] = held + size

    def release(self, address: str, size: int) -> None:
        """Give back the room of a body."""
        self._buffered -= size
        _lower(self._buffered_of, address, size)

    async def admit(self, operation: str, request: Mapping[str, Any], region: str) -> None:
        """Let a checked request pass under the call rates; only where they are `rated`.

        Raises:
            Throttled: its rate is exhausted.
        """
        if operation in _RUNTIME:
            arn = request.get("campaignArn") or request.get("recommenderArn") or ""
            self._take((operation, arn), await self._rate_of(operation, arn))
            self._take(("runtime", region), RUNTIME_TOTAL)
        elif operation in GROUP_RATES:
            target = request.get("trackingId") or _group(request.get("datasetArn", ""))
            self._take((operation, f"{region}/{target}"), GROUP_RATES[operation])

    async def _rate_of(self, operation: str, arn: str) -> float:
        """The rate of a campaign or recommender; what its owner provisioned is asked for now and then."""
        now = self._clock()
        bucket = self._buckets.get((operation, arn))
        if self._provisioned is None:
            return RUNTIME_EACH
        asked = self._asked.get((operation, arn))
        if bucket is not None and asked is not None and now - asked <= _PROVISIONED_SECONDS:
            return bucket.rate
        rate = max(RUNTIME_EACH, await self._provisioned(arn))
        if len(self._asked) >= self._most_buckets:
            self._asked.clear()
        self._asked[operation, arn] = now
        return rate

    def _take(self, name: tuple[str, str], rate: float) -> None:
        now = self._clock()
        bucket = self._buckets.get(name)
        if bucket is None:
            if len(self._buckets) >= self._most_buckets:
                self._buckets.clear()  # made-up names must not grow it; a forgotten bucket is a full one
            bucket = self._buckets[name] = Bucket(rate, now)
        bucket.rate = rate
        if not bucket.take(now):
            raise Throttled


def _lower(counts: dict[str, int], name: str, by: int) -> None:
    """Lower a count; what reaches nothing is forgotten."""
    left = counts[name] - by
    if left:
        counts[name] = left
    else:
        del counts[name]


def _group(dataset_arn: str) -> str:
    """The part of a dataset's ARN that names its group."""
    return dataset_arn.rsplit("/", 1)[0]
