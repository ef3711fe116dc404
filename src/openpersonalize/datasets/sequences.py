"""Interactions as flat arrays, by user and oldest first: what every recipe learns from.

One 64-bit sort by (user, time, arrival) and no Python object per user or row. Memory while building: about
120 bytes per selected interaction and the distinct ids; afterwards 30 bytes per interaction, and 4 more for
each column of context.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from ..algorithms.coded import Coded, Value, known_at
from ..storage.idtable import IdTable
from .profiles import Profiles
from .selection import EventSelection

Int16: TypeAlias = npt.NDArray[np.int16]
Int32: TypeAlias = npt.NDArray[np.int32]
Int64: TypeAlias = npt.NDArray[np.int64]
Float32: TypeAlias = npt.NDArray[np.float32]
Bools: TypeAlias = npt.NDArray[np.bool_]


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
    context: Mapping[str, Coded] = field(default_factory=dict)
    profiles: Profiles | None = None

    @property
    def counts(self) -> Int64:
        """int64[U], events per user."""
        return np.diff(self.ptr)

    @property
    def user(self) -> Int32:
        """int32[N], the user of each event."""
        return np.repeat(np.arange(len(self.users), dtype=np.int32), self.counts)

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

    def situation(self, event: int) -> dict[str, Value]:
        """The context of one event, by column."""
        return known_at(self.context, event)

    def where(self, keep: Bools) -> Sequences:
        """The events marked True in bool[N] `keep`; users and items keep their numbers, some without events
        now."""
        kept = np.concatenate(([0], np.cumsum(keep, dtype=np.int64)))
        return replace(
            self,
            ptr=kept[self.ptr],
            item=self.item[keep],
            time=self.time[keep],
            event=self.event[keep],
            value=self.value[keep],
            weight=self.weight[keep],
            context={name: column.take(keep) for name, column in self.context.items()},
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
    columns = interactions.collect_schema().names()
    frame = (
        interactions.select(
            pl.col("USER_ID").cast(pl.String),
            pl.col("ITEM_ID").cast(pl.String),
            pl.col("TIMESTAMP").cast(pl.Int64),
            (pl.col("EVENT_TYPE") if "EVENT_TYPE" in columns else pl.lit(None))
            .cast(pl.String)
            .alias("EVENT_TYPE"),
            (pl.col("EVENT_VALUE") if "EVENT_VALUE" in columns else pl.lit(None))
            .cast(pl.Float32)
            .alias("EVENT_VALUE"),
            selection.expression(columns).alias("WEIGHT"),
            *(pl.col(name).alias(f"#{name}") for name in context),
        )
        .filter(pl.col("WEIGHT").is_not_null())
        .collect()
    )
    users = IdTable.from_series(frame["USER_ID"])
    met = frame["ITEM_ID"].unique()
    items = IdTable.from_series(
        met if item_ids is None else pl.concat([met, item_ids.cast(pl.String).alias(met.name)])
    )
    kinds = frame["EVENT_TYPE"].drop_nulls().unique().sort().to_list()
    user, item = users.find_all(frame["USER_ID"]), items.find_all(frame["ITEM_ID"])
    event = _numbers(frame["EVENT_TYPE"], kinds)
    time = frame["TIMESTAMP"].to_numpy()
    value = frame["EVENT_VALUE"].fill_null(float("nan")).to_numpy().astype(np.float32)
    weight = frame["WEIGHT"].to_numpy().astype(np.float32)
    situations = {name: Coded.of(frame[f"#{name}"]) for name in context}
    del frame
    order = np.lexsort((time, user))
    order = order[~_repeated(user[order], time[order], item[order], weight[order])]
    ptr = np.zeros(len(users) + 1, dtype=np.int64)
    np.cumsum(np.bincount(user[order], minlength=len(users)), out=ptr[1:])
    return Sequences(
        users,
        items,
        ptr,
        item[order],
        time[order],
        event[order],
        value[order],
        weight[order],
        tuple(kinds),
        {name: column.take(order) for name, column in situations.items()},
        profiles,
    )


def _numbers(kinds_of_rows: pl.Series, kinds: list[str]) -> Int16:
    if not kinds:
        return np.full(len(kinds_of_rows), -1, dtype=np.int16)
    numbers = pl.DataFrame({"kind": kinds, "number": np.arange(len(kinds), dtype=np.int16)})
    rows = kinds_of_rows.alias("kind").to_frame().join(numbers, on="kind", how="left", maintain_order="left")
    return rows["number"].fill_null(-1).to_numpy().astype(np.int16)


def _repeated(user: Int32, time: Int64, item: Int32, weight: Float32) -> Bools:
    """bool[N] of rows sorted by (user, time): True for all but the best row of a (user, item, time).

    Only rows that share user and time with a neighbour are looked at again.
    """
    repeated = np.zeros(len(user), dtype=np.bool_)
    if len(user) < 2:
        return repeated
    same = (user[1:] == user[:-1]) & (time[1:] == time[:-1])
    group = np.concatenate(([0], np.cumsum(~same)))
    crowded = np.flatnonzero(np.concatenate((same, [False])) | np.concatenate(([False], same)))
    if not len(crowded):
        return repeated
    order = crowded[np.lexsort((-weight[crowded], item[crowded], group[crowded]))]
    again = (group[order][1:] == group[order][:-1]) & (item[order][1:] == item[order][:-1])
    repeated[order[1:][again]] = True
    return repeated
