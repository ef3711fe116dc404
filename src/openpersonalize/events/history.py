"""The live history of one user: what was streamed, oldest first."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from .entries import LoggedEvent

Row: TypeAlias = tuple[int, str, int, str, float | None]
"""position, item, time, type, value."""

_ARRAYS = 600
"""Bytes of an empty history: the object, its lists and its array headers."""

LIVE_LENGTH = 10_000
"""Streamed events of one user that are known: the newest by time. Scoring asks for far fewer; filters on
interactions see these and all imported ones."""

EVENT_BYTES = 8 + 8 + 4 + 8 + 8 + 49
"""Bytes of one event besides its item's characters: array cells, two references, a string's header."""


@dataclass(frozen=True, slots=True)
class History:
    """Events of one user or anonymous session that count, by time, ties in order of arrival. Immutable.

    Attributes:
        position: where in the log each event stands, int64[k]; a model pinned at p has seen those <= p.
        item: the items' ids.
        time: epoch seconds, int64[k].
        type: event types as written.
        value: event values, float32[k], NaN where there is none.
        newest: the highest position, 0 when empty: another one for each event that is added.
    """

    position: npt.NDArray[np.int64]
    item: tuple[str, ...]
    time: npt.NDArray[np.int64]
    type: tuple[str, ...]
    value: npt.NDArray[np.float32]
    newest: int

    def __len__(self) -> int:
        return len(self.item)

    @property
    def nbytes(self) -> int:
        """About how much memory it takes."""
        return _ARRAYS + len(self.item) * EVENT_BYTES + sum(map(len, self.item))

    @classmethod
    def of(cls, rows: Sequence[Row]) -> History:
        """From rows (position, item, time, type, value) in order of time, ties by position."""
        if not rows:
            return EMPTY
        position, item, time, kind, value = zip(*rows, strict=True)
        with np.errstate(over="ignore"):  # beyond 32 bits, as older releases took: infinite
            values = np.array(value, dtype=np.float32)
        return cls(
            np.array(position, dtype=np.int64),
            item,
            np.array(time, dtype=np.int64),
            tuple(map(sys.intern, kind)),
            values,
            max(position),
        )

    def since(self, position: int) -> History:
        """Only the events after a position of the log: what a model pinned there has not seen."""
        if position <= 0 or not len(self.item):
            return self
        kept = np.flatnonzero(self.position > position)
        if len(kept) == len(self.item):
            return self
        if not len(kept):
            return EMPTY
        chosen = kept.tolist()
        return History(
            self.position[kept],
            tuple([self.item[i] for i in chosen]),
            self.time[kept],
            tuple([self.type[i] for i in chosen]),
            self.value[kept],
            self.newest,
        )

    def extended(self, events: Sequence[LoggedEvent]) -> History:
        """With later events, in order of position, added at their places."""
        rows = [(e.position, e.item, e.time, e.type, e.value) for e in events]
        rows.sort(key=_order)
        if rows and len(self) and rows[0][2] < self.time[-1]:  # a back-dated one among them
            columns = (self.position.tolist(), self.item, self.time.tolist(), self.type, self.value.tolist())
            return History.of(sorted([*zip(*columns, strict=True), *rows], key=_order))
        new = History.of(rows)
        return History(
            np.concatenate([self.position, new.position]),
            self.item + new.item,
            np.concatenate([self.time, new.time]),
            self.type + new.type,
            np.concatenate([self.value, new.value]),
            max(self.newest, new.newest),
        )


def _order(row: Row) -> tuple[int, int]:
    return row[2], row[0]


EMPTY = History(np.empty(0, np.int64), (), np.empty(0, np.int64), (), np.empty(0, np.float32), 0)
"""The history of somebody who did nothing."""
