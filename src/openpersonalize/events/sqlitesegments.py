"""The segments of a live log on SQLite: which are in force, and how they come to be so (`SqliteSegments`).

A crash at any moment loses and doubles nothing:

- A key is listed as unreferenced before anything is published under it, and leaves the list in the
  transaction that puts the segment in force; what is found on the list later belongs to nobody and goes.
- When events are sealed (`sqlitesealing`) that same transaction moves the stream's sealed position, and from
  then on rows up to it are out of sight. They are deleted afterwards, a few at a time, so that no writer
  waits for long.
- A merge puts the new segment in the place of the old ones in one transaction. So does a rewriting that
  leaves out removed users (`sqliteerasure`); whom it must leave out is written down first.

One thread of one process changes segments at a time, by a lock on a file. Readers need no lock: one that
finds a folder gone looks at the list of segments again.
"""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import polars as pl
from filelock import FileLock, Timeout

from ..clock import Clock
from ..storage.objects import ObjectStore
from .digests import Digests
from .segments import Facts, Segment, write_segment
from .sqlitefile import SqliteFile
from .statements import read_statements

SQL = read_statements("livelog.sql")

READ_AT_ONCE = 16_384
"""Rows that are read as tuples at a time."""

MOST_OPEN = 256
"""Segments that a process keeps open: some mapped files each."""

Action = Callable[[sqlite3.Connection], int]


@dataclass(frozen=True)
class SealingPlan:
    """When events are sealed, and how segments grow.

    Attributes:
        rows: of a stream that has twice as many in the database, the oldest so many become a segment.
        fan: so many neighbouring segments of one level are merged into one of the next.
        levels: the highest level; with the defaults a segment of it holds 6.4 million events. So a stream of
            n events has at most (fan - 1) * levels + n / (rows * fan ** levels) segments.
        cleared: rows deleted in one transaction after they were sealed.
        grace: seconds for which a replaced segment is left to those who are reading it.
    """

    rows: int = 100_000
    fan: int = 8
    levels: int = 2
    cleared: int = 2_000
    grace: float = 60.0


class Listed(NamedTuple):
    """A segment in force, as the database lists it: which positions it covers, how often it was merged, and
    its facts."""

    key: str
    first: int
    last: int
    level: int
    rows: int
    oldest: int
    newest: int


class SqliteSegments:
    """The segments of one `SqliteLiveLog`, and how they come into force. Safe in any thread.

    Attributes:
        do: runs something in a transaction of the one thread that writes.
        plan: when events are sealed, and how segments grow.
        salt: of the digests.
    """

    def __init__(
        self,
        file: SqliteFile,
        objects: ObjectStore,
        do: Callable[[Action], int],
        clock: Clock,
        plan: SealingPlan,
    ) -> None:
        """Work on `file`.

        Args:
            file: the log's database. objects: where segments go.
            do: runs something in a transaction of the one thread that writes.
            clock: tells when keys were given up. plan: see there.
        """
        self._file = file
        self._objects = objects
        self.do = do
        self._clock = clock
        self.plan = plan
        self._turn = threading.Lock()
        self._lock = FileLock(file.path.with_name(f"{file.path.name}.segments.lock"), thread_local=False)
        self._opening = threading.Lock()
        self._open: OrderedDict[str, Segment] = OrderedDict()
        with closing(file.connect()) as connection:
            self.salt: bytes = connection.execute(SQL["salt"]).fetchone()[0]

    def reader(self) -> sqlite3.Connection:
        """A new connection to read with; the caller closes it."""
        return self._file.connect()

    def open(self, key: str) -> Segment:
        """The segment under `key`.

        Raises:
            FileNotFoundError: it has been replaced or removed.
        """
        with self._opening:
            if key in self._open:
                self._open.move_to_end(key)
                return self._open[key]
            segment = self._open[key] = Segment(self._objects.fetch(key))
            if len(self._open) > MOST_OPEN:
                self._open.popitem(last=False)
            return segment

    def let_go(self) -> None:
        """Close what is open: replaced segments among it would keep their room on the disk."""
        with self._opening:
            self._open.clear()

    def removed_stream(self, connection: sqlite3.Connection, number: int) -> None:
        """In a transaction: a stream's segments are out of force."""
        connection.execute(SQL["disown_stream"], (self._clock.now() - self.plan.grace, number))
        connection.execute(SQL["drop_segments"], (number,))
        connection.execute(SQL["end_removal"], (number,))
        connection.execute(SQL["rearranged"])

    def sweep(self, keys: Sequence[str]) -> None:
        """Remove what was stored under `keys`, which no segment has any more."""
        for key in keys:
            with self._opening:
                self._open.pop(key, None)
            self._objects.remove(key)
            self.do(partial(run_statement, SQL["own"], (key,)))

    def sweep_old(self) -> int:
        """Remove what nobody has had for longer than the grace; how many segments that was."""
        with closing(self.reader()) as reader:
            keys = [key for (key,) in reader.execute(SQL["unreferenced"], (self.given_up_before(),))]
        self.sweep(keys)
        return len(keys)

    def given_up_before(self) -> float:
        """Replaced segments that were given up before this moment may be removed."""
        return self._clock.now() - self.plan.grace

    @contextmanager
    def alone(self, *, wait: bool = True) -> Iterator[bool]:
        """While nobody else changes segments; gives False, when not waiting, where somebody does."""
        if not self._turn.acquire(blocking=wait):
            yield False
            return
        try:
            try:
                self._lock.acquire(timeout=-1 if wait else 0)
            except Timeout:
                yield False
                return
            try:
                yield True
            finally:
                self._lock.release()
        finally:
            self._turn.release()

    def publish(
        self,
        number: int,
        span: tuple[int, int, int],
        rows: pl.LazyFrame,
        contents: Digests,
        ids: Digests,
        *,
        instead_of: Sequence[str] = (),
        sealed: int | None = None,
    ) -> None:
        """Write a segment and put it in force: of new rows up to `sealed`, or in the place of others."""
        key = f"segments/{number}/{span[0]}-{span[1]}.{uuid.uuid4().hex[:12]}"
        self.do(partial(run_statement, SQL["disown"], (key, self._clock.now())))
        staged = self._objects.stage()
        facts = write_segment(staged, rows, contents, ids)
        self._objects.publish(staged, key)
        self.do(partial(self._enforce, number, (key, *span), facts, instead_of, sealed))

    def _enforce(
        self,
        number: int,
        place: tuple[str, int, int, int],
        facts: Facts,
        instead_of: Sequence[str],
        sealed: int | None,
        connection: sqlite3.Connection,
    ) -> int:
        """In a transaction: a segment is in force. When the stream was forgotten meanwhile, it is not."""
        key, first, last, level = place
        current = connection.execute("SELECT arn FROM stream WHERE id = ?", (number,)).fetchone()
        if current is None or current[0] is None:
            return 0
        if sealed is not None:
            connection.execute(SQL["seal"], (sealed, number, sealed))
        for old in instead_of:
            connection.execute(SQL["drop_segment"], (old,))
            connection.execute(SQL["disown"], (old, self._clock.now()))
        connection.execute(SQL["own"], (key,))
        connection.execute(SQL["add_segment"], (key, number, first, last, level, *facts))
        connection.execute(SQL["rearranged"])
        return 1

    def listed(self, connection: sqlite3.Connection, number: int) -> list[Listed]:
        """A stream's segments in force, in order."""
        return [Listed._make(row) for row in connection.execute(SQL["segments"], (number,))]

    def listing(self, number: int) -> list[Listed]:
        """`listed`, as of now."""
        with closing(self.reader()) as reader:
            return self.listed(reader, number)


def run_statement(statement: str, parameters: tuple[object, ...], connection: sqlite3.Connection) -> int:
    """Run one statement; how many rows it changed."""
    return connection.execute(statement, parameters).rowcount
