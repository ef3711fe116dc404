"""What metric attributions have counted so far, in a SQLite file of their own: `AttributionCounts`.

Every addition is one transaction with the position of the live log, or the import job, that it counts; so
what is read again after a crash, or by another process, counts once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import polars as pl

from .sqlitefile import SqliteFile
from .statements import read_statements

SQL = read_statements("attributions.sql")
FORMATS = ["attributions_1.sql"]
MOST_SOURCES = 100
"""Sources of one attribution (events.md 11.3); what further ones did is not counted."""

KEPT_SECONDS = 15 * 86_400
"""Points of older quarters of an hour go; records older than 14 days are not counted anyhow."""


class Total(NamedTuple):
    """All that an attribution counted of one metric and source."""

    attribution: str
    metric: str
    source: str
    value: float


class AttributionCounts:
    """Points (metric, source, quarter of an hour) and totals of all attributions. Safe in any thread.

    An attribution is called by its ARN and when it was created. Disk: of each attribution at most ten metrics
    times `MOST_SOURCES` times the quarters of `KEPT_SECONDS`.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the file.

        Raises:
            StartError: it is damaged, cannot be written, or was written by a newer version of this program.
        """
        self._file = SqliteFile(path, FORMATS, durable=True)

    def names(self) -> list[str]:
        """The attributions of which something was counted."""
        with closing(self._file.connect()) as reader:
            return [name for (name,) in reader.execute(SQL["names"])]

    def position(self, name: str) -> int | None:
        """Up to where in the live log an attribution has counted; None: it has not begun."""
        with closing(self._file.connect()) as reader:
            row = reader.execute(SQL["attribution"], (name,)).fetchone()
        return None if row is None else int(row[1])

    def count_events(self, name: str, points: pl.DataFrame, after: int, position: int, now: float) -> bool:
        """Add what the events with `after` < position <= `position` give; False, and nothing is added, where
        another process was quicker.

        Args:
            name: the attribution.
            points: metric, source, quarter, value.
            after: what `position` says; of an attribution that has not begun, where it begins.
            position: where it is then.
            now: seconds; what is too old for points goes.
        """
        with closing(self._file.connect(write=True)) as connection, self._file.writing(connection):
            row = connection.execute(SQL["attribution"], (name,)).fetchone()
            if row is None:
                connection.execute(SQL["add_attribution"], (name, after))
                row = connection.execute(SQL["attribution"], (name,)).fetchone()
            number, reached = row
            if reached != after:
                return False
            self._add(connection, number, points)
            connection.execute(SQL["counted"], (position, number))
            connection.execute(SQL["expire"], (number, int(now - KEPT_SECONDS)))
            return True

    def count_import(self, name: str, points: pl.DataFrame, job: str, begins: int) -> None:
        """Add what an import gives, once for each `job`; `begins` is where an attribution that has not begun
        begins in the live log."""
        with closing(self._file.connect(write=True)) as connection, self._file.writing(connection):
            row = connection.execute(SQL["attribution"], (name,)).fetchone()
            if row is None:
                connection.execute(SQL["add_attribution"], (name, begins))
                row = connection.execute(SQL["attribution"], (name,)).fetchone()
            if connection.execute(SQL["is_done"], (row[0], job)).fetchone() is None:
                connection.execute(SQL["add_import"], (row[0], job))
                self._add(connection, row[0], points)

    def points(self, name: str) -> list[tuple[str, str, int, float]]:
        """(metric, source, quarter, value) of an attribution, the newest first."""
        with closing(self._file.connect()) as reader:
            return reader.execute(SQL["points"], (name,)).fetchall()

    def totals(self, most: int) -> list[Total]:
        """At most so many of all totals."""
        with closing(self._file.connect()) as reader:
            return [Total._make(row) for row in reader.execute(SQL["totals"], (most,))]

    def forget(self, names: Iterable[str]) -> None:
        """Remove all that attributions have counted."""
        with closing(self._file.connect(write=True)) as connection, self._file.writing(connection):
            for name in names:
                row = connection.execute(SQL["attribution"], (name,)).fetchone()
                if row is not None:
                    for what in ("points", "totals", "imports", "attribution"):
                        connection.execute(SQL[f"forget_{what}"], row[:1])

    def _add(self, connection: sqlite3.Connection, number: int, points: pl.DataFrame) -> None:
        known = {source for (source,) in connection.execute(SQL["sources"], (number,))}
        new = [
            one for one in points.sort("quarter")["source"].unique(maintain_order=True) if one not in known
        ]
        known.update(new[: max(0, MOST_SOURCES - len(known))])
        kept = points.filter(pl.col("source").is_in(list(known)))
        connection.executemany(SQL["add_point"], [(number, *row) for row in kept.iter_rows()])
        totals = kept.group_by("metric", "source").agg(pl.col("value").sum())
        connection.executemany(SQL["add_total"], [(number, *row) for row in totals.iter_rows()])
