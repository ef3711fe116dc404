"""What a user did: the events a model scores from, and the items a filter counts as met.

Scoring reads the last `HISTORY_LENGTH` events that would train: the artifact's own tail of the user (what
training saw) followed by the streamed events after the position the artifact is pinned to. A user the
artifact does not know, an anonymous session for one, has all streamed events. Filters read more: every
interaction of the current bulk layer and every streamed event, however long ago, of any type, known to the
model or not; and what the user did in anonymous sessions that the training joined to the user.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..datasets.histories import InteractionHistories
from ..datasets.selection import EventSelection
from ..events.history import History
from ..recipes.query import HISTORY_LENGTH, Query

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


@dataclass(frozen=True)
class RecentEvents:
    """How streamed events join the trained ones, for one model.

    Attributes:
        selection: which events count.
        event_types: number of each event type the model knows.
        row_of: number of an item in the model's table, None when it is not in it.
        position: place in the live log up to which the model was trained.
    """

    selection: EventSelection
    event_types: Mapping[str, int]
    row_of: Callable[[str], int | None]
    position: int

    def query(self, trained: TrainedEvents, streamed: History, now: int, seen_excluded: bool) -> Query:
        """The question that a model is asked for a user with these events."""
        item, time, event, weight = trained
        tail = streamed.since(self.position) if len(item) else streamed
        if len(tail):
            more = self._selected(tail)
            if more is not None:
                item = np.concatenate([item, more[0]])
                time = np.concatenate([time, more[1]])
                event = np.concatenate([event, more[2]])
                weight = np.concatenate([weight, more[3]])
                if len(item) > len(more[0]):  # both parts are in order already
                    order = np.argsort(time, kind="stable")
                    item, time, event, weight = item[order], time[order], event[order], weight[order]
        if len(item) > HISTORY_LENGTH:
            item, time, event, weight = (
                item[-HISTORY_LENGTH:],
                time[-HISTORY_LENGTH:],
                event[-HISTORY_LENGTH:],
                weight[-HISTORY_LENGTH:],
            )
        return Query(item, time, event, weight, now, seen_excluded)

    def _selected(self, tail: History) -> TrainedEvents | None:
        """Those of the newest streamed events that count and whose item the model knows."""
        rows: list[tuple[int, int, int, float]] = []
        for place in range(len(tail) - 1, -1, -1):
            weight = self.selection.weight(tail.type[place], float(tail.value[place]))
            row = None if weight is None else self.row_of(tail.item[place])
            if row is not None and weight is not None:
                kind = self.event_types.get(tail.type[place], -1)
                rows.append((row, int(tail.time[place]), kind, weight))
                if len(rows) == HISTORY_LENGTH:
                    break
        if not rows:
            return None
        rows.reverse()
        item, time, event, weights = zip(*rows, strict=True)
        return (
            np.array(item, dtype=np.int32),
            np.array(time, dtype=np.int64),
            np.array(event, dtype=np.int16),
            np.array(weights, dtype=np.float32),
        )


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
        """Rows of items met by an event type that is accepted; a row may occur twice."""
        chosen = [rows for kind, rows in zip(self.types, self.rows, strict=True) if accepts(kind)]
        return np.concatenate(chosen) if chosen else np.empty(0, dtype=np.int32)


@dataclass(frozen=True)
class BulkInteractions:
    """Interactions from before the live history of the users: `rows` is int32, the model's row of each of
    ``histories.items``, -1 where the model does not know it."""

    histories: InteractionHistories
    rows: Int32


def gathered(
    user: str | None,
    live: History,
    past: Sequence[BulkInteractions],
    row_of: Callable[[str], int | None],
    by_name: bool,
    window: int,
    now: float,
) -> InteractedItems:
    """The items a user met, as the rows that `row_of` gives.

    Args:
        user: None: nobody in particular. live, past: where the user met them.
        row_of: the row of an item, None: it has none.
        by_name: those of `past`, too, are asked of `row_of`; else `past` has their rows.
        window: see `interacted`. now: seconds.
    """
    kinds, times = list(live.type), live.time
    rows = [row_of(item) for item in live.item]
    for one in past:
        item, time, event, _ = one.histories.of("" if user is None else user)
        if not len(item) or (window and time[-1] < now - AWAY_SECONDS):
            continue
        names = [*one.histories.event_types, ""]  # number -1, no type, is the last
        kinds = [names[number] for number in event.tolist()] + kinds
        if by_name:
            rows = [row_of(one.histories.items[number]) for number in item.tolist()] + rows
        else:
            rows = one.rows[item].tolist() + rows
        times = np.concatenate([time, times])
    return interacted(
        kinds, np.array([-1 if row is None else row for row in rows], dtype=np.int64), times, window
    )


def interacted(
    kinds: npt.NDArray[np.str_] | list[str],
    rows: Int64,
    times: Int64,
    window: int,
) -> InteractedItems:
    """Group interactions by event type.

    Args:
        kinds: the type of each interaction.
        rows: int64[k] the item's row, -1 for an item outside the catalogue.
        times: int64[k].
        window: only so many of the newest of each type count; 0 = all.
    """
    order = np.argsort(times, kind="stable") if window else np.arange(len(rows))
    by_kind: dict[str, list[int]] = {}
    listed, numbers = list(kinds), rows.tolist()
    for place in order.tolist():
        by_kind.setdefault(listed[place].lower(), []).append(numbers[place])
    kept = {kind: [r for r in found[-window if window else 0 :] if r >= 0] for kind, found in by_kind.items()}
    return InteractedItems(tuple(kept), tuple(np.array(found, dtype=np.int32) for found in kept.values()))
