"""The recommendation log in a SQLite file of its own: `SqliteRecommendationLog`, written by a thread beside
the response path. Rows are in order of time, so the oldest are the first of the file."""

from __future__ import annotations

import logging
import math
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from ..clock import Clock
from ..logs import RepeatedErrors
from .recommendations import ISSUED, Issued, RecommendationLog
from .sqlitefile import SqliteFile
from .statements import read_statements, rows_of

SQL = read_statements("recommendations.sql")
FORMATS = ["recommendations_1.sql", "recommendations_2.sql"]

FLUSH_SECONDS = 0.25
MOST_WAITING = 50_000
BYTES_WAITING = 64 << 20
BYTES_OF_TEXT = 49
"""Of a text beside its characters."""
FOUND_AT_ONCE = 500
PAUSE_SECONDS = 1.0
"""How long the writing thread rests after an error that nobody had foreseen."""

AT_ONCE = (64, 16, 4, 1)
COLUMNS = 5
EVICTED_AT_ONCE = 1000

FORGOTTEN_AT_ONCE = 10_000
"""Positions that one transaction of `SqliteRecommendationLog.forget` looks at."""

SPARE = 16
"""Rows forgotten beyond the excess: rows differ in size, and a page is free only when all of it is."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[str, ...]).decode
_log = logging.getLogger(__name__)


class SqliteRecommendationLog(RecommendationLog):
    """`RecommendationLog` on SQLite, in WAL mode without a sync: what was written survives the process.

    Memory: at most `most_waiting` answers with `bytes_waiting` of ids, twice. Disk: the bound given, and one
    flush more.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        days: float,
        megabytes: float,
        *,
        flush_seconds: float = FLUSH_SECONDS,
        most_waiting: int = MOST_WAITING,
        bytes_waiting: int = BYTES_WAITING,
        found_at_once: int = FOUND_AT_ONCE,
    ) -> None:
        """Open or create the file.

        Args:
            path: the file. clock: tells when answers are given and when they are too old.
            days: how long answers are remembered. megabytes: how much of the disk they take.
            flush_seconds: how long answers are collected before they are written together.
            most_waiting: answers that wait to be written; while the disk cannot follow, further ones are not
                remembered. bytes_waiting: of the ids in them, for which the same holds.
            found_at_once: ids of one look-up of many.

        Raises:
            StartError: the file is damaged, cannot be written, or was written by a newer version of this
                program.
        """
        self._file = SqliteFile(path, FORMATS, durable=False)
        self._clock = clock
        self._seconds = days * 86_400
        self._bytes = int(megabytes * (1 << 20))
        self._flush_seconds = flush_seconds
        self._most_waiting = most_waiting
        self._bytes_waiting = bytes_waiting
        self._held = 0
        self._found_at_once = found_at_once
        self._lock = threading.Lock()
        self._waiting: dict[str, Issued] = {}
        self._writing: dict[str, Issued] = {}
        self._forgone = 0
        self._flushing = threading.Lock()
        self._reader = self._file.connect()
        self._wake = threading.Event()
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, id: str, arn: str, items: Sequence[str], user: str | None) -> None:
        issued = Issued(id, arn, tuple(items), user, self._clock.now())
        held = sum(map(len, issued.items)) + BYTES_OF_TEXT * len(items)
        with self._lock:
            if len(self._waiting) >= self._most_waiting or self._held + held > self._bytes_waiting:
                self._forgone += 1
                return
            self._held += held
            self._waiting[id] = issued
            if self._thread is None:  # a process that only reads needs no thread
                self._thread = threading.Thread(target=self._run, name="recommendation-log", daemon=True)
                self._thread.start()
        self._wake.set()

    def find(self, id: str) -> Issued | None:
        with self._lock:
            found = self._waiting.get(id) or self._writing.get(id)
            if found is not None:
                return found
            row = self._reader.execute(SQL["find"], (id,)).fetchone()
        if row is None or row[4] < self._clock.now() - self._seconds:
            return None
        return Issued(row[0], row[1], _decode(row[2]), row[3], row[4])

    def shown(self, ids: pl.Series) -> pl.DataFrame:
        found = self._told(ids, SQL["shown"], lambda one: _encode(one.items).decode())
        return found.rename({"TOLD": "SHOWN"}).with_columns(pl.col("SHOWN").str.json_decode(ISSUED["SHOWN"]))

    def issuers(self, ids: pl.Series) -> pl.DataFrame:
        return self._told(ids, SQL["issuers"], lambda one: one.arn).rename({"TOLD": "ARN"})

    def _told(self, ids: pl.Series, statement: str, tell: Callable[[Issued], str]) -> pl.DataFrame:
        """What `tell` says of answers that wait to be written, and a statement of those that were."""
        wanted: list[str] = ids.drop_nulls().unique().to_list()
        oldest = self._clock.now() - self._seconds
        with self._lock:
            unwritten = {id: self._waiting.get(id) or self._writing.get(id) for id in wanted}
        there = {id: tell(one) for id, one in unwritten.items() if one is not None}
        absent = [id for id in wanted if id not in there]
        for start in range(0, len(absent), self._found_at_once):
            some = absent[start : start + self._found_at_once]
            query = statement.replace("/*ids*/", ", ".join("?" * len(some)))
            with self._lock:  # for one look-up at a time: answers wait for it
                there.update(self._reader.execute(query, (*some, oldest)).fetchall())
        return pl.DataFrame(
            {"RECOMMENDATION_ID": list(there), "TOLD": list(there.values())},
            schema={"RECOMMENDATION_ID": pl.String, "TOLD": pl.String},
        )

    def forget(self, arn: str) -> None:
        with closing(self._file.connect(write=True)) as connection:
            self._flush(connection)
            row = connection.execute(SQL["issuer"], (arn,)).fetchone()
            if row is None:
                return
            first, last = connection.execute(SQL["bounds"]).fetchone()
            for start in range(first - 1, last, FORGOTTEN_AT_ONCE):
                with self._file.writing(connection):
                    connection.execute(SQL["forget"], (start, start + FORGOTTEN_AT_ONCE, row[0]))
            with self._file.writing(connection):
                connection.execute(SQL["forget_issuer"], row)
            self._file.truncate_journal(connection)

    def forget_users(self, users: Iterable[str], arns: Iterable[str]) -> int:
        removed = 0
        with closing(self._file.connect(write=True)) as connection:
            self._flush(connection)
            found = [connection.execute(SQL["issuer"], (arn,)).fetchone() for arn in arns]
            issuers = [row[0] for row in found if row is not None]
            for user in users:
                for issuer in issuers:
                    with self._file.writing(connection):
                        removed += connection.execute(SQL["forget_user"], (user, issuer)).rowcount
            self._file.truncate_journal(connection)
        return removed

    def flush(self) -> None:
        try:
            with closing(self._file.connect(write=True)) as connection:
                self._flush(connection)
        except (sqlite3.OperationalError, OSError) as error:
            _log.warning("recommendationIds were not remembered: %s", error)

    def close(self) -> None:
        self._end.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            self._reader.close()

    def _run(self) -> None:
        """Write until the end, whatever happens."""
        errors = RepeatedErrors(_log, "recommendationIds were not remembered; writing them goes on")
        while True:
            try:
                with closing(self._file.connect(write=True)) as connection:
                    while not self._end.is_set():
                        self._wake.wait()
                        self._end.wait(self._flush_seconds)
                        self._wake.clear()
                        self._flush(connection)
                        errors.well()
                    self._flush(connection)  # what came between the last look and the end
                    return
            except Exception as error:  # noqa: BLE001 - whatever it is, later answers are to be written
                errors.met(error)
                if self._end.wait(PAUSE_SECONDS):
                    return

    def _flush(self, connection: sqlite3.Connection) -> None:
        """Write what waits. Raises sqlite3.OperationalError or OSError where the disk refuses it: then it is
        lost, and the connection may be of no use any more."""
        with self._flushing:
            with self._lock:
                self._writing, self._waiting, self._held = self._waiting, {}, 0
                forgone, self._forgone = self._forgone, 0
            try:
                if forgone:
                    _log.warning(
                        "%d recommendationIds were not remembered: the disk does not follow.", forgone
                    )
                self._write(connection, list(self._writing.values()))
            finally:
                with self._lock:
                    self._writing = {}

    def _write(self, connection: sqlite3.Connection, issued: list[Issued]) -> None:
        """Write answers in one transaction; where one of them cannot be stored, each in one of its own."""
        try:
            with self._file.writing(connection):
                _insert(connection, issued)
                self._evict(connection, max(EVICTED_AT_ONCE, 2 * len(issued)))
        except (sqlite3.OperationalError, OSError):  # the disk, not an answer
            raise
        except Exception as error:  # noqa: BLE001 - one bad answer must not take its neighbours along
            if len(issued) < 2:
                _log.warning("%d recommendationIds were not remembered: %r", len(issued), error)
                return
            for one in issued:
                self._write(connection, [one])

    def _evict(self, connection: sqlite3.Connection, rows: int) -> None:
        """Forget at most `rows` of the oldest: more than one flush adds, so the bounds are reached again."""
        connection.execute(SQL["expire"], (rows, self._clock.now() - self._seconds))
        used, held = connection.execute(SQL["used"]).fetchone()
        if used > self._bytes:
            excess = math.ceil(held * (1 - self._bytes / used))
            connection.execute(SQL["shorten"], (min(rows, excess + SPARE),))


def _insert(connection: sqlite3.Connection, issued: list[Issued]) -> None:
    numbers: dict[str, int] = {}
    values: list[Any] = []
    for one in issued:
        if one.arn not in numbers:
            numbers[one.arn] = _issuer(connection, one.arn)
        values += (one.id, numbers[one.arn], one.user, _encode(one.items).decode(), one.time)
    start = 0
    for size in AT_ONCE:
        while len(values) - start >= size * COLUMNS:
            connection.execute(rows_of(SQL["insert"], COLUMNS, size), values[start : start + size * COLUMNS])
            start += size * COLUMNS


def _issuer(connection: sqlite3.Connection, arn: str) -> int:
    row = connection.execute(SQL["issuer"], (arn,)).fetchone()
    return int(row[0]) if row else int(connection.execute(SQL["add_issuer"], (arn,)).lastrowid or 0)
