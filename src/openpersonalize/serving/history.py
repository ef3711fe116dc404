"""What a user did: the events a model scores from (`RecentEvents`), and `InteractedItems` for filters.

Scoring reads the last `HISTORY_LENGTH` events that would train: the artifact's own tail of the user (what
training saw) followed by the streamed events after the position the artifact is pinned to. A user the
artifact does not know, an anonymous session for one, has all streamed events that are known. Filters read
more: every interaction of the current bulk layer and every streamed event that is known (see
`events.history.LIVE_LENGTH`), of any type, known to the model or not; and what the user did in anonymous
sessions that the training joined to the user.

All of it is done on columns: an event more costs a look-up of its item and some microseconds of arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..datasets.histories import InteractionHistories
from ..datasets.selection import EventSelection
from ..events.history import History
from ..recipes.query import HISTORY_LENGTH, Query

BLOCK = 1_000
"""Streamed events looked through at once for those that count, from the newest backwards."""

AWAY_SECONDS = 90 * 86_400
"""Under a filter window, the imported history of a user who was away for longer is not considered."""

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
TrainedEvents = tuple[Int32, Int64, npt.NDArray[np.int16], npt.NDArray[np.float32]]
"""item, time, event type and weight of the events training saw, oldest first."""

NOTHING: TrainedEvents = (
    np.empty(0, dtype=np.int32),
    np.empty(0, dtype=np.int64),
    np.empty(0, dtype=np.int16),
    np.empty(0, dtype=np.float32),
)
"""The trained events of somebody whom training did not see."""


class LiveRows:
    """The rows that the items of one user's live history have in one table of items, -1 outside it; grows
    with the history, an item being looked up once. For one thread at a time."""

    __slots__ = ("_count", "_find", "_rows", "_source")

    def __init__(self, find: Callable[[list[str]], Int32]) -> None:
        """`find` gives the rows of some ids."""
        self._find = find
        self._source: object = None
        self._rows = np.empty(0, dtype=np.int32)
        self._count = 0

    def missing(self, history: History) -> int:
        """How many items `of` would have to look up."""
        return len(history.arrived.time) - (self._count if self._source is history.source else 0)

    def of(self, history: History) -> Int32:
        """int32[k] in order of arrival (see `History.arrived`)."""
        if self._source is not history.source:
            self._source, self._count = history.source, 0
        count = len(history.arrived.time)
        if count > self._count:
            if count > len(self._rows):
                grown = np.empty(max(count, 2 * self._count), dtype=np.int32)
                grown[: self._count] = self._rows[: self._count]
                self._rows = grown
            self._rows[self._count : count] = self._find(history.items(self._count))
            self._count = count
        return self._rows[:count]

    @property
    def nbytes(self) -> int:
        """Bytes of the rows."""
        return self._rows.nbytes + 200


@dataclass(frozen=True)
class RecentEvents:
    """How streamed events join the trained ones, for one model.

    Attributes:
        selection: which events count.
        event_types: number of each event type the model knows.
        position: place in the live log up to which the model was trained.
    """

    selection: EventSelection
    event_types: Mapping[str, int]
    position: int

    def query(
        self,
        trained: TrainedEvents,
        streamed: History,
        rows: Int32,
        now: int,
        seen_excluded: bool,
        arriving: bool = False,
    ) -> Query:
        """The question that a model is asked for a user with these events.

        Args:
            trained: what training saw. streamed: what came by the live log.
            rows: int32[k], the row in the model's table of each streamed event in order of arrival, -1
                outside it.
            now: seconds. seen_excluded: the answer leaves out the items that the user interacted with.
            arriving: see `Query`.
        """
        item, time, event, weight = trained
        if len(streamed):
            more = self._selected(streamed, rows, self.position if len(item) else 0)
            if len(more[0]):
                mixed = len(item) > 0
                item = np.concatenate([item, more[0]])
                time = np.concatenate([time, more[1]])
                event = np.concatenate([event, more[2]])
                weight = np.concatenate([weight, more[3]])
                if mixed:  # both parts are in order already
                    order = np.argsort(time, kind="stable")
                    item, time, event, weight = item[order], time[order], event[order], weight[order]
        if len(item) > HISTORY_LENGTH:
            newest = slice(-HISTORY_LENGTH, None)
            item, time, event, weight = item[newest], time[newest], event[newest], weight[newest]
        return Query(item, time, event, weight, now, seen_excluded, arriving=arriving)

    def _selected(self, streamed: History, rows: Int32, after: int) -> TrainedEvents:
        """Those of the newest streamed events behind a position that count and whose item the model knows."""
        position, time, kind, value = streamed.arrived
        places = np.arange(len(time))[streamed.order()]
        parts: list[tuple[Int64, npt.NDArray[np.float32]]] = []
        missing = HISTORY_LENGTH
        for end in range(len(places), 0, -BLOCK):
            some = places[max(0, end - BLOCK) : end]
            weights = self.selection.weights(streamed.type_number, kind[some], value[some])
            fits = ~np.isnan(weights) & (rows[some] >= 0) & (position[some] > after)
            parts.append((some[fits][-missing:], weights[fits][-missing:]))
            missing -= len(parts[-1][0])
            if missing <= 0:
                break
        chosen = np.concatenate([part[0] for part in reversed(parts)])
        weight = np.concatenate([part[1] for part in reversed(parts)])
        names = streamed.kinds
        numbers = [self.event_types.get(names[number], -1) for number in kind[chosen].tolist()]
        return rows[chosen], time[chosen], np.array(numbers, dtype=np.int16), weight


@dataclass(frozen=True)
class InteractedItems:
    """The items a user interacted with, by event type, as rows of a catalogue.

    Attributes:
        types: event types in lower case, "" for events without one.
        rows: int32[k] for each of them, in no order, repeats allowed.
    """

    types: tuple[str, ...]
    rows: tuple[Int32, ...]

    def accepted(self, accepts: Callable[[str], bool]) -> Int32:
        """Rows of items with an event of a type that is accepted; a row may occur twice."""
        chosen = [rows for kind, rows in zip(self.types, self.rows, strict=True) if accepts(kind)]
        return np.concatenate(chosen) if chosen else np.empty(0, dtype=np.int32)


@dataclass(frozen=True)
class BulkInteractions:
    """Interactions from before the live history of the users: `rows` is int32, the model's row of each of
    ``histories.items``, -1 where the model does not know it."""

    histories: InteractionHistories
    rows: Int32

    def rows_among(self, ids: Sequence[str]) -> Int32:
        """int32, like `rows`, of each of ``histories.items`` its place in `ids`, few of them."""
        found = np.full(len(self.histories.items), -1, dtype=np.int32)
        numbers = np.array([self.histories.items.find(name) for name in ids], dtype=np.int64)
        known = numbers >= 0
        found[numbers[known]] = np.flatnonzero(known)
        return found


Part = tuple[str, Int32, Int64]
"""An event type, and rows and times of interactions of that type."""


def bulk_parts(
    user: str, bulk: Iterable[BulkInteractions], rows: Iterable[Int32], window: int, now: float
) -> Iterable[Part]:
    """What a user did before the live history, by event type.

    Args:
        user: whose. bulk: where to look. rows: for each of `bulk` the row of each of its items.
        window: see `interacted`. now: seconds.
    """
    for one, row in zip(bulk, rows, strict=True):
        item, time, event, _ = one.histories.of(user)
        if not len(item) or (window and time[-1] < now - AWAY_SECONDS):
            continue
        for number in np.unique(event).tolist():
            some = event == number
            kind = one.histories.event_types[number] if number >= 0 else ""
            yield kind, row[item[some]], time[some]


def live_parts(live: History, rows: Int32) -> Iterable[Part]:
    """What a user did by the live log, by event type; `rows` in order of arrival."""
    if not len(live.arrived.time):
        return
    places = np.arange(len(live.arrived.time))[live.order()]
    kinds = live.arrived.type[places]
    order = np.argsort(kinds, kind="stable")
    bounds = np.flatnonzero(np.diff(kinds[order], prepend=-1, append=-1))
    for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        some = places[order[start:end]]
        yield live.kinds[int(kinds[order[start]])], rows[some], live.arrived.time[some]


def interacted(parts: Iterable[Part], window: int) -> InteractedItems:
    """Group interactions by event type.

    Args:
        parts: some interactions; rows of items outside the catalogue are -1.
        window: only so many of the newest of each type count; 0 = all.
    """
    by_kind: dict[str, list[tuple[Int32, Int64]]] = {}
    for kind, rows, times in parts:
        by_kind.setdefault(kind.lower(), []).append((rows, times))
    found = {}
    for kind, group in by_kind.items():
        rows = np.concatenate([one[0] for one in group])
        if window and len(rows) > window:
            order = np.argsort(np.concatenate([one[1] for one in group]), kind="stable")
            rows = rows[order[-window:]]
        found[kind] = rows[rows >= 0].astype(np.int32, copy=False)
    return InteractedItems(tuple(found), tuple(found.values()))
