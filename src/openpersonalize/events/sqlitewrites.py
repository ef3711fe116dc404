"""What one transaction of the live log writes on SQLite: positions, streams, marked events, records."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, NamedTuple

from .entries import Event, Record
from .livelog import RECORD_SECONDS, RECORD_VERSIONS
from .repeats import SealedRepeats
from .sqlitesegments import SQL
from .statements import rows_of

EVENT_COLUMNS = 16
RECORD_COLUMNS = 5
AT_ONCE = (1, 4, 16, 32, 64, 96, 128, 192, 256)
"""Rows of one INSERT, empty ones filling it up: few statements a batch, since at each the thread gives the
interpreter up and must win it back from a busy event loop; few texts, since each is compiled once; and few
empty rows, which cost a tenth of a batch where a size is four times the one before."""

CLEARED_AT_ONCE = 10_000
"""Rows of a forgotten stream deleted in one transaction: writers wait no longer than for a large batch."""


class Write(NamedTuple):
    """One call: entries for a stream, or something else to do with the writing connection at a position."""

    stream: str
    entries: Sequence[Event] | Sequence[Record] = ()
    action: Callable[[sqlite3.Connection], int] | None = None


def store(
    connection: sqlite3.Connection, writes: list[Write], now: float, sealed: SealedRepeats
) -> list[int]:
    """Everything of one transaction: the position of each call's last entry, or what its action returned."""
    results: list[int] = []
    events: list[tuple[Any, ...]] = []
    records: list[tuple[Any, ...]] = []
    streams: dict[str, int] = {}
    number_of_entries = sum(len(write.entries) for write in writes)
    position, arrangement = connection.execute(SQL["advance"], (number_of_entries,)).fetchone()
    places = count(position - number_of_entries + 1)
    for write in writes:
        if write.action is not None:
            results.append(write.action(connection))
            streams.clear()
            arrangement = None  # it may be another one now
            continue
        if write.stream not in streams:
            streams[write.stream] = stream_number(connection, write.stream)
        number = streams[write.stream]
        for entry in write.entries:
            position = next(places)
            if isinstance(entry, Event):
                events.append(_event_row(position, number, entry, now))
            else:
                records.append((position, number, *entry, now))
        results.append(position)
    if events:
        marks = sealed.marks(connection, events, arrangement)
        new, repeats = _repeats([(*row, mark) for row, mark in zip(events, marks, strict=True)])
        _insert(connection, SQL["insert_events"], EVENT_COLUMNS, new)
        for row in repeats:
            _insert(connection, SQL["insert_events"], EVENT_COLUMNS, [row])
    _insert(connection, SQL["insert_records"], RECORD_COLUMNS, records)
    replaced = {(row[1], row[2]) for row in records}
    before = now - RECORD_SECONDS
    connection.executemany(
        SQL["thin_records"], [(number, name, RECORD_VERSIONS, before) for number, name in replaced]
    )
    return results


def advance(connection: sqlite3.Connection, number: int) -> int:
    """Give out `number` positions; returns the one before the first."""
    position, _ = connection.execute(SQL["advance"], (number,)).fetchone()
    return int(position) - number


def stream_number(connection: sqlite3.Connection, name: str) -> int:
    """The number of a stream, which is named when it is new."""
    row = connection.execute(SQL["stream"], (name,)).fetchone()
    if row is not None:
        return int(row[0])
    return int(connection.execute(SQL["add_stream"], (name,)).lastrowid or 0)


def clear(number: int, connection: sqlite3.Connection) -> int:
    """Delete some rows of a forgotten stream; whether there may be more."""
    for statement in (SQL["clear_events"], SQL["clear_records"]):
        if connection.execute(statement, (number, CLEARED_AT_ONCE)).rowcount:
            return 1
    connection.execute(SQL["remove_stream"], (number,))
    return 0


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
    while start < len(rows):
        part = rows[start : start + AT_ONCE[-1]]
        size = next(size for size in AT_ONCE if size >= len(part))
        values = [value for row in part for value in row]
        values += [None] * (columns * (size - len(part)))
        connection.execute(rows_of(statement, columns, size), values)
        start += len(part)
