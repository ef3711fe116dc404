"""An index by user of a snapshot of interactions, or of action interactions: who did what, oldest first,
opened without being read.

Layout of the folder: the user table, the item table, the event types as JSON, and one array per column, all
rows in the order (user, time, arrival); ``pointers[u]`` to ``pointers[u + 1]`` are the rows of user number
u. The arrays are memory-mapped: opening costs nothing, a look-up touches a few pages, and processes share
them.

Building is columnar: one pass over the parts collects the distinct ids, a second turns ids into numbers by a
hash join, then one stable 64-bit sort puts all rows in order. Memory at the peak: about 45 bytes per row and
the ids.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ..storage.idtable import IdTable

Items = npt.NDArray[np.int32]
Times = npt.NDArray[np.int64]
Events = npt.NDArray[np.int16]
Values = npt.NDArray[np.float32]
History = tuple[Items, Times, Events, Values]

EVENT_OBJECTS = {"INTERACTIONS": "ITEM_ID", "ACTION_INTERACTIONS": "ACTION_ID"}
"""By type of dataset of events, the column that says with what users interacted."""

NO_EVENT = -1
"""The event number of rows when the schema has no EVENT_TYPE."""

MERGE_IDS = 8_000_000
"""Ids gathered from parts are made distinct at least when there are so many of them."""

PIECE_ROWS = 1_000_000
"""Rows of a file whose strings are held at a time."""

_TIME_BITS = 33  # times end in the year 2100, below 2**32


class InteractionHistories:
    """The histories of one snapshot. Immutable, safe to share between threads.

    Attributes:
        users, items: the distinct ids; positions in them are the numbers used in arrays.
        event_types: event types as written, ascending; an event number is a position in it.
    """

    def __init__(self, folder: Path) -> None:
        """Map the files in `folder`, which `build_histories` wrote."""
        self.users = IdTable.load(folder, "users")
        self.items = IdTable.load(folder, "items")
        self.event_types: list[str] = json.loads((folder / "event_types.json").read_text("utf-8"))
        self._pointers: npt.NDArray[np.int64] = _mapped(folder, "pointers", 1)
        self._item: Items = _mapped(folder, "item", self.rows)
        self._time: Times = _mapped(folder, "time", self.rows)
        self._event: Events = _mapped(folder, "event", self.rows)
        self._value: Values = _mapped(folder, "value", self.rows)

    @classmethod
    def open(cls, folder: Path) -> InteractionHistories:
        """The histories in `folder`."""
        return cls(folder)

    @property
    def rows(self) -> int:
        """The number of interactions."""
        return int(self._pointers[-1])

    def of(self, user: str) -> History:
        """A user's interactions, oldest first, ties in order of arrival; empty arrays when the user is
        unknown.

        Returns:
            item int32[k] numbers in `items`, time int64[k] epoch seconds, event int16[k] numbers in
            `event_types` (`NO_EVENT` without EVENT_TYPE), value float32[k] EVENT_VALUE, NaN where null.
            Read-only views.
        """
        return self._cut(self.span(user))

    def span(self, user: str) -> slice:
        """Where a user's rows stand in the arrays; an empty slice when the user is unknown."""
        number = self.users.find(user)
        return self._span(number) if number >= 0 else slice(0, 0)

    def at(self, number: int) -> History:
        """The interactions of the user with this number."""
        return self._cut(self._span(number))

    def rows_at(self, span: slice) -> History:
        """The interactions in a part of a `span`."""
        return self._cut(span)

    def without(self, users: pl.Series, folder: Path) -> None:
        """Write these histories anew into the new folder `folder`, without some users."""
        folder.mkdir(parents=True)
        stays = ~self.users.series().is_in(users.implode()).to_numpy()
        rows = np.repeat(stays, np.diff(self._pointers))
        IdTable.from_series(self.users.series().filter(pl.Series(stays))).save(folder, "users")
        self.items.save(folder, "items")
        (folder / "event_types.json").write_text(json.dumps(self.event_types), "utf-8")
        np.save(folder / "pointers.npy", np.append(0, np.cumsum(np.diff(self._pointers)[stays])))
        np.save(folder / "item.npy", self._item[rows])
        np.save(folder / "time.npy", self._time[rows])
        np.save(folder / "event.npy", self._event[rows])
        np.save(folder / "value.npy", self._value[rows])

    def _span(self, number: int) -> slice:
        return slice(int(self._pointers[number]), int(self._pointers[number + 1]))

    def _cut(self, rows: slice) -> History:
        return self._item[rows], self._time[rows], self._event[rows], self._value[rows]


def _mapped(folder: Path, name: str, rows: int) -> npt.NDArray[Any]:
    """A column as a plain array over its mapped file; an empty file cannot be mapped."""
    return np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r" if rows else None))


def build_histories(
    parts: Sequence[Path],
    folder: Path,
    columns: Sequence[str],
    *,
    item: str = "ITEM_ID",
    where: pl.Expr | None = None,
    arrival: str | None = None,
    times: Sequence[pl.Expr] | None = None,
) -> None:
    """Index the interactions in the Parquet files `parts`, in their order, into the new folder `folder`.

    Args:
        parts: the files. folder: is made.
        columns: the columns of the dataset's schema; USER_ID, `item` and TIMESTAMP must be among them.
        item: the column that says with what users interacted: ``ACTION_ID`` of action interactions.
        where: which rows count; None: all. Users of other rows are in the table, without interactions.
        arrival: an int64 column that is kept beside each interaction, in ``arrival.npy``; None: none is.
        times: of each part the time that an interaction counts as; None: its TIMESTAMP.
    """
    folder.mkdir(parents=True)
    everybody = [piece for path in parts for piece in _pieces(path, None)]
    chosen = [piece for path in parts for piece in _pieces(path, where)]
    with_event, with_value = "EVENT_TYPE" in columns, "EVENT_VALUE" in columns
    users, items = _distinct(everybody, "USER_ID"), _distinct(chosen, item)
    types = _distinct(chosen, "EVENT_TYPE") if with_event else pl.Series("EVENT_TYPE", [], dtype=pl.String)
    IdTable.from_series(users).save(folder, "users")
    IdTable.from_series(items).save(folder, "items")
    (folder / "event_types.json").write_text(json.dumps(types.to_list()), "utf-8")

    user = _numbers(chosen, "USER_ID", users)
    counted = times or [pl.col("TIMESTAMP")] * len(parts)
    time = _gathered(
        [piece for path, one in zip(parts, counted, strict=True) for piece in _pieces(path, where, one)],
        "TIMESTAMP",
        pl.Int64(),
    )
    order = np.argsort((user.astype(np.int64) << _TIME_BITS) | time, kind="stable")
    pointers = np.zeros(len(users) + 1, dtype=np.int64)
    np.cumsum(np.bincount(user, minlength=len(users)), out=pointers[1:])
    del user
    np.save(folder / "pointers.npy", pointers)
    np.save(folder / "time.npy", time[order])
    del time
    np.save(folder / "item.npy", _numbers(chosen, item, items)[order])
    if with_event:
        narrow = len(types) <= np.iinfo(np.int16).max
        event = _numbers(chosen, "EVENT_TYPE", types).astype(np.int16 if narrow else np.int32)[order]
    else:
        event = np.full(len(order), NO_EVENT, dtype=np.int16)
    np.save(folder / "event.npy", event)
    if with_value:
        value = _gathered(chosen, "EVENT_VALUE", pl.Float32())[order]
    else:
        value = np.full(len(order), np.nan, dtype=np.float32)
    np.save(folder / "value.npy", value)
    if arrival is not None:
        np.save(folder / "arrival.npy", _gathered(chosen, arrival, pl.Int64())[order])


@dataclass(frozen=True)
class _Piece:
    """The rows that count of a piece of a Parquet file: strings are held for a piece only."""

    path: Path
    where: pl.Expr | None
    start: int
    time: pl.Expr

    def column(self, name: str) -> pl.Series:
        """One column of them, in order."""
        rows = pl.scan_parquet(self.path).slice(self.start, PIECE_ROWS)
        if self.where is not None:
            rows = rows.filter(self.where)
        return rows.select(self.time if name == "TIMESTAMP" else name).collect()[name]


def _pieces(path: Path, where: pl.Expr | None, time: pl.Expr = pl.col("TIMESTAMP")) -> list[_Piece]:
    rows = pl.scan_parquet(path).select(pl.len()).collect().item()
    return [_Piece(path, where, start, time) for start in range(0, rows, PIECE_ROWS)]


def _distinct(parts: Sequence[_Piece], column: str) -> pl.Series:
    """The distinct values of a string column over all parts, ascending."""
    found = [pl.Series(column, [], dtype=pl.String)]
    for part in parts:
        found.append(part.column(column).unique())
        if sum(map(len, found[1:])) > max(len(found[0]), MERGE_IDS):
            found = [pl.concat(found).unique()]
    return pl.concat(found).drop_nulls().unique().sort()


def _numbers(parts: Sequence[_Piece], column: str, ordered: pl.Series) -> npt.NDArray[np.int32]:
    """Each row's position in the distinct values `ordered`."""
    own = pl.DataFrame({column: ordered, "number": np.arange(len(ordered), dtype=np.int32)})
    numbers = [
        part.column(column)
        .to_frame()
        .join(own, on=column, how="left", maintain_order="left")["number"]
        .to_numpy()
        for part in parts
    ]
    return np.concatenate(numbers) if numbers else np.empty(0, dtype=np.int32)


def _gathered(parts: Sequence[_Piece], column: str, dtype: pl.DataType) -> npt.NDArray[Any]:
    """A number column over all parts; null becomes NaN in a float column."""
    pieces = []
    for part in parts:
        values = part.column(column).cast(dtype)
        pieces.append((values.fill_null(float("nan")) if dtype.is_float() else values).to_numpy())
    return (
        np.concatenate(pieces) if pieces else np.empty(0, dtype=np.float32 if dtype.is_float() else np.int64)
    )
