"""The live log in a SQLite file of its own."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from ..clock import Clock
from ..datasets.schemas import Schema
from ..errors import Unavailable
from ..storage.counters import Counters
from .entries import Event, Forgotten, LoggedEvent, News, Record
from .frames import events_to_frame, records_to_frame
from .groupcommit import GroupCommit
from .history import LIVE_LENGTH, History
from .livelog import LiveLog, Tail, stream_of
from .sqlitefile import SqliteFile
from .statements import read_statements, rows_of

SQL = read_statements("livelog.sql")
FORMATS = ["livelog_1.sql"]

EVENT_COLUMNS = 15
RECORD_COLUMNS = 5
AT_ONCE = (256, 64, 16, 4, 1)
"""Rows of one INSERT: few statements a batch, since each gives the interpreter up and must win it back."""

TOLD_SECONDS = 3600
"""How long a removal is listed for processes that have not asked since."""

REMOVED_AT_ONCE = 100
"""Users removed in one transaction."""

CLEARED_AT_ONCE = 10_000
"""Rows of a forgotten stream deleted in one transaction: writers wait no longer than for a large batch."""


class _Write(NamedTuple):
    """One call: entries for a stream, or something else to do with the writing connection at a position."""

    stream: str
    entries: Sequence[Event] | Sequence[Record] = ()
    action: Callable[[sqlite3.Connection], int] | None = None


class SqliteLiveLog(LiveLog):
    """`LiveLog` on SQLite: WAL, synchronous = FULL, one writing thread for each process, group commit."""

    def __init__(self, path: Path, clock: Clock, *, shared: bool = True) -> None:
        """Open or create the file.

        Args:
            path: the file.
            clock: tells when entries are written.
            shared: whether several processes write to it often (see `SqliteFile`).

        Raises:
            StartError: the file is damaged, cannot be written, or was written by a newer version of this
                program.
        """
        self._file = SqliteFile(path, FORMATS, durable=True, shared=shared)
        self._counters = Counters.open(path.parent)
        self._clock = clock
        self._writer = self._file.connect(write=True)
        self._reader = self._file.connect()
        self._reading = threading.Lock()
        self._commits: GroupCommit[_Write] = GroupCommit(self._commit, "live-log")

    def append(self, stream: str, entries: Sequence[Event] | Sequence[Record]) -> Future[int]:
        return self._commits.submit(_Write(stream_of(stream), entries))

    async def appended(self, stream: str, entries: Sequence[Event] | Sequence[Record]) -> int:
        return await self._commits.submitted(_Write(stream_of(stream), entries))

    def version(self) -> int:
        return self._counters.value("events")

    def position(self) -> int:
        with self._reading:
            return int(self._reader.execute(SQL["position"]).fetchone()[0])

    def tail(self) -> Tail:
        return SqliteTail(self._file.connect())

    def interactions(
        self, stream: str, schema: Schema, *, after: int = 0, up_to: int | None = None, chunk: int = 65_536
    ) -> Iterator[pl.DataFrame]:
        for rows in self._chunks(SQL["interactions"], stream_of(stream), after, up_to, chunk):
            yield events_to_frame(rows, schema)

    def records(
        self,
        stream: str,
        schema: Schema,
        *,
        after: int = 0,
        up_to: int | None = None,
        versions: bool = False,
        chunk: int = 65_536,
    ) -> Iterator[pl.DataFrame]:
        statement = SQL["record_versions"] if versions else SQL["records"]
        for rows in self._chunks(statement, stream, after, up_to, chunk):
            yield records_to_frame(rows, schema)

    def forget(self, stream: str) -> None:
        name = stream_of(stream)

        def drop(connection: sqlite3.Connection) -> int:
            connection.execute(SQL["drop_stream"], (name,))
            return self._tell(connection, name, [None])

        self._do(drop)
        self._clear_dropped()

    def forget_subjects(self, stream: str, subjects: Iterable[str]) -> int:
        name = stream_of(stream)
        waiting = list(dict.fromkeys(subjects))
        starts = range(0, len(waiting), REMOVED_AT_ONCE)
        return sum(self._do(partial(self._remove, name, waiting[i : i + REMOVED_AT_ONCE])) for i in starts)

    def close(self) -> None:
        self._commits.close()
        self._writer.close()
        with self._reading:
            self._reader.close()
        self._counters.close()

    def _do(self, action: Callable[[sqlite3.Connection], int]) -> int:
        return self._commits.submit(_Write("", (), action)).result()

    def _clear_dropped(self) -> None:
        """Delete the rows of streams without a name, a little at a time; another process may do the same."""
        with closing(self._file.connect()) as reader:
            dropped = [number for (number,) in reader.execute(SQL["dropped_streams"])]
        for number in dropped:
            while self._do(partial(_clear, number)):
                pass

    def _remove(self, name: str, subjects: Sequence[str], connection: sqlite3.Connection) -> int:
        """Delete users from a stream; the number of rows."""
        number = _stream(connection, name)
        total = 0
        for subject in subjects:
            sessions = [row[0] for row in connection.execute(SQL["sessions_of"], (number, subject))]
            removed = connection.execute(SQL["forget_events"], (number, subject)).rowcount
            for session in sessions:
                removed += connection.execute(SQL["forget_session"], (number, session)).rowcount
            removed += connection.execute(SQL["forget_records"], (number, subject)).rowcount
            if removed:
                self._tell(connection, name, [subject, *sessions])
            total += removed
        return total

    def _tell(self, connection: sqlite3.Connection, name: str, subjects: Sequence[str | None]) -> int:
        """List a removal for every process, and end the listing of old ones; the position."""
        now = self._clock.now()
        connection.execute(SQL["stop_telling"], (now - TOLD_SECONDS,))
        connection.execute(SQL["drop_told"])
        first = _advance(connection, len(subjects))
        rows = [(first + place, name, subject, now) for place, subject in enumerate(subjects, 1)]
        connection.executemany(SQL["tell_forgotten"], rows)
        return first + len(subjects)

    def _chunks(
        self, statement: str, stream: str, after: int, up_to: int | None, chunk: int
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Chunks of rows in order; always at least one, empty when there is nothing.

        Each is a read of its own: a long one would keep the file from being tidied, and what lies between two
        positions does not change.
        """
        with closing(self._file.connect()) as reader:
            last = reader.execute(SQL["position"]).fetchone()[0] if up_to is None else up_to
            number = (reader.execute(SQL["stream"], (stream,)).fetchone() or (-1,))[0]
            yielded = False
            while True:
                rows = reader.execute(statement, (number, after, last, chunk)).fetchall()
                if rows or not yielded:
                    yield rows
                    yielded = True
                if len(rows) < chunk:
                    return
                after = rows[-1][0]

    def _commit(self, writes: list[_Write]) -> list[int]:
        try:
            with self._file.writing(self._writer):
                results = _store(self._writer, writes, self._clock.now())
            self._counters.bump("events")  # before anybody is told, so that whoever knows of it sees it
            return results
        except (sqlite3.Error, OSError) as error:
            raise Unavailable(
                f"What was sent cannot be stored now ({error}); see the server's disk, then send it again."
            ) from error


class SqliteTail(Tail):
    """`Tail` on a connection of its own."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._version = -1

    def changed(self) -> bool:
        version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        if version == self._version:
            return False
        self._version = version
        return True

    def news(self, after: int, limit: int) -> News:
        run = self._connection.execute
        run("BEGIN")  # one state of the file for all that is told
        try:
            last = run(SQL["position"]).fetchone()[0]
            (told,) = run(SQL["told"]).fetchone()
            (waiting,) = run(SQL["count_events"], (after, last, limit + 1)).fetchone()
            records = dict(run(SQL["new_records"], (after, last)).fetchall())
            forgotten = run(SQL["new_forgotten"], (after, last, limit + 1)).fetchall()
            skipped = waiting > limit or len(forgotten) > limit or after < told
            events = [] if skipped else run(SQL["new_events"], (after, last)).fetchall()
        finally:
            run("COMMIT")
        return News(
            [LoggedEvent._make(row) for row in events],
            records,
            [] if skipped else [Forgotten._make(row) for row in forgotten],
            last,
            skipped,
        )

    def history(self, stream: str, subject: str, most: int = LIVE_LENGTH) -> History:
        rows = self._connection.execute(SQL["history"], (stream_of(stream), subject, most)).fetchall()
        return History.of(rows[::-1])

    def close(self) -> None:
        self._connection.close()


def _store(connection: sqlite3.Connection, writes: list[_Write], now: float) -> list[int]:
    """Everything of one transaction: the position of each call's last entry, or what its action returned."""
    results: list[int] = []
    events: list[tuple[Any, ...]] = []
    records: list[tuple[Any, ...]] = []
    streams: dict[str, int] = {}
    position = _advance(connection, sum(len(write.entries) for write in writes))
    places = count(position + 1)
    for write in writes:
        if write.action is not None:
            results.append(write.action(connection))
            streams.clear()
            continue
        if write.stream not in streams:
            streams[write.stream] = _stream(connection, write.stream)
        number = streams[write.stream]
        for entry in write.entries:
            position = next(places)
            if isinstance(entry, Event):
                events.append(_event_row(position, number, entry, now))
            else:
                records.append((position, number, *entry, now))
        results.append(position)
    new, repeats = _repeats(events)
    _insert(connection, SQL["insert_events"], EVENT_COLUMNS, new)
    for row in repeats:
        _insert(connection, SQL["insert_events"], EVENT_COLUMNS, [row])
    _insert(connection, SQL["insert_records"], RECORD_COLUMNS, records)
    return results


def _advance(connection: sqlite3.Connection, number: int) -> int:
    """Give out `number` positions; returns the one before the first."""
    (position,) = connection.execute(SQL["advance"], (number,)).fetchone()
    return int(position) - number


def _stream(connection: sqlite3.Connection, name: str) -> int:
    row = connection.execute(SQL["stream"], (name,)).fetchone()
    if row is not None:
        return int(row[0])
    return int(connection.execute(SQL["add_stream"], (name,)).lastrowid or 0)


def _event_row(position: int, stream: int, event: Event, now: float) -> tuple[Any, ...]:
    user, session, item, time, kind, value, event_id, recommendation_id, impression, source, properties = (
        event
    )
    return (
        position,
        stream,
        session if user is None else user,
        user is None,
        session,
        item,
        time,
        kind,
        value,
        event_id,
        recommendation_id,
        impression,
        source,
        properties,
        now,
    )


def _repeats(rows: list[tuple[Any, ...]]) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Rows that no earlier row of the batch resembles in content or eventId, and the others.

    One INSERT compares its rows with what is stored, not with each other: the others go in after, one by one.
    """
    contents: set[tuple[Any, ...]] = set()
    ids: set[tuple[Any, ...]] = set()
    new: list[tuple[Any, ...]] = []
    repeats: list[tuple[Any, ...]] = []
    for row in rows:
        content = (*row[1:4], *row[5:9], row[13])
        event_id = None if row[9] is None else (row[1], row[9])
        (repeats if content in contents or event_id in ids else new).append(row)
        contents.add(content)
        if event_id is not None:
            ids.add(event_id)
    return new, repeats


def _insert(
    connection: sqlite3.Connection, statement: str, columns: int, rows: list[tuple[Any, ...]]
) -> None:
    start = 0
    for size in AT_ONCE:
        while len(rows) - start >= size:
            values = [value for row in rows[start : start + size] for value in row]
            connection.execute(rows_of(statement, columns, size), values)
            start += size


def _clear(number: int, connection: sqlite3.Connection) -> int:
    """Delete some rows of a dropped stream; whether there may be more."""
    for statement in (SQL["clear_events"], SQL["clear_records"]):
        if connection.execute(statement, (number, CLEARED_AT_ONCE)).rowcount:
            return 1
    connection.execute(SQL["remove_stream"], (number,))
    return 0
