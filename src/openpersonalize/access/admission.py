"""How much may come in: the load this process can hold and, on request, Amazon's call rates.

Shedding is always on: above `shed_after` requests in flight, or `MAX_BUFFERED` bytes of large bodies being
read, a request is turned away at once with ThrottlingException, which every AWS client retries with back-off.

Rates are kept only under ``quota_profile = aws``: 2500 runtime calls a second in all and, per campaign or
recommender and operation, the larger of 500 and its provisioned rate; per dataset group 1000 PutEvents and
PutActionInteractions a second and 10 PutItems, PutUsers and PutActions. A bucket holds one second's worth.
Each server process counts for itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import Throttled
from ..settings import Settings

MAX_BUFFERED = 256 * 1024 * 1024
SMALL_BODY = 64 * 1024
"""Bodies up to this size are not counted: `shed_after` bounds them well enough."""

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
_MOST_BUCKETS = 10_000
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


class Admission:
    """One per process; used from the event loop's thread only."""

    def __init__(
        self,
        settings: Settings,
        provisioned: Callable[[str], int] = lambda arn: 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Args:
        provisioned: rate that a campaign's or recommender's owner provisioned, 0 when unknown.
        clock: seconds, monotonic.
        """
        self.in_flight = 0
        self._shed_after = settings.shed_after
        self._buffered = 0
        self._rated = settings.quota_profile == "aws"
        self._provisioned = provisioned
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

    def reserve(self, size: int) -> int:
        """Make room for a body of `size` bytes; returns what to `release` afterwards.

        Raises:
            Throttled: too much is being read at the moment.
        """
        if size <= SMALL_BODY:
            return 0
        if self._buffered + size > MAX_BUFFERED:
            raise Throttled
        self._buffered += size
        return size

    def release(self, size: int) -> None:
        """Give back the room of a body."""
        self._buffered -= size

    def admit(self, operation: str, request: Mapping[str, Any], region: str) -> None:
        """Let a checked request pass under the call rates, if they are on.

        Raises:
            Throttled: its rate is exhausted.
        """
        if not self._rated:
            return
        if operation in _RUNTIME:
            arn = request.get("campaignArn") or request.get("recommenderArn") or ""
            self._take((operation, arn), lambda: max(RUNTIME_EACH, self._provisioned(arn)), refresh=True)
            self._take(("runtime", region), lambda: RUNTIME_TOTAL)
        elif operation in GROUP_RATES:
            target = request.get("trackingId") or _group(request.get("datasetArn", ""))
            self._take((operation, f"{region}/{target}"), lambda: GROUP_RATES[operation])

    def _take(self, name: tuple[str, str], rate: Callable[[], float], *, refresh: bool = False) -> None:
        now = self._clock()
        bucket = self._buckets.get(name)
        if bucket is None:
            if (
                len(self._buckets) >= _MOST_BUCKETS
            ):  # made-up names must not grow it; a forgotten bucket is a full one
                self._buckets.clear()
                self._asked.clear()
            bucket = self._buckets[name] = Bucket(rate(), now)
            self._asked[name] = now
        elif refresh and now - self._asked[name] > _PROVISIONED_SECONDS:
            bucket.rate = rate()
            self._asked[name] = now
        if not bucket.take(now):
            raise Throttled


def _group(dataset_arn: str) -> str:
    """The part of a dataset's ARN that names its group."""
    return dataset_arn.rsplit("/", 1)[0]
