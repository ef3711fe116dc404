"""What was shown under which recommendationId: a bounded memory, written beside the response path."""

from __future__ import annotations

import logging
import math
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import polars as pl

from ..clock import Clock
from ..settings import Settings
from .sqlitefile import SqliteFile
from .statements import read_statements, rows_of

SQL = read_statements("recommendations.sql")
FORMATS = ["recommendations_1.sql"]

FLUSH_SECONDS = 0.25
"""How long answers are collected before they are written together."""

MOST_WAITING = 50_000
"""Answers that wait to be written; while the disk cannot follow, further ones are not remembered."""

AT_ONCE = (64, 16, 4, 1)
COLUMNS = 5
EVICTED_AT_ONCE = 1000
FOUND_AT_ONCE = 500
"""Ids of one look-up of many."""

ISSUED: dict[str, pl.DataType] = {"RECOMMENDATION_ID": pl.String(), "SHOWN": pl.List(pl.String())}
"""Columns of a frame of answers: the id and the items shown."""

FORGOTTEN_AT_ONCE = 10_000
"""Positions that one transaction of `RecommendationLog.forget` looks at."""

SPARE = 16
"""Rows forgotten beyond the excess: rows differ in size, and a page is free only when all of it is."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[str, ...]).decode
_log = logging.getLogger(__name__)


class Issued(NamedTuple):
    """One answer.

    Attributes:
        id: its recommendationId.
        arn: the campaign or recommender that gave it.
        items: the ids shown, in order.
        user: for whom, or None.
        time: when, epoch seconds.
    """

    id: str
    arn: str
    items: tuple[str, ...]
    user: str | None
    time: float


class RecommendationLog:
    """Remembers issued recommendationIds for some days or up to some size, whichever ends first.

    `add` costs the caller a table entry; a thread writes what was collected every `FLUSH_SECONDS`. A crash
    may lose the last second of it: then an event that names a lost id has no implicit impression and no
    source, and is stored all the same. Every process finds what every process wrote, its own answers at
    once.

    Memory: at most `MOST_WAITING` answers. Disk: the bound given, and one flush more. Safe in any thread.
    """

    def __init__(self, path: Path, clock: Clock, days: float, megabytes: float) -> None:
        """Open or create the file.

        Raises:
            StartError: the file is damaged, cannot be written, or was written by a newer version of this
                program.
        """
        self._file = SqliteFile(path, FORMATS, durable=False)
        self._clock = clock
        self._seconds = days * 86_400
        self._bytes = int(megabytes * (1 << 20))
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
        """Remember an answer."""
        issued = Issued(id, arn, tuple(items), user, self._clock.now())
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                self._forgone += 1
                return
            self._waiting[id] = issued
            if self._thread is None:  # a process that only reads needs no thread
                self._thread = threading.Thread(target=self._run, name="recommendation-log", daemon=True)
                self._thread.start()
        self._wake.set()

    def find(self, id: str) -> Issued | None:
        """The answer with this id, or None when it is unknown or forgotten."""
        with self._lock:
            found = self._waiting.get(id) or self._writing.get(id)
            if found is not None:
                return found
            row = self._reader.execute(SQL["find"], (id,)).fetchone()
        if row is None or row[4] < self._clock.now() - self._seconds:
            return None
        return Issued(row[0], row[1], _decode(row[2]), row[3], row[4])

    def shown(self, ids: pl.Series) -> pl.DataFrame:
        """What was shown under many `ids`: RECOMMENDATION_ID and SHOWN (a list), without unknown ones."""
        wanted: list[str] = ids.drop_nulls().unique().to_list()
        oldest = self._clock.now() - self._seconds
        with self._lock:
            unwritten = {id: self._waiting.get(id) or self._writing.get(id) for id in wanted}
        there = {id: _encode(one.items).decode() for id, one in unwritten.items() if one is not None}
        absent = [id for id in wanted if id not in there]
        for start in range(0, len(absent), FOUND_AT_ONCE):
            some = absent[start : start + FOUND_AT_ONCE]
            statement = SQL["shown"].replace("/*ids*/", ", ".join("?" * len(some)))
            with self._lock:  # for one look-up at a time: answers wait for it
                there.update(self._reader.execute(statement, (*some, oldest)).fetchall())
        found = pl.DataFrame(
            {"RECOMMENDATION_ID": list(there), "SHOWN": list(there.values())},
            schema={"RECOMMENDATION_ID": pl.String, "SHOWN": pl.String},
        )
        return found.with_columns(pl.col("SHOWN").str.json_decode(ISSUED["SHOWN"]))

    def forget(self, arn: str) -> None:
        """Forget all that a campaign or recommender showed, so that nothing of it is in the file any more. A
        little at a time: answers of others are written meanwhile."""
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

    def flush(self) -> None:
        """Write what waits now, and forget what is too old or too much."""
        with closing(self._file.connect(write=True)) as connection:
            self._flush(connection)

    def close(self) -> None:
        """Write what waits and let go of the file."""
        self._end.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            self._reader.close()

    def _run(self) -> None:
        with closing(self._file.connect(write=True)) as connection:
            while not self._end.is_set():
                self._wake.wait()
                self._end.wait(FLUSH_SECONDS)
                self._wake.clear()
                self._flush(connection)
            self._flush(connection)  # what came between the last look and the end

    def _flush(self, connection: sqlite3.Connection) -> None:
        with self._flushing:
            self._write(connection)

    def _write(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            self._writing, self._waiting = self._waiting, {}
            forgone, self._forgone = self._forgone, 0
        if forgone:
            _log.warning("%d recommendationIds were not remembered: the disk does not follow.", forgone)
        try:
            with self._file.writing(connection):
                _insert(connection, list(self._writing.values()))
                self._evict(connection, max(EVICTED_AT_ONCE, 2 * len(self._writing)))
        except (sqlite3.Error, OSError) as error:
            _log.warning("%d recommendationIds were not remembered: %s", len(self._writing), error)
        with self._lock:
            self._writing = {}

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


def open_recommendation_log(settings: Settings, clock: Clock) -> RecommendationLog:
    """The log of the data folder, bounded as the settings say.

    Raises:
        StartError: see `RecommendationLog`.
    """
    return RecommendationLog(
        settings.data / "recommendations.db",
        clock,
        settings.recommendation_log_days,
        settings.recommendation_log_mb,
    )
