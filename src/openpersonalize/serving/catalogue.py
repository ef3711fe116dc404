"""The records of an Items, Users or Actions dataset as they are now, beside a fixed list of ids.

It begins with the records in force of both layers of the dataset (see `events.layers`); what is streamed
afterwards replaces them. Records of ids outside the list (an item put after training, a user put after the
import) are kept apart: they are asked one by one.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ..datasets.column_kinds import value_of
from ..datasets.columns import ColumnSet
from ..datasets.schemas import Schema
from ..datasets.snapshots import ARRIVAL, Snapshot
from ..datasets.tables import id_column
from ..events.layers import arrived_records
from ..events.livelog import LiveLog
from ..storage.idtable import IdTable
from .record_index import RecordIndex

Value = tuple[str, ...] | float | None

MOST_RECORDS = 4_096
"""Records taken in at once: about 35 ms of work in a thread."""

UNLISTED_BYTES = 64 * 1024 * 1024
"""Of the records of ids outside the list that are kept, the newest ones: whoever may put records decides how
many there are."""

FEW = 1000
"""Up to so many ids are looked up one by one: a join reads the whole list."""


@dataclass(frozen=True)
class Records:
    """The records in force at one position of the live log: those of the listed ids, and all others.

    `recorded`: bool[n], the listed ids that have one.
    """

    position: int
    columns: ColumnSet
    unlisted: pl.DataFrame
    recorded: npt.NDArray[np.bool_]


class Catalogue:
    """Current records of one dataset, aligned with `ids`.

    For any thread; `catch_up` and `advance` read the log. Memory: the columns, and the records of ids outside
    the list as a frame (see `nbytes`), at most `UNLISTED_BYTES`.

    Attributes:
        stream: the dataset's ARN. schema: the dataset's.
        ids: the list; row r of `columns` describes ``ids[r]``.
    """

    def __init__(
        self,
        log: LiveLog,
        stream: str,
        schema: Schema,
        ids: IdTable | None,
        snapshot: Snapshot | None = None,
        *,
        unlisted_bytes: int = UNLISTED_BYTES,
    ) -> None:
        """Read the dataset `stream` (its ARN).

        Args:
            log: where streamed records are.
            stream: the dataset's ARN.
            schema: the dataset's.
            ids: the list of ids; None: all that the dataset holds now.
            snapshot: the bulk layer; None before the first import.
            unlisted_bytes: of the records of ids outside the list; older ones are as if never put.
        """
        self._unlisted_bytes = unlisted_bytes
        self._log = log
        self.stream = stream
        self._key = id_column(schema)
        self.schema = schema
        position = log.position()
        records = arrived_records(log, stream, schema, snapshot, position)
        self.ids = IdTable.from_series(records[self._key]) if ids is None else ids
        rows = self.ids.find_all(records[self._key])
        others = rows < 0 if ids is not None else np.empty(0, dtype=np.bool_)
        recorded = np.zeros(len(self.ids), dtype=np.bool_)
        recorded[rows[rows >= 0]] = True
        self._advancing = threading.Lock()
        self._bytes = int(records.estimated_size())
        self._now = Records(
            position,
            ColumnSet.build(records, schema, self.ids),
            self._bounded(records.filter(pl.Series(others))) if others.any() else records.clear(),
            recorded,
        )
        self._outside = RecordIndex(self._now.unlisted, self._key)

    @property
    def position(self) -> int:
        """The place in the live log up to which records were read."""
        return self._now.position

    @property
    def nbytes(self) -> int:
        """About how many bytes it takes: those of the records as they were read, and of what came since."""
        return self._bytes + int(self._now.unlisted.estimated_size())

    @property
    def columns(self) -> ColumnSet:
        """The current values; its `version` grows with each change."""
        return self._now.columns

    @property
    def recorded(self) -> npt.NDArray[np.bool_]:
        """bool[n], the listed ids that have a record; not to be written into."""
        return self._now.recorded

    def catch_up(self, position: int) -> None:
        """Take in all records that were streamed since the last time, up to `position` of the log."""
        while position > self.position:
            self.advance(position)

    def advance(self, position: int, most: int = MOST_RECORDS) -> None:
        """Take in the next records that were streamed, `most` at once, at most up to `position` of the log.

        About 2 ms and 8 us for each record.
        """
        with self._advancing:
            if position <= self.position:
                return
            after = self.position
            chunks = self._log.records(self.stream, self.schema, after=after, up_to=position, chunk=most)
            with closing(chunks):  # type: ignore[type-var]
                fresh = next(chunks)
            reached = int(fresh[ARRIVAL][-1]) if len(fresh) >= most else position
            records = self._with(fresh, reached)
            if records.unlisted is not self._outside.records:
                self._outside = RecordIndex(records.unlisted, self._key)
            self._now = records

    def _with(self, fresh: pl.DataFrame, position: int) -> Records:
        """What is known with records that follow it, which is then everything up to `position`."""
        fresh = fresh.select(*self.schema.names, ARRIVAL)
        columns, unlisted, recorded = self._now.columns, self._now.unlisted, self._now.recorded
        rows = self._rows_of(fresh[self._key])
        listed = fresh.filter(pl.Series(rows >= 0, dtype=pl.Boolean)).drop(ARRIVAL)
        if len(listed):
            columns = columns.with_rows(dict(zip(rows[rows >= 0].tolist(), listed.to_dicts(), strict=True)))
            if not recorded[rows[rows >= 0]].all():
                recorded = recorded.copy()
                recorded[rows[rows >= 0]] = True
        if len(listed) < len(fresh):
            joined = pl.concat([unlisted, fresh.filter(pl.Series(rows < 0, dtype=pl.Boolean))])
            unlisted = self._bounded(joined.unique(self._key, keep="last", maintain_order=True))
        return Records(position, columns, unlisted, recorded)

    def _bounded(self, unlisted: pl.DataFrame) -> pl.DataFrame:
        """The newest records, those at the end, that fit into half of the room when all no longer fit."""
        size = unlisted.estimated_size()
        if size <= self._unlisted_bytes:
            return unlisted
        return unlisted.tail(int(len(unlisted) * self._unlisted_bytes / (2 * size))).rechunk()

    def _rows_of(self, keys: pl.Series) -> npt.NDArray[np.int32]:
        """The rows of `keys`, -1 outside the list; a few are looked up, many are joined."""
        if len(keys) > FEW:
            return self.ids.find_all(keys)
        return np.array([self.ids.find(key) for key in keys], dtype=np.int32)

    def unlisted(self, ids: Sequence[str]) -> ColumnSet:
        """The records of `ids` (distinct, ascending as UTF-8) from outside the list, aligned with them."""
        found = self._outside.found(ids)
        return ColumnSet.build(found, self.schema, IdTable.from_series(pl.Series(ids, dtype=pl.String)))

    def outside(self, up_to: int | None = None) -> pl.DataFrame:
        """The records of ids outside the list: the schema's columns and ``#ARRIVAL``; one frame while nothing
        is added. For any thread.

        Args:
            up_to: only those that came up to there in the log.
        """
        found = self._now.unlisted
        return found if up_to is None else found.filter(pl.col(ARRIVAL) <= up_to)

    def aligned(self, ids: pl.Series) -> pl.DataFrame | None:
        """The records of some ids outside the list, in their order, nulls where there is none; None: there
        is none of any."""
        found = self._now.unlisted.filter(pl.col(self._key).is_in(ids.to_list()))
        if found.is_empty():
            return None
        return ids.alias(self._key).to_frame().join(found, on=self._key, how="left", maintain_order="left")

    def outsider(self, key: str) -> dict[str, Any]:
        """The columns that are not null of an id outside the list; nothing when it has no record."""
        found = self._outside.found([key]).select(self.schema.names).to_dicts()
        return {name: value for name, value in found[0].items() if value is not None} if found else {}

    def value(self, key: str, field: str) -> Value:
        """One record's value, None when it is null or there is no such record."""
        row = self.ids.find(key)
        if row >= 0:
            return self.columns.values_at(field, row)
        if field == self._key:
            return (key,)
        described = self.schema.field(field)
        if described is None:
            raise KeyError(field)
        found = self._outside.found([key])
        return value_of(described, found[field][0]) if len(found) else None
