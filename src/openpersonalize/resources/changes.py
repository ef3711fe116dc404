"""The change feed of the metadata store, `ChangeFeed`: did resources or jobs change? Told without I/O."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from ..logs import RepeatedErrors
from ..storage.counters import Counters
from .sqlitedatabase import SqliteDatabase
from .store import stored_changes

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
"""How often the database itself is looked at. A change is told late, after two such looks, only when the
process that made it was killed between its commit and the next line."""


class ChangeFeed:
    """Numbers in memory that differ after every change, and a thread that sees to it that none is missed.

    Every transaction that changes resources counts itself in the table `change_numbers`, so it can be told
    from those that only renew leases or write progress down.

    Args:
        database: what is watched.
        counters: the memory that all processes with this database share.
    """

    def __init__(self, database: SqliteDatabase, counters: Counters) -> None:
        self._database = database
        self._counters = counters
        self._listeners: list[Callable[[], None]] = []
        self._missing: int | None = None
        number = self._stored_number()
        if number != counters.value("resources-number"):
            self.resources_changed(number)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="change-feed", daemon=True)
        self._thread.start()

    def resources_version(self) -> int:
        """See `MetadataStore.resources_version`."""
        return self._counters.value("resources")

    def jobs_version(self) -> int:
        """See `MetadataStore.jobs_version`."""
        return self._counters.value("jobs")

    def resources_changed(self, number: int) -> None:
        """Tell all processes, after the commit."""
        self._counters.bump("resources")
        self._counters.put("resources-number", number)

    def jobs_changed(self) -> None:
        """Tell all processes, after the commit, that there may be a job to begin or to stop."""
        self._counters.bump("jobs")
        for listener in self._listeners:
            listener()

    def on_jobs_changed(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each such commit of this process. It must be quick."""
        self._listeners.append(listener)

    def close(self) -> None:
        """Stop watching."""
        self._closing.set()
        self._thread.join()
        self._counters.close()

    def _watch(self) -> None:
        seen: int | None = None
        errors = RepeatedErrors(log, "The metadata database cannot be watched; trying again")
        while not self._closing.wait(LOOK_SECONDS):
            try:
                token = self._database.data_version()
                if token != seen or self._missing is not None:
                    self._catch_up()
                seen = token
                errors.well()
            except Exception as error:  # noqa: BLE001 - told, and tried again
                errors.met(error)

    def _catch_up(self) -> None:
        """Tell of a change whose process did not live to tell of it: one that was committed by the last look
        and is untold at this one."""
        told = self._counters.value("resources-number")
        number = self._stored_number()
        if self._missing is not None and told < self._missing:
            self.resources_changed(number)
        self._missing = number if told < number else None

    def _stored_number(self) -> int:
        with self._database.reading() as connection:
            return stored_changes(connection)
