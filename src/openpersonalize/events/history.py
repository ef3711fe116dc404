"""The live history of one user: what was streamed, as columns that grow in place: `History`.

A history is a view of buffers that it shares with later ones of the same user: an event more costs what the
event costs, however many came before. Buffers are in order of arrival; `order` says how they stand in time.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from .entries import LoggedEvent

Row: TypeAlias = tuple[int, str, int, str, float | None]
"""position, item, time, type, value."""
Int64: TypeAlias = npt.NDArray[np.int64]

LIVE_LENGTH = 10_000
"""Streamed events of one user that are known: the newest by time. Scoring asks for far fewer; filters on
interactions see these and all imported ones."""

_ARRAYS = 900
"""Bytes of an empty history: the objects, its lists and its array headers."""

EVENT_BYTES = 8 + 8 + 4 + 4 + 8 + 49
"""Bytes of one event besides its item's characters: array cells, a reference, a string's header."""


class _Buffers:
    """Columns of one user's events in order of arrival, with room behind them. One thread at a time appends;
    what is written is never changed."""

    __slots__ = ("items", "kinds", "newest", "numbers", "position", "text_bytes", "time", "type", "value")

    def __init__(self, rows: Sequence[Row]) -> None:
        room = max(16, len(rows) + len(rows) // 4)
        self.position = np.empty(room, np.int64)
        self.time = np.empty(room, np.int64)
        self.type = np.empty(room, np.int32)
        self.value = np.empty(room, np.float32)
        self.items: list[str] = []
        self.kinds: list[str] = []
        self.numbers: dict[str, int] = {}
        self.newest = self.text_bytes = 0
        self.append(rows)

    def append(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        start, count = len(self.items), len(self.items) + len(rows)
        if count > len(self.position):
            room = max(count, 2 * len(self.position))
            for name in ("position", "time", "type", "value"):
                column = getattr(self, name)
                grown = np.empty(room, column.dtype)
                grown[:start] = column[:start]
                setattr(self, name, grown)
        position, item, time, kind, value = zip(*rows, strict=True)
        self.position[start:count] = position
        self.time[start:count] = time
        self.type[start:count] = [self._number(name) for name in kind]
        with np.errstate(over="ignore"):  # beyond 32 bits, as older releases took: infinite
            self.value[start:count] = np.array(value, dtype=np.float64).astype(np.float32)
        self.newest = max(self.newest, *position)
        self.text_bytes += sum(map(len, item))
        self.items.extend(item)

    def _number(self, kind: str) -> int:
        number = self.numbers.get(kind)
        if number is None:
            number = self.numbers[kind] = len(self.kinds)
            self.kinds.append(sys.intern(kind))
        return number


class Columns(NamedTuple):
    """Events in order of arrival: int64[k] position and time (epoch seconds), int32[k] type (its number in
    `History.kinds`), float32[k] value (NaN where there is none)."""

    position: Int64
    time: Int64
    type: npt.NDArray[np.int32]
    value: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Events of one user or anonymous session that count: the newest `length` by time, ties by arrival.
    Immutable.

    Attributes:
        arrived: the events' columns in order of arrival; may hold older ones beyond `length` (see `order`).
        newest: the highest position, 0 when empty: another one for each event that is added.
        length: most events.
    """

    arrived: Columns
    newest: int
    length: int
    _buffers: _Buffers = field(repr=False)

    @classmethod
    def of(cls, rows: Iterable[Row], length: int = LIVE_LENGTH) -> History:
        """From rows (position, item, time, type, value): the newest `length` of them."""
        ordered = sorted(rows)
        if len(ordered) > length:
            ordered = sorted(sorted(ordered, key=_when)[-length:])
        return cls._view(_Buffers(ordered), length)

    @classmethod
    def _view(cls, buffers: _Buffers, length: int) -> History:
        n = len(buffers.items)
        columns = Columns(buffers.position[:n], buffers.time[:n], buffers.type[:n], buffers.value[:n])
        return cls(columns, buffers.newest, length, buffers)

    def __len__(self) -> int:
        return min(len(self.arrived.position), self.length)

    @property
    def kinds(self) -> Sequence[str]:
        """The event types as written, by number; later ones may follow."""
        return self._buffers.kinds

    def type_number(self, kind: str) -> int:
        """The number of an event type, -1 when no event has it."""
        return self._buffers.numbers.get(kind, -1)

    @property
    def source(self) -> object:
        """The same object for histories of which the longer one continues the shorter one."""
        return self._buffers

    @property
    def nbytes(self) -> int:
        """About how much memory it takes, shared buffers included."""
        buffers = self._buffers
        return _ARRAYS + len(buffers.position) * EVENT_BYTES + buffers.text_bytes

    def items(self, start: int = 0) -> list[str]:
        """The items' ids from place `start` on, in order of arrival."""
        return self._buffers.items[start : len(self.arrived.position)]

    def order(self) -> Int64 | slice:
        """The places of the newest `length` events by time, oldest first, ties in order of arrival."""
        time = self.arrived.time
        if len(time) < 2 or bool((time[1:] >= time[:-1]).all()):
            return slice(max(0, len(time) - self.length), None)
        return np.argsort(time, kind="stable")[-self.length :]

    # The same, oldest first: a copy of each column where the events did not come in order.

    @property
    def position(self) -> Int64:
        """Where in the log each event stands; a model pinned at p has seen those <= p."""
        return self.arrived.position[self.order()]

    @property
    def time(self) -> Int64:
        """Epoch seconds."""
        return self.arrived.time[self.order()]

    @property
    def value(self) -> npt.NDArray[np.float32]:
        """Event values, NaN where there is none."""
        return self.arrived.value[self.order()]

    @property
    def item(self) -> tuple[str, ...]:
        """The items' ids."""
        items, order = self._buffers.items, self.order()
        return tuple([items[place] for place in np.arange(len(self.arrived.time))[order].tolist()])

    @property
    def type(self) -> tuple[str, ...]:
        """The event types as written."""
        kinds = self._buffers.kinds
        return tuple([kinds[number] for number in self.arrived.type[self.order()].tolist()])

    def extended(self, events: Sequence[LoggedEvent]) -> History:
        """With events that came later, in order of position. Only the newest history of a user may be
        extended, by one thread at a time; this one stays as it is."""
        rows = [(e.position, e.item, e.time, e.type, e.value) for e in events]
        if len(self.arrived.time) + len(rows) > 2 * self.length:
            values = [None if value != value else value for value in self.value.tolist()]
            own = zip(self.position.tolist(), self.item, self.time.tolist(), self.type, values, strict=True)
            return History.of([*own, *rows], self.length)
        self._buffers.append(rows)
        return History._view(self._buffers, self.length)


def _when(row: Row) -> tuple[int, int]:
    return row[2], row[0]


EMPTY = History.of(())
"""The history of somebody who did nothing."""
