"""Leases of runners: `RunnerLease` is one runner's sign of life, `Observer` tells whose has fallen.

A runner with jobs renews its row in the table `runners` every second. Whoever sees that a row has not changed
for `LEASE_SECONDS` takes the runner for lost. The time between two looks is told by the observer's own
monotonic clock, so that clocks that differ, or are set, take no living runner's jobs.

Runners on one machine that share a folder need not wait that long: there each also holds a locked file, which
the system unlocks when the process ends, however it ends. While it is locked the runner is not lost, silent
or not.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import sqlalchemy as sa
from filelock import FileLock

from ..resources.store import MetadataStore
from ..resources.tables import runners
from ..storage.durable import write_durably
from ..storage.host import host_ids
from ..storage.privacy import LOCK_MODE
from ..storage.processlock import ProcessLock, is_released

LEASE_SECONDS = 30.0


class RunnerLease:
    """One runner's lease, from `take` to `release` or to the end of its process.

    Attributes:
        name: unlike that of any other runner.
        folder: where its locked file is.
    """

    def __init__(self, store: MetadataStore, lock: ProcessLock, folder: Path) -> None:
        self.name = lock.name
        self.folder = folder
        self._store = store
        self._lock = lock
        self._values = {"hosts": " ".join(sorted(host_ids())), "folder": _identity(folder)}

    @classmethod
    def take(cls, store: MetadataStore, folder: Path) -> RunnerLease:
        """Begin a lease under a new name; `folder` is made if need be.

        Raises:
            OSError: the folder cannot be written.
        """
        lease = cls(store, ProcessLock.take(folder), folder)
        with store.writing("runners", durable=False) as connection:
            lease.renew(connection)
        return lease

    def renew(self, connection: sa.Connection) -> None:
        """Show that the runner is alive, inside a transaction of others."""
        mine = runners.c.name == self.name
        values = self._values | {"seen_at": self._store.time()}
        if connection.execute(sa.update(runners).where(mine).values(values)).rowcount == 0:
            connection.execute(sa.insert(runners).values(name=self.name, **values))

    def release(self) -> None:
        """End the lease: whatever the runner still holds may be taken over at once."""
        try:
            with self._store.writing("runners", durable=False) as connection:
                connection.execute(sa.delete(runners).where(runners.c.name == self.name))
        finally:
            self._lock.close()


@dataclass(frozen=True)
class Sighting:
    """A runner as its row tells it; without a row `seen_at` is None."""

    name: str
    hosts: str
    folder: str
    seen_at: int | None


class Verdict(Enum):
    """What an observer makes of a runner."""

    LIVING = "living"
    SILENT = "silent"
    """It has not renewed its lease in time; its process may yet live, elsewhere."""
    GONE = "gone"
    """Its process has ended."""


class Observer:
    """Judges runners for one of them. For one thread.

    Args:
        folder: of the own runner's locked file.
        lease_seconds: how long a runner may be silent.
        monotonic: seconds since some moment.
    """

    def __init__(
        self,
        folder: Path,
        lease_seconds: float = LEASE_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._identity = _identity(folder)
        self._lease_seconds = lease_seconds
        self._monotonic = monotonic
        self._first_seen: dict[str, tuple[int, float]] = {}

    def judge(self, sightings: Iterable[Sighting]) -> dict[str, Verdict]:
        """The verdict on each runner; forgets those that are not among the sightings."""
        before, self._first_seen = self._first_seen, {}
        return {one.name: self._verdict(one, before.get(one.name)) for one in sightings}

    def _verdict(self, one: Sighting, before: tuple[int, float] | None) -> Verdict:
        if one.seen_at is None:
            return Verdict.GONE
        if one.folder == self._identity and host_ids() & set(one.hosts.split()):
            return Verdict.GONE if is_released(self._folder, one.name) else Verdict.LIVING
        now = self._monotonic()
        since = now if before is None or before[0] != one.seen_at else before[1]
        self._first_seen[one.name] = (one.seen_at, since)
        return Verdict.SILENT if now - since >= self._lease_seconds else Verdict.LIVING


def _identity(folder: Path) -> str:
    """A name for a folder that no other folder has, neither a copy of it nor one of the same path
    elsewhere."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "identity"
    if not file.exists():
        with FileLock(folder / "identity.lock", mode=LOCK_MODE, thread_local=False):
            if not file.exists():  # whoever began at the same time may have made it
                write_durably(file, f"{uuid.uuid4().hex}\n".encode())
    return f"{file.read_text('ascii').strip()}:{os.stat(folder).st_ino}"
