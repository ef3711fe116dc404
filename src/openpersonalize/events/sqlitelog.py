"""The live log in a SQLite file of its own."""

from __future__ import annotations

import math
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from ..clock import Clock
from ..datasets.schemas import Schema
from ..errors import Unavailable
from ..storage.counters import Counters
from ..storage.objects import LocalObjects, ObjectStore
from .entries import IDENTICAL, Event, Record
from .frames import event_columns, events_under, of_size, records_to_frame, stored_columns, stored_events
from .groupcommit import GroupCommit
from .livelog import LiveLog, Tail, stream_of
from .repeats import SealedRepeats
from .sqliteerasure import Erasure
from .sqlitefile import SqliteFile
from .sqlitesealing import Sealer
from .sqlitesegments import SQL, SealingPlan, SqliteSegments
from .sqlitetail import SqliteTail
from .sqlitewrites import Write, advance, clear, store, stream_number

FORMATS = ["livelog_1.sql", "livelog_2.sql"]

TOMBSTONE_SECONDS = 3600
"""How long a removal is listed for processes that have not asked since."""

REMOVED_AT_ONCE = 100
"""Users removed in one transaction."""


class SqliteLiveLog(LiveLog):
    """`LiveLog` on SQLite: WAL, synchronous = FULL, one writing thread for each process, group commit."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        objects: ObjectStore | None = None,
        plan: SealingPlan | None = None,
    ) -> None:
        """Open or create the file.

        Args:
            path: the file. The change counters lie beside it.
            clock: tells when entries are written.
            objects: where sealed segments go; None: into folders beside the file.
            plan: when events are sealed; None: as `SealingPlan` says.

        Raises:
            StartError: the file is damaged, cannot be written, or was written by a newer version of this
                program.
        """
        self._file = SqliteFile(path, FORMATS, durable=True)
        self._counters = Counters.open(path.parent)
        self._clock = clock
        self._refusal = ""
        self._writer = self._file.connect(write=True)
        self._reader = self._file.connect()
        self._reading = threading.Lock()
        place = objects or LocalObjects(path.parent)
        self._segments = SqliteSegments(self._file, place, self._do, clock, plan or SealingPlan())
        self._sealed = SealedRepeats(self._segments)
        self._erasure = Erasure(self._segments)
        self._sealer = Sealer(self._segments, self._erasure)
        self._commits: GroupCommit[Write] = GroupCommit(self._commit, "live-log")

    def append(self, stream: str, entries: Sequence[Event] | Sequence[Record]) -> Future[int]:
        return self._commits.submit(Write(stream_of(stream), entries))

    async def appended(self, stream: str, entries: Sequence[Event] | Sequence[Record]) -> int:
        return await self._commits.submitted(Write(stream_of(stream), entries))

    def version(self) -> int:
        return self._counters.value("events")

    def refusal(self) -> str:
        return self._refusal

    def position(self) -> int:
        with self._reading:
            return int(self._reader.execute(SQL["position"]).fetchone()[0])

    def tail(self) -> Tail:
        return SqliteTail(self._file.connect(), self._segments)

    def interactions(
        self,
        stream: str,
        schema: Schema,
        *,
        after: int = 0,
        up_to: int | None = None,
        chunk: int = 65_536,
        columns: Sequence[str] | None = None,
    ) -> Iterator[pl.DataFrame]:
        wanted = list(event_columns(schema)) if columns is None else list(columns)
        stored = [*dict.fromkeys(["#ARRIVAL", "#MARK", *stored_columns(schema, wanted)])]
        frames = self._stored_events(stream_of(stream), after, up_to, chunk, stored)
        for frame in of_size(frames, chunk, stored_events([]).select(stored)):
            yield events_under(frame, schema, wanted)

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
            row = connection.execute(SQL["stream"], (name,)).fetchone()
            connection.execute(SQL["drop_stream"], (name,))
            if row is not None:
                self._segments.removed_stream(connection, row[0])
            return self._tell(connection, name, [None])

        self._do(drop)
        self._clear_dropped()

    def forget_subjects(self, stream: str, subjects: Iterable[str]) -> int:
        name = stream_of(stream)
        waiting = list(dict.fromkeys(subjects))
        number = self._do(lambda connection: stream_number(connection, name))
        removed = sum(
            self._erasure.remove(
                number,
                waiting[start : start + REMOVED_AT_ONCE],
                lambda connection, whom: self._tell(connection, name, whom),
            )
            for start in range(0, len(waiting), REMOVED_AT_ONCE)
        )
        if removed:
            self._truncate_journal()
        return removed

    def drop_tombstones(self) -> None:
        def drop(connection: sqlite3.Connection) -> int:
            connection.execute(SQL["expire_tombstones"], (math.inf,))
            return connection.execute(SQL["prune_tombstones"]).rowcount

        self._do(drop)
        self._truncate_journal()

    def seal_due(self) -> bool:
        return self._sealer.due()

    def seal(self) -> bool:
        return self._sealer.step()

    def close(self) -> None:
        self._commits.close()
        self._writer.close()
        with self._reading:
            self._reader.close()
        self._counters.close()

    def _do(self, action: Callable[[sqlite3.Connection], int]) -> int:
        return self._commits.submit(Write("", (), action)).result()

    def _clear_dropped(self) -> None:
        """Delete the rows of streams without a name, a little at a time; another process may do the same."""
        with closing(self._file.connect()) as reader:
            dropped = [number for (number,) in reader.execute(SQL["dropped_streams"])]
        for number in dropped:
            while self._do(partial(clear, number)):
                pass
        if dropped:
            self._truncate_journal()

    def _truncate_journal(self) -> None:
        """So that what was removed is not to be found in the journal either."""
        with closing(self._file.connect(write=True)) as writer:
            self._file.truncate_journal(writer)

    def _tell(self, connection: sqlite3.Connection, name: str, subjects: Sequence[str | None]) -> int:
        """List a removal for every process, and end the listing of old ones; the position."""
        now = self._clock.now()
        connection.execute(SQL["expire_tombstones"], (now - TOMBSTONE_SECONDS,))
        connection.execute(SQL["prune_tombstones"])
        first = advance(connection, len(subjects))
        rows = [(first + place, name, subject, now) for place, subject in enumerate(subjects, 1)]
        connection.executemany(SQL["add_tombstone"], rows)
        return first + len(subjects)

    def _stored_events(
        self, stream: str, after: int, up_to: int | None, chunk: int, columns: list[str]
    ) -> Iterator[pl.DataFrame]:
        """Stored events of segments and rows in order of position, without identical ones.

        Each chunk of rows is a read of its own, as in `_chunks`. Sealing may overtake the reader, so every
        read begins with where the stream is sealed now.
        """
        missing = ""
        with closing(self._file.connect()) as reader:
            last = reader.execute(SQL["position"]).fetchone()[0] if up_to is None else up_to
            while after < last:
                reader.execute("BEGIN")
                try:
                    number, sealed = reader.execute(SQL["place"], (stream,)).fetchone() or (-1, 0)
                    segment = reader.execute(SQL["next_segment"], (number, after)).fetchone()
                    rows = []
                    if after >= sealed:
                        rows = reader.execute(SQL["interactions"], (number, after, last, chunk)).fetchall()
                finally:
                    reader.execute("COMMIT")
                if after >= sealed:
                    if rows:
                        yield stored_events(rows).select(columns)
                        after = rows[-1][0]
                    if len(rows) < chunk:
                        return
                elif segment is None:
                    after = sealed  # all that was there has been removed
                else:
                    key, end = segment
                    try:
                        for frame in self._segments.open(key).frames(after, last, chunk, columns):
                            after = frame["#ARRIVAL"][-1]
                            yield frame.filter(pl.col("#MARK") < IDENTICAL)
                        after = end
                    except FileNotFoundError:  # replaced after the look; one that stays away is an error
                        if missing == key:
                            raise
                        missing = key

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

    def _commit(self, writes: list[Write]) -> list[int]:
        try:
            with self._file.writing(self._writer):
                results = store(self._writer, writes, self._clock.now(), self._sealed)
            self._counters.bump("events")  # before anybody is told, so that whoever knows of it sees it
            self._refusal = ""
            return results
        except (sqlite3.Error, OSError) as error:
            self._refusal = str(error)
            raise Unavailable(
                f"What was sent cannot be stored now ({error}); see the server's disk, then send it again."
            ) from error
