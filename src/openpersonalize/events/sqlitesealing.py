"""Sealing on SQLite: the oldest rows of a stream become a segment, small segments are merged (`Sealer`)."""

from __future__ import annotations

from contextlib import closing
from functools import partial

import polars as pl

from .digests import Digests
from .frames import stored_events
from .segments import digests_of
from .sqliteerasure import Erasure
from .sqlitesegments import SQL, Listed, SqliteSegments, run_statement
from .sqlitewrites import clear

READ_AT_ONCE = 16_384
"""Rows that are read as tuples at a time."""


class Sealer:
    """The housekeeping of one log's segments. Safe in any thread: one works, the others give way."""

    def __init__(self, segments: SqliteSegments, erasure: Erasure) -> None:
        self._segments = segments
        self._erasure = erasure

    def due(self) -> bool:
        """Whether `step` would do something now."""
        with self._segments.alone(wait=False) as mine, closing(self._segments.reader()) as reader:
            if not mine:
                return False
            before = self._segments.given_up_before()
            if reader.execute(SQL["unreferenced"], (before,)).fetchone() is not None:
                return True
            if reader.execute(SQL["removals"]).fetchone() is not None:
                return True
            if reader.execute(SQL["dropped_streams"]).fetchone() is not None:
                return True
            enough = 2 * self._segments.plan.rows - 1
            return any(
                reader.execute(SQL["oldest_rows"], (number, sealed, enough)).fetchone()
                or reader.execute(SQL["left_rows"], (number, sealed)).fetchone()
                or self._mergeable(self._segments.listed(reader, number))
                for number, sealed in reader.execute(SQL["streams"]).fetchall()
            )

    def step(self) -> bool:
        """One bounded piece of work, if any is due and nobody else is at it; whether something was done.

        Time and memory: those of a merge into one segment of the highest level at most.
        """
        with self._segments.alone(wait=False) as mine:
            if not mine:
                return False
            swept = self._segments.sweep_old()
            with closing(self._segments.reader()) as reader:
                pending = reader.execute(SQL["removals"]).fetchall()
                streams = reader.execute(SQL["streams"]).fetchall()
                dropped = [number for (number,) in reader.execute(SQL["dropped_streams"])]
            for number in dropped:  # by somebody who could not end it
                while self._segments.do(partial(clear, number)):
                    pass
            if pending:
                self._erasure.rewrite(pending)
                return True
            places = (self._clear(*place) or self._seal(*place) or self._merge(place[0]) for place in streams)
            return any(places) or bool(swept or dropped)

    def _clear(self, number: int, sealed: int) -> bool:
        """Delete rows that lie in segments; whether there were any."""
        cleared = False
        while self._segments.do(
            partial(run_statement, SQL["clear_sealed"], (number, sealed, self._segments.plan.cleared))
        ):
            cleared = True
        return cleared

    def _seal(self, number: int, sealed: int) -> bool:
        """Make the oldest rows of a stream a segment, where there are enough."""
        with closing(self._segments.reader()) as reader:
            rows = self._segments.plan.rows
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
        contents, ids = digests_of(events, self._segments.salt)
        self._segments.publish(
            number, (sealed + 1, last, 0), events.lazy(), Digests.of(contents), Digests.of(ids), sealed=last
        )
        self._clear(number, last)
        return True

    def _merge(self, number: int) -> bool:
        """Make one segment of neighbouring ones, where there are enough of one level."""
        found = self._mergeable(self._segments.listing(number))
        if not found:
            return False
        parts = [self._segments.open(one.key) for one in found]
        self._segments.publish(
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
        fan = self._segments.plan.fan
        runs = (listed[start : start + fan] for start in range(len(listed) - fan + 1))
        alike = [run for run in runs if len({one.level for one in run}) == 1]
        return next((run for run in alike if run[0].level < self._segments.plan.levels), [])
