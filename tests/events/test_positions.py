"""The contract's test of positions can fail: a log that numbers by a database sequence does not pass."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from itertools import count

import polars as pl
import pytest

from contract.live_log import LiveLogContract
from openpersonalize.events.entries import COUNTS, Event, LoggedEvent, News


class Sequenced:
    """Numbers of a sequence, given out before the commit: the first commits when a later one was read."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._passed = threading.Event()
        self._committed: dict[int, Event] = {}
        self._lock = threading.Lock()

    def append(self, stream: str, entries: Sequence[Event]) -> Future[int]:
        future: Future[int] = Future()
        with self._lock:
            number = next(self._numbers)
        if number == 1:
            assert self._passed.wait(10)
        with self._lock:
            self._committed[number] = entries[0]
        future.set_result(number)
        return future

    def position(self) -> int:
        with self._lock:
            return max(self._committed, default=0)

    def tail(self) -> Sequenced:
        return self

    def close(self) -> None:
        """Nothing is open."""

    def news(self, after: int, limit: int) -> News:
        with self._lock:
            found = sorted(number for number in self._committed if number > after)
        if found:
            self._passed.set()
        events = [LoggedEvent(number, "s", "u", "i", 1, "click", None, COUNTS) for number in found]
        return News(events, {}, [], max(found, default=after), False)

    def interactions_frame(self, stream: str, schema: object, after: int, up_to: int) -> pl.DataFrame:
        return pl.DataFrame({"#ARRIVAL": list(self._seen(after, up_to))}, schema={"#ARRIVAL": pl.Int64})

    def _seen(self, after: int, up_to: int) -> Iterator[int]:
        with self._lock:
            yield from sorted(number for number in self._committed if after < number <= up_to)


def test_a_sequence_with_late_commits_fails_the_contract() -> None:
    log = Sequenced()
    with pytest.raises(AssertionError):
        LiveLogContract().test_nothing_appears_behind_a_reader(lambda: log)  # type: ignore[arg-type,return-value]
