"""The end of the live log on SQLite, as one reader sees it: `SqliteTail`."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from .entries import Forgotten, LoggedEvent, News
from .history import LIVE_LENGTH, History
from .livelog import Tail, stream_of
from .sqlitesegments import SQL, SqliteSegments
from .statements import rows_of


class SqliteTail(Tail):
    """`Tail` on a connection of its own."""

    def __init__(self, connection: sqlite3.Connection, segments: SqliteSegments) -> None:
        self._connection = connection
        self._segments = segments
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
            (sealed,) = run(SQL["sealed"]).fetchone()
            (waiting,) = run(SQL["count_events"], (after, last, limit + 1)).fetchone()
            records = dict(run(SQL["new_records"], (after, last)).fetchall())
            forgotten = run(SQL["new_forgotten"], (after, last, limit + 1)).fetchall()
            skipped = waiting > limit or len(forgotten) > limit or after < max(told, sealed)
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
        return self.histories(stream, [subject], most).get(subject) or History.of((), most)

    def histories(self, stream: str, subjects: Sequence[str], most: int = LIVE_LENGTH) -> dict[str, History]:
        run = self._connection.execute
        name = stream_of(stream)
        while True:
            run("BEGIN")  # rows and segments at one moment
            try:
                keys = [key for (key,) in run(SQL["keys_of"], (name,))]
                there = subjects
                if len(subjects) > 1:
                    known = rows_of(SQL["known"], 1, len(subjects))
                    there = [one for (one,) in run(known, (*subjects, name))]
                found = {one: run(SQL["history"], (name, one, most)).fetchall() for one in there}
            finally:
                run("COMMIT")
            try:
                for key in keys:
                    segment = self._segments.open(key)
                    for one in segment.known(subjects) if len(subjects) > 1 else subjects:
                        found.setdefault(one, []).extend(segment.history(one, most))
            except FileNotFoundError:  # replaced after the look
                if self._replaced(name, keys):
                    continue
                raise
            for rows in found.values():
                rows.sort(key=lambda row: (row[2], row[0]))
            return {one: History.of(rows[-most:], most) for one, rows in found.items() if rows}

    def _replaced(self, name: str, keys: list[str]) -> bool:
        return [key for (key,) in self._connection.execute(SQL["keys_of"], (name,))] != keys

    def close(self) -> None:
        self._connection.close()
