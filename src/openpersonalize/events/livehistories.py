"""A cache of users' live histories, bounded by bytes: `LiveHistories`."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from ..caching import ByteLRU
from .entries import COUNTS, Forgotten, LoggedEvent
from .history import History

_ENTRY = 100
"""Bytes of one kept user besides the history and what the cache charges: the key's tuple and string."""

AT_ONCE = 500
"""Events taken in before others get at the cache again: about a millisecond."""

Key = tuple[str, str]
"""Stream and subject."""


class LiveHistories:
    """Histories by stream and subject (a user, or an anonymous session by its id). Safe to call from any
    thread; no call does I/O or waits for more than `AT_ONCE` events.

    Memory: `budget` bytes by the histories' own estimate; what was unused for longest goes first.
    """

    def __init__(self, budget: int) -> None:
        self._kept: ByteLRU[History] = ByteLRU(budget, lambda history: history.nbytes + _ENTRY, "histories")
        self._lock = threading.Lock()

    def get(self, key: Key) -> History | None:
        """The history that is kept; None: it has to be read."""
        with self._lock:
            return self._kept.get(key)

    def put(self, key: Key, history: History) -> None:
        """Keep a history."""
        with self._lock:
            self._kept.put(key, history)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()

    def add(self, events: Sequence[LoggedEvent]) -> None:
        """Add events, in order of position, to the histories that are kept; the others are read when asked
        for."""
        for start in range(0, len(events), AT_ONCE):
            added: dict[Key, list[LoggedEvent]] = {}
            with self._lock:
                for event in events[start : start + AT_ONCE]:
                    key = (event.stream, event.subject)
                    if event.mark == COUNTS and key in self._kept:
                        added.setdefault(key, []).append(event)
                for key, new in added.items():
                    old = self._kept.get(key)
                    if old is None:
                        continue  # made room for another one
                    # A history may have been read after the news: what it holds already is not added twice.
                    later = [event for event in new if event.position > old.newest]
                    if later:
                        self._kept.put(key, old.extended(later))

    def forget(self, removals: Sequence[Forgotten]) -> None:
        """Drop what was removed from the log."""
        with self._lock:
            for removal in removals:
                if removal.subject is not None:
                    self._kept.drop((removal.stream, removal.subject))
                else:
                    for key in self._kept:
                        if key[0] == removal.stream:
                            self._kept.drop(key)
