"""What one process knows of the live log's tail: histories of users, and where datasets last changed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import NamedTuple

from .entries import COUNTS, LoggedEvent
from .history import EVENT_BYTES, History
from .livelog import LiveLog, stream_of

LONGEST_STEP = 20_000
"""Events told one by one; further behind, what is kept is dropped and read again when asked for."""

_ENTRY = 300
"""Bytes of one kept user besides the history: the key's tuple and string, the table's cell."""


class _Kept(NamedTuple):
    """A history in memory and about how many bytes it takes."""

    history: History
    size: int


class Follower:
    """Histories of users as of this moment, at the cost of a look when nothing is new (about 3 us).

    Every call first takes in what was written since the last one by any process, so that an answer made
    after an acknowledgement knows of it. Histories are kept in memory, least recently used ones are dropped
    beyond the budget; a history not kept is one indexed read. Safe to call from any thread.

    Memory: `budget` bytes of histories by their own estimate, and a few numbers for each dataset.
    """

    def __init__(self, log: LiveLog, budget: int) -> None:
        """Follow `log`, keeping at most about `budget` bytes of histories."""
        self._tail = log.tail()
        self._budget = budget
        self._lock = threading.Lock()
        self._position = log.position()
        self._behind = False
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._bytes = 0
        self._puts: dict[str, int] = {}
        self._forgets: dict[str, int] = {}
        self._forgets_else = 0
        self._start = self._position

    def catch_up(self) -> int:
        """Take in what is new; the position up to which everything is known."""
        with self._lock:
            self._catch_up()
            return self._position

    def history(self, stream: str, subject: str) -> History:
        """The live events of one user (or anonymous session, by its sessionId) that count, oldest first.

        Args:
            stream: ARN of the dataset group (or of its Interactions dataset).
            subject: userId or sessionId. Somebody unknown has an empty history.
        """
        key = (stream_of(stream), subject)
        with self._lock:
            self._catch_up()
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found.history
            history = self._tail.history(*key)
            self._keep(key, _Kept(history, history.nbytes + _ENTRY + len(subject)))
            self._shrink()
            return history

    def records_position(self, dataset: str) -> int:
        """The highest position at which a record of this dataset is known to have been written.

        Whoever holds the records up to some position compares: when this is greater, `LiveLog.records` with
        `after` set to that position tells what to add. It never decreases; for datasets untouched since the
        start of this process it is the position of the start.
        """
        with self._lock:
            self._catch_up()
            return self._puts.get(dataset, self._start)

    def forgotten_position(self, stream: str) -> int:
        """The highest position at which something was removed from this stream since the start, or 0.

        Whoever holds data derived from users of the stream (vectors, records) compares and drops it.
        """
        with self._lock:
            self._catch_up()
            return self._forgets.get(stream_of(stream), self._forgets_else)

    def close(self) -> None:
        """Release the reader."""
        with self._lock:
            self._tail.close()

    def _catch_up(self) -> None:
        if self._tail.changed():
            self._behind = True  # until all of it is taken in: a read that fails is tried again
        if not self._behind:
            return
        news = self._tail.news(self._position, LONGEST_STEP)
        if news.skipped:
            self._kept.clear()
            self._bytes = 0
            self._forgets = dict.fromkeys(self._forgets, news.position)
            self._forgets_else = news.position
        self._take_in(news.events)
        self._puts.update(news.records)
        for removal in news.forgotten:
            self._forgets[removal.stream] = removal.position
            self._drop(removal.stream, removal.subject)
        self._position = news.position
        self._behind = False
        self._shrink()

    def _take_in(self, events: list[LoggedEvent]) -> None:
        """Add events to the histories that are kept; the others are read when asked for."""
        added: dict[tuple[str, str], list[LoggedEvent]] = {}
        for event in events:
            key = (event.stream, event.subject)
            if event.mark == COUNTS and key in self._kept:
                added.setdefault(key, []).append(event)
        for key, new in added.items():
            old, size = self._kept[key]
            # A history may have been read after the news began: what it holds already is not added twice.
            later = [event for event in new if event.position > old.newest]
            size += sum(EVENT_BYTES + len(event.item) for event in later)
            self._keep(key, _Kept(old.extended(later), size))

    def _keep(self, key: tuple[str, str], kept: _Kept) -> None:
        """Keep a history, in the place of an older one when there is one."""
        before = self._kept.get(key)
        self._bytes += kept.size - (before.size if before is not None else 0)
        self._kept[key] = kept

    def _drop(self, stream: str, subject: str | None) -> None:
        gone = [(stream, subject)] if subject is not None else [key for key in self._kept if key[0] == stream]
        for key in gone:
            if key in self._kept:
                self._bytes -= self._kept.pop(key).size

    def _shrink(self) -> None:
        while self._bytes > self._budget and self._kept:
            self._bytes -= self._kept.popitem(last=False)[1].size
