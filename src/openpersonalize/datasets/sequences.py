"""Interactions as flat arrays, by user and oldest first: what every recipe learns from.

One sort by (user, time, arrival) and no Python object per user or row. Memory while building: about 50 bytes
per selected interaction, one block of strings, and the distinct ids; afterwards 12 to 22 bytes per
interaction (a column whose values are all the same takes none), and 4 more for each column of context.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from ..algorithms.dict_column import DictColumn, Value, known_at
from ..algorithms.events import Events
from ..algorithms.sessions import are_baskets, shuffled_ties
from ..storage.idtable import IdTable
from .profiles import Profiles
from .selection import EventSelection

Int16: TypeAlias = npt.NDArray[np.int16]
Int32: TypeAlias = npt.NDArray[np.int32]
Int64: TypeAlias = npt.NDArray[np.int64]
Float32: TypeAlias = npt.NDArray[np.float32]
Bools: TypeAlias = npt.NDArray[np.bool_]

BLOCK = 500_000
"""Rows whose strings are held at a time."""


@dataclass(frozen=True)
class Sequences:
    """Events of users; those of user number u are at ``ptr[u]:ptr[u + 1]``, oldest first, ties in arrival
    order.

    Attributes:
        users: everyone with a selected interaction. items: all items of selected interactions and of the
        catalogue.
        ptr: int64[U+1]. item: int32[N] numbers in `items`. time: int64[N] seconds.
        event: int16[N] numbers in `event_types`, -1 when the data has none. value: float32[N], NaN when
        missing.
        weight: float32[N], mean 1 over the chosen kinds of event.
        event_types: the types that occur, sorted.
        context: metadata columns of the interactions that may train, a row per event.
        profiles: what the Users dataset says; None without one.
        repeated: how many rows were left out, being the same event as another.
    """

    users: IdTable
    items: IdTable
    ptr: Int64
    item: Int32
    time: Int64
    event: Int16
    value: Float32
    weight: Float32
    event_types: tuple[str, ...]
    context: Mapping[str, DictColumn] = field(default_factory=dict)
    profiles: Profiles | None = None
    repeated: int = 0

    @property
    def events(self) -> Events:
        """The interactions as rankers are fitted on them; the arrays are shared."""
        return Events(self.ptr, self.item, self.time, self.event, self.weight, len(self.items))

    @property
    def counts(self) -> Int64:
        """int64[U], events per user."""
        return np.diff(self.ptr)

    @property
    def user(self) -> Int32:
        """int32[N], the user of each event."""
        return np.repeat(np.arange(len(self.users), dtype=np.int32), self.counts)

    @cached_property
    def baskets(self) -> bool:
        """Whether events of one second have no order: see `are_baskets`."""
        return are_baskets(self.ptr, self.item, self.time)

    def without_order_in_baskets(self, rng: np.random.Generator) -> Sequences:
        """The same events; those of baskets in random order, so that nothing is learned from the order of
        their rows, which nobody has when a question is asked. Memory: one of each column more meanwhile."""
        if not self.baskets:
            return self
        order = shuffled_ties(self.ptr, self.time, rng)
        return replace(
            self,
            item=self.item[order],
            event=_taken(self.event, order),
            value=_taken(self.value, order),
            weight=_taken(self.weight, order),
            context={name: column.take(order) for name, column in self.context.items()},
        )

    @cached_property
    def profile_rows(self) -> Int32:
        """int32[U], where `profiles` has each user, -1 for unknown ones."""
        if self.profiles is None:
            return np.full(len(self.users), -1, dtype=np.int32)
        return self.profiles.ids.find_all(self.users.series())

    def profile(self, user: int) -> dict[str, Value]:
        """What is known about a user, by column."""
        row = int(self.profile_rows[user])
        return {} if row < 0 or self.profiles is None else known_at(self.profiles.columns, row)

    def context_at(self, event: int) -> dict[str, Value]:
        """The context of one event, by column."""
        return known_at(self.context, event)

    @classmethod
    def without_events(cls, items: IdTable) -> Sequences:
        """Of a catalogue that nobody interacted with."""
        nothing = np.empty(0, dtype=np.float32)
        return cls(
            IdTable.from_series(pl.Series(dtype=pl.String)),
            items,
            np.zeros(1, dtype=np.int64),
            np.empty(0, dtype=np.int32),
            np.empty(0, dtype=np.int64),
            np.empty(0, dtype=np.int16),
            nothing,
            nothing,
            (),
        )

    def where(self, keep: Bools) -> Sequences:
        """The events marked True in bool[N] `keep`; users and items keep their numbers, some without events
        now."""
        kept = np.concatenate(([0], np.cumsum(keep, dtype=np.int64)))
        return replace(
            self,
            ptr=kept[self.ptr],
            item=self.item[keep],
            time=self.time[keep],
            event=_taken(self.event, keep),
            value=_taken(self.value, keep),
            weight=_taken(self.weight, keep),
            context={name: column.take(keep) for name, column in self.context.items()},
        )

    def of_items(self, kept: Bools) -> Sequences:
        """Only the items marked True in bool[n] `kept`, their events, and the users who have such events: all
        numbered anew."""
        events = self.where(kept[self.item])
        number = np.cumsum(kept, dtype=np.int32) - 1
        present = events.counts > 0
        return replace(
            events,
            users=IdTable.from_series(self.users.series().filter(pl.Series(present))),
            items=IdTable.from_series(self.items.series().filter(pl.Series(kept))),
            ptr=np.concatenate(([0], events.ptr[1:][present])),
            item=number[events.item],
        )


def build_sequences(
    interactions: pl.LazyFrame,
    item_ids: pl.Series | None,
    selection: EventSelection,
    context: Iterable[str] = (),
    profiles: Profiles | None = None,
) -> Sequences:
    """Read the interactions that `selection` chooses into `Sequences`.

    Rows with one (USER_ID, ITEM_ID, TIMESTAMP) count once: the one that weighs most, else the one that came
    first.

    Args:
        interactions: columns of the Interactions schema, rows in order of arrival.
        item_ids: ids of the Items dataset, which belong to the catalogue even without interactions.
        selection: which rows train.
        context: further columns to keep. profiles: what is known about users.
    """
    context = list(context)
    rows = _chosen(interactions, selection, context)
    users = IdTable.from_series(_distinct(rows, "USER_ID"))
    met = _distinct(rows, "ITEM_ID")
    items = IdTable.from_series(
        met if item_ids is None else pl.concat([met, item_ids.cast(pl.String).alias(met.name)])
    )
    kinds = _distinct(rows, "EVENT_TYPE").drop_nulls().sort().to_list()
    contexts = {name: DictColumn.of(rows.select(f"#{name}").collect()[f"#{name}"]) for name in context}
    user, item, time, event, value, weight = _columns(rows, users, items, kinds)
    order = np.lexsort((time, user))
    user, item, time = user[order], item[order], time[order]
    event, value, weight = (_taken(column, order) for column in (event, value, weight))
    contexts = {name: column.take(order) for name, column in contexts.items()}
    del order
    again = _repeated(user, time, item, weight)
    if again.any():
        kept = ~again
        user, item, time = user[kept], item[kept], time[kept]
        event, value, weight = (_taken(column, kept) for column in (event, value, weight))
        contexts = {name: column.take(kept) for name, column in contexts.items()}
    ptr = np.zeros(len(users) + 1, dtype=np.int64)
    np.cumsum(np.bincount(user, minlength=len(users)), out=ptr[1:])
    return Sequences(
        *(users, items, ptr, item, time, event, value, weight, tuple(kinds), contexts, profiles),
        repeated=int(again.sum()),
    )


def _chosen(interactions: pl.LazyFrame, selection: EventSelection, context: Iterable[str]) -> pl.LazyFrame:
    """The rows that train, their columns cast, with WEIGHT and ``#<name>`` of each column of context."""
    columns = interactions.collect_schema().names()
    missing = pl.lit(None)
    return interactions.select(
        pl.col("USER_ID").cast(pl.String),
        pl.col("ITEM_ID").cast(pl.String),
        pl.col("TIMESTAMP").cast(pl.Int64),
        (pl.col("EVENT_TYPE") if "EVENT_TYPE" in columns else missing).cast(pl.String).alias("EVENT_TYPE"),
        (pl.col("EVENT_VALUE") if "EVENT_VALUE" in columns else missing)
        .cast(pl.Float32)
        .alias("EVENT_VALUE"),
        selection.expression(columns).alias("WEIGHT"),
        *(pl.col(name).alias(f"#{name}") for name in context),
    ).filter(pl.col("WEIGHT").is_not_null())


def _distinct(rows: pl.LazyFrame, name: str) -> pl.Series:
    return rows.select(pl.col(name).unique()).collect(engine="streaming")[name]


def _columns(
    rows: pl.LazyFrame, users: IdTable, items: IdTable, kinds: list[str]
) -> tuple[Int32, Int32, Int64, Int16, Float32, Float32]:
    """The columns of all rows in order of arrival, read and numbered `BLOCK` rows at a time: strings are held
    for a block only."""
    find_user, find_item = (_numbering(ids.series(), np.int32) for ids in (users, items))
    find_kind = _numbering(pl.Series(kinds, dtype=pl.String), np.int16)
    parts: list[list[npt.NDArray[Any]]] = [[] for _ in range(6)]
    for block in rows.collect_batches(chunk_size=BLOCK, maintain_order=True):
        found = (
            find_user(block["USER_ID"]),
            find_item(block["ITEM_ID"]),
            block["TIMESTAMP"].to_numpy(),
            find_kind(block["EVENT_TYPE"]),
            block["EVENT_VALUE"].fill_null(float("nan")).to_numpy(),
            block["WEIGHT"].to_numpy(),
        )
        for part, column in zip(parts, found, strict=True):
            part.append(_compact(column))
    user, item, time = (_joined(part, kind) for part, kind in zip(parts[:3], ("i4", "i4", "i8"), strict=True))
    event, value, weight = (
        _joined(part, kind) for part, kind in zip(parts[3:], ("i2", "f4", "f4"), strict=True)
    )
    return user, item, time, event, value, weight


def _numbering(ids: pl.Series, kind: type[np.integer]) -> Callable[[pl.Series], npt.NDArray[Any]]:
    """Gives the place of each of many strings in `ids`, -1 for those that are not there."""
    own = pl.DataFrame({"id": ids, "number": np.arange(len(ids), dtype=kind)})

    def find(keys: pl.Series) -> npt.NDArray[Any]:
        found = keys.alias("id").to_frame().join(own, on="id", how="left", maintain_order="left")
        numbers: npt.NDArray[Any] = found["number"].fill_null(-1).to_numpy().astype(kind)
        return numbers

    return find


def _compact(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The column; where all values are the same, one of them, repeated without memory."""
    first = column[:1]
    alike = len(column) > 1 and bool(((column == first) | ((column != column) & (first != first))).all())
    return np.broadcast_to(first.copy(), (len(column),)) if alike else column


def _taken(column: npt.NDArray[Any], rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """``column[rows]`` by number or by mask, still without memory where all values are the same."""
    if column.strides != (0,):
        taken: npt.NDArray[Any] = column[rows]
        return taken
    size = int(rows.sum()) if rows.dtype == np.bool_ else len(rows)
    return np.broadcast_to(column[:1], (size,))


def _joined(parts: list[npt.NDArray[Any]], kind: npt.DTypeLike) -> npt.NDArray[Any]:
    """The parts in one; emptied, so that they are not held twice."""
    whole = np.empty(sum(len(part) for part in parts), dtype=kind)
    end = len(whole)
    while parts:
        part = parts.pop()
        whole[end - len(part) : end] = part
        end -= len(part)
    return _compact(whole)


def _repeated(user: Int32, time: Int64, item: Int32, weight: Float32) -> Bools:
    """bool[N] of rows sorted by (user, time): True for all but the best row of a (user, item, time).

    Only rows that share user and time with a neighbour are looked at again.
    """
    repeated = np.zeros(len(user), dtype=np.bool_)
    if len(user) < 2:
        return repeated
    same = (user[1:] == user[:-1]) & (time[1:] == time[:-1])
    if not same.any():
        return repeated
    group = groups_of_rows(same)
    crowded = np.flatnonzero(np.concatenate((same, [False])) | np.concatenate(([False], same)))
    order = crowded[np.lexsort((-weight[crowded], item[crowded], group[crowded]))]
    again = (group[order][1:] == group[order][:-1]) & (item[order][1:] == item[order][:-1])
    repeated[order[1:][again]] = True
    return repeated


def groups_of_rows(same: Bools) -> Int64:
    """int64[N + 1]: the group of each of N + 1 rows, from bool[N] "in the group of the row before".

    Beyond 2**31 groups 32 bits overflow: the v2 recipes consider 3e9 interactions.
    """
    groups = np.zeros(len(same) + 1, dtype=np.int64)
    np.cumsum(~same, out=groups[1:])
    return groups
