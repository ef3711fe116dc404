"""Repeats of sealed events: which events of a batch a stream's segments hold already (`SealedRepeats`)."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .digests import content_digest, id_digest
from .entries import COUNTS, IDENTICAL, REPEATED_ID
from .segments import Segment
from .sqlitesegments import SQL, SqliteSegments

Marks = npt.NDArray[np.int8]


class _Sealed(NamedTuple):
    """A segment and the span of the times of its events that count."""

    segment: Segment
    oldest: int
    newest: int


class SealedRepeats:
    """The mark that segments give to new events. For the one thread that writes.

    An event is searched for by digest where its time lies within a segment's, an eventId in every segment:
    some 10 us for each segment and batch. The list of segments is read again when it has changed.
    """

    def __init__(self, segments: SqliteSegments) -> None:
        self._segments = segments
        self._arrangement = -1
        self._sealed: dict[int, list[_Sealed]] = {}

    def marks(
        self, connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]], arrangement: int | None = None
    ) -> list[int]:
        """The marks of rows of the table ``event`` that are to be inserted in this transaction, so that no
        segment comes in between.

        Args:
            connection: the one with the transaction. rows: without their marks.
            arrangement: the number of the segments' arrangement, where it was read in the transaction.

        Returns:
            For each row `IDENTICAL`, `REPEATED_ID`, or `COUNTS` when no segment holds it.
        """
        if arrangement is None:
            (arrangement,) = connection.execute(SQL["arrangement"]).fetchone()
        if arrangement != self._arrangement:
            self._sealed = {}
            self._segments.let_go()
            self._arrangement = arrangement
        marks = [COUNTS] * len(rows)
        for stream in {row[1] for row in rows}:
            if stream not in self._sealed:
                self._sealed[stream] = [
                    _Sealed(self._segments.open(one.key), one.oldest, one.newest)
                    for one in self._segments.listed(connection, stream)
                ]
            if self._sealed[stream]:
                places = [place for place, row in enumerate(rows) if row[1] == stream]
                found = self._marks([rows[place] for place in places], self._sealed[stream])
                for place, mark in zip(places, found.tolist(), strict=True):
                    marks[place] = mark
        return marks

    def _marks(self, rows: list[tuple[Any, ...]], sealed: list[_Sealed]) -> Marks:
        salt = self._segments.salt
        marks = np.full(len(rows), COUNTS, dtype=np.int8)
        named = [place for place, row in enumerate(rows) if row[9] is not None]
        ids = [id_digest(salt, rows[place][9]) for place in named]
        back = min(one.oldest for one in sealed), max(one.newest for one in sealed)
        dated = [place for place, row in enumerate(rows) if back[0] <= row[6] <= back[1]]
        contents = [
            content_digest(salt, bool(row[3]), row[2], row[6], row[5], row[7], row[8], row[13])
            for row in (rows[place] for place in dated)
        ]
        for one in sealed:
            if ids:
                found = one.segment.ids.holds(ids)
                for place in np.flatnonzero(found).tolist():
                    marks[named[place]] = max(marks[named[place]], REPEATED_ID)
            if contents:
                for place in np.flatnonzero(one.segment.contents.holds(contents)).tolist():
                    marks[dated[place]] = IDENTICAL
        return marks
