"""Sealing on SQLite: rows of the live log's database become segments on the object store, small segments are
merged, and removed users are taken out of them (`SqliteSegments`).

A crash at any moment loses and doubles nothing:

- A key is listed as unreferenced before anything is published under it, and leaves the list in the
  transaction that puts the segment in force; what is found on the list later belongs to nobody and goes.
- That same transaction moves the stream's sealed position, and from then on rows up to it are out of sight.
  They are deleted afterwards, a few at a time, so that no writer waits for long.
- A merge puts the new segment in the place of the old ones in one transaction. So does a rewriting that
  leaves out removed users; whom it must leave out is written down first.

One thread of one process does any of this at a time, by a lock on a file; `step` gives way to whoever holds
it. Readers need no lock: one that finds a folder gone looks at the list of segments again.
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
from itertools import chain
from typing import NamedTuple

import polars as pl
from filelock import FileLock, Timeout

from ..clock import Clock
from ..storage.objects import ObjectStore
from .digests import Digests
from .frames import stored_events
from .segments import Facts, Segment, digests_of, write_segment
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
    """The segments of one `SqliteLiveLog`. Safe in any thread."""

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
        self._do = do
        self._clock = clock
        self._plan = plan
        self._turn = threading.Lock()
        self._lock = FileLock(file.path.with_name(f"{file.path.name}.segments.lock"), thread_local=False)
        self._opening = threading.Lock()
        self._open: OrderedDict[str, Segment] = OrderedDict()
        with closing(file.connect()) as connection:
            self.salt: bytes = connection.execute(SQL["salt"]).fetchone()[0]

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

    def due(self) -> bool:
        """Whether `step` would do something now."""
        with self._alone(wait=False) as mine, closing(self._file.connect()) as reader:
            if not mine:
                return False
            before = self._clock.now() - self._plan.grace
            if reader.execute(SQL["unreferenced"], (before,)).fetchone() is not None:
                return True
            if reader.execute(SQL["removals"]).fetchone() is not None:
                return True
            return any(
                reader.execute(SQL["oldest_rows"], (number, sealed, 2 * self._plan.rows - 1)).fetchone()
                or reader.execute(SQL["left_rows"], (number, sealed)).fetchone()
                or self._mergeable(self.listed(reader, number))
                for number, sealed in reader.execute(SQL["streams"]).fetchall()
            )

    def step(self) -> bool:
        """One bounded piece of work, if any is due and nobody else is at it; whether something was done.

        Time and memory: those of a merge into one segment of the highest level at most.
        """
        with self._alone(wait=False) as mine:
            if not mine:
                return False
            swept = self._sweep(self._clock.now() - self._plan.grace)
            with closing(self._file.connect()) as reader:
                pending = reader.execute(SQL["removals"]).fetchall()
                streams = reader.execute(SQL["streams"]).fetchall()
            if pending:
                self._rewrite(pending)
                return True
            places = (self._clear(*place) or self._seal(*place) or self._merge(place[0]) for place in streams)
            return any(places) or bool(swept)

    def remove(
        self,
        number: int,
        subjects: Sequence[str],
        tell: Callable[[sqlite3.Connection, list[str]], object],
    ) -> int:
        """Take users out of a stream: their events with what their sessions did anonymously, their records.

        Args:
            number: the stream. subjects: the users.
            tell: called in the transaction for each user of whom something is removed, with the user and
                their sessions.

        Returns:
            How many events and records were removed.
        """
        with self._alone():
            with closing(self._file.connect()) as reader:
                pending = reader.execute(SQL["removals"]).fetchall()
            if pending:  # of somebody who could not end it
                self._rewrite(pending)
            whole = {subject: self._sessions(number, subject) for subject in subjects}
            chosen = [(subject, 0) for subject in whole]
            chosen += [(session, 1) for session in dict.fromkeys(chain.from_iterable(whole.values()))]
            sealed = self._known(number, [subject for subject, _ in chosen])

            def begin(connection: sqlite3.Connection) -> int:
                """Remove rows, and write down what is still to be taken out of segments."""
                total = 0
                for subject, sessions in whole.items():
                    removed = sum(
                        _forget(connection, number, *one)
                        for one in [(subject, 0), *((session, 1) for session in sessions)]
                    )
                    removed += connection.execute(SQL["forget_records"], (number, subject)).rowcount
                    if removed or not sealed.isdisjoint([subject, *sessions]):
                        tell(connection, [subject, *sessions])
                    total += removed
                if sealed:
                    connection.executemany(SQL["add_removal"], [(number, *one) for one in chosen])
                return total

            removed = self._do(begin)
            return removed + (self._rewrite([(number, *one) for one in chosen]) if sealed else 0)

    def removed_stream(self, connection: sqlite3.Connection, number: int) -> None:
        """In a transaction: a stream's segments are out of force."""
        connection.execute(SQL["disown_stream"], (self._clock.now() - self._plan.grace, number))
        connection.execute(SQL["drop_segments"], (number,))
        connection.execute(SQL["end_removal"], (number,))
        connection.execute(SQL["rearranged"])

    def sweep(self, keys: Sequence[str]) -> None:
        """Remove what was stored under `keys`, which no segment has any more."""
        for key in keys:
            with self._opening:
                self._open.pop(key, None)
            self._objects.remove(key)
            self._do(partial(_run, SQL["own"], (key,)))

    @contextmanager
    def _alone(self, *, wait: bool = True) -> Iterator[bool]:
        """While nobody else changes segments; False, when not waiting, where somebody does."""
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

    def _sweep(self, before: float) -> int:
        with closing(self._file.connect()) as reader:
            keys = [key for (key,) in reader.execute(SQL["unreferenced"], (before,))]
        self.sweep(keys)
        return len(keys)

    def _clear(self, number: int, sealed: int) -> bool:
        """Delete rows that lie in segments; whether there were any."""
        cleared = False
        while self._do(partial(_run, SQL["clear_sealed"], (number, sealed, self._plan.cleared))):
            cleared = True
        return cleared

    def _seal(self, number: int, sealed: int) -> bool:
        """Make the oldest rows of a stream a segment, where there are enough."""
        with closing(self._file.connect()) as reader:
            rows = self._plan.rows
            if reader.execute(SQL["oldest_rows"], (number, sealed, 2 * rows - 1)).fetchone() is None:
                return False
            (last,) = reader.execute(SQL["oldest_rows"], (number, sealed, rows - 1)).fetchone()
            frames, after = [], sealed
            while after < last:
                found = reader.execute(SQL["sealable"], (number, after, last, READ_AT_ONCE)).fetchall()
                if not found:  # the stream is being forgotten
                    return False
                frames.append(stored_events(found))
                after = found[-1][0]
        events = pl.concat(frames)
        contents, ids = digests_of(events, self.salt)
        self._publish(
            number, (sealed + 1, last, 0), events.lazy(), Digests.of(contents), Digests.of(ids), sealed=last
        )
        self._clear(number, last)
        return True

    def _merge(self, number: int) -> bool:
        """Make one segment of neighbouring ones, where there are enough of one level."""
        found = self._mergeable(self._listed(number))
        if not found:
            return False
        parts = [self.open(one.key) for one in found]
        self._publish(
            number,
            (found[0].first, found[-1].last, found[0].level + 1),
            pl.concat([part.scan() for part in parts]),
            Digests.merged([part.contents for part in parts]),
            Digests.merged([part.ids for part in parts]),
            instead_of=[one.key for one in found],
        )
        return True

    def _mergeable(self, listed: list[Listed]) -> list[Listed]:
        """Neighbours to be merged; none when there are too few of every level."""
        fan = self._plan.fan
        runs = (listed[start : start + fan] for start in range(len(listed) - fan + 1))
        alike = [run for run in runs if len({one.level for one in run}) == 1]
        return next((run for run in alike if run[0].level < self._plan.levels), [])

    def _rewrite(self, removals: Sequence[tuple[int, str, int]]) -> int:
        """Write the segments anew that hold events of those to be removed; how many events those were."""
        removed = 0
        for number in dict.fromkeys(stream for stream, _, _ in removals):
            gone = pl.DataFrame(
                [(subject, bool(anonymous)) for stream, subject, anonymous in removals if stream == number],
                schema={"USER_ID": pl.String, "#ANONYMOUS": pl.Boolean},
                orient="row",
            )
            subjects = gone["USER_ID"].to_list()
            for one in self._listed(number):
                segment = self.open(one.key)
                if not any(map(segment.knows, subjects)):
                    continue
                on = ["USER_ID", "#ANONYMOUS"]
                theirs = segment.scan().join(gone.lazy(), on=on, how="semi").collect(engine="streaming")
                if not len(theirs):
                    continue
                contents, ids = digests_of(theirs, self.salt)
                self._publish(
                    number,
                    (one.first, one.last, one.level),
                    segment.scan().join(gone.lazy(), on=on, how="anti", maintain_order="left"),
                    segment.contents.without(contents),
                    segment.ids.without(ids),
                    instead_of=[one.key],
                )
                self.sweep([one.key])
                removed += len(theirs)
            self._do(partial(_run, SQL["end_removal"], (number,)))
        return removed

    def _publish(
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
        self._do(partial(_run, SQL["disown"], (key, self._clock.now())))
        staged = self._objects.stage()
        facts = write_segment(staged, rows, contents, ids)
        self._objects.publish(staged, key)
        self._do(partial(self._enforce, number, (key, *span), facts, instead_of, sealed))

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

    def _listed(self, number: int) -> list[Listed]:
        with closing(self._file.connect()) as reader:
            return self.listed(reader, number)

    def _sessions(self, number: int, user: str) -> list[str]:
        """The sessions in which a user was seen, in rows and segments."""
        with closing(self._file.connect()) as reader:
            found = {session: None for (session,) in reader.execute(SQL["sessions_of"], (number, user))}
        for one in self._listed(number):
            segment = self.open(one.key)
            if segment.knows(user):
                theirs = segment.scan().filter((pl.col("USER_ID") == user) & ~pl.col("#ANONYMOUS"))
                sessions = theirs.select(pl.col("#SESSION").unique()).collect(engine="streaming")
                found.update(dict.fromkeys(sessions["#SESSION"].to_list()))
        return list(found)

    def _known(self, number: int, subjects: Sequence[str]) -> set[str]:
        """Those of whom a segment holds something."""
        segments = [self.open(one.key) for one in self._listed(number)]
        return {subject for subject in subjects if any(segment.knows(subject) for segment in segments)}


def _forget(connection: sqlite3.Connection, number: int, subject: str, anonymous: int) -> int:
    """Delete the rows of a user or session; how many of them no segment has."""
    which = (number, subject, anonymous)
    (unsealed,) = connection.execute(SQL["count_unsealed"], which).fetchone()
    connection.execute(SQL["forget_events"], which)
    return int(unsealed)


def _run(statement: str, parameters: tuple[object, ...], connection: sqlite3.Connection) -> int:
    return connection.execute(statement, parameters).rowcount
