"""Repeat consumption, two base rankers that look at the user's own items: `RepeatConsumption` and
`PersonalFrequency`.

`RepeatConsumption` (Anderson et al., "The dynamics of repeat consumption", 2014) learns how likely an item is
to come back within the user's next `horizon` events, from the kind of its last event, how often it came so
far and how many events ago; and from the item itself and the time since (`return_hazard`): what nobody takes
twice does not come back, though other things do. Where nothing repeats it learns that too, and sends the
user's items to the bottom. `PersonalFrequency` is the plain, decayed count of the user's own events.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from .arrays import Float32, Float64, Int32, Int64
from .events import Events
from .item_attribute import ItemAttribute
from .item_counts import BLOCK, user_blocks
from .lazy_scores import SparseScores
from .mapped import mapped
from .ranker import BaseRanker, QueryBlock, RankerQuery
from .return_hazard import ReturnHazard, Waits, classes_of, octave

AGES = 14
"""Buckets of the number of events since: 0, 1-2, 3-6, 7-14 and so on."""

TIMES = 5
"""Buckets of how often so far: 1, 2, 3, 4-5, more."""

_TIMES_EDGES = np.array([2, 3, 4, 6])
_PRIOR = 20.0
_FLOOR = 1e-7
_NO_CATEGORIES: Mapping[str, ItemAttribute] = {}


class RepeatConsumption(BaseRanker):
    """Feature: log of P(comes back) over the chance of an item never met; 0 for items never met."""

    kind: ClassVar[str] = "repeats"

    def __init__(self, table: Float32, n: int, hazard: ReturnHazard | None = None) -> None:
        """`table`: float32[types + 1, TIMES, AGES], the feature of a met item; type -1 is the last row.
        `hazard`: what the item and the time add; None (of older models): nothing."""
        self.table = table
        self.n, self.hazard = n, hazard

    @classmethod
    def fit(
        cls, events: Events, horizon: int, categories: Mapping[str, ItemAttribute] = _NO_CATEGORIES
    ) -> RepeatConsumption:
        """Count over all positions of all histories in `AGES` and `SPANS` vector operations, a few users at a
        time. `categories`: of the items, by column."""
        kinds = int(events.event.max(initial=-1)) + 2
        hits, trials = np.zeros((2, AGES, kinds * TIMES))
        fresh = 0
        few = list(_waits(events, kinds, horizon)) if len(events.item) <= BLOCK else None
        for waits in few or _waits(events, kinds, horizon):
            fresh += waits.pairs
            _count(waits, hits, trials)
        new = fresh / max(len(events.item), 1)
        unseen = max(horizon * new / max(events.n, 1), _FLOOR)
        chance = _chances(hits, trials, unseen)
        logs = np.log(np.maximum(chance, _FLOOR) / unseen).reshape(AGES, kinds, TIMES).transpose(1, 2, 0)
        classes = classes_of(np.bincount(events.event % kinds, minlength=kinds))
        again = few or _waits(events, kinds, horizon)
        hazard = ReturnHazard.of(again, chance, events.n, horizon, categories, classes)
        return cls(np.ascontiguousarray(logs, dtype=np.float32), events.n, hazard)

    def feature(self, query: RankerQuery) -> Float32:
        """See the class."""
        return _written_out(self.lazy(query), self.n)

    def lazy(self, query: RankerQuery) -> SparseScores:
        """See `BaseRanker.lazy`."""
        items, last, times = _last_met(query.item)
        age = np.log2(len(query.item) - last).astype(np.int64)
        kind = np.minimum(query.event[last].astype(np.int64), len(self.table) - 2)
        often = np.searchsorted(_TIMES_EDGES, times, side="right")
        values = self.table[kind, often, np.minimum(age, AGES - 1)]
        if self.hazard is not None:
            values = values + self.hazard.of_items(items, kind, query.now - query.time[last])
        return SparseScores(items, values)

    def accumulate(self, block: QueryBlock, weight: np.float32, total: Float32) -> None:
        """See `BaseRanker.accumulate`."""
        own = _OwnItems.of(block)
        last = own.order[own.end - 1]
        age = np.log2(block.ptr[own.user + 1] - last).astype(np.int64)
        kind = np.minimum(block.event[last].astype(np.int64), len(self.table) - 2)
        often = np.searchsorted(_TIMES_EDGES, own.end - own.start, side="right")
        values = self.table[kind, often, np.minimum(age, AGES - 1)]
        if self.hazard is not None:
            now = np.array([query.now for query in block.queries], dtype=np.int64)
            values = values + self.hazard.of_items(own.item, kind, now[own.user] - block.time[last])
        total[own.user, own.item] += weight * values

    def save(self, folder: Path) -> None:
        """Three arrays and the number of items."""
        np.save(folder / f"{self.name}.npy", self.table)
        if self.hazard is not None:
            np.save(folder / f"{self.name}.hazard.npy", self.hazard.logs)
            np.save(folder / f"{self.name}.classes.npy", self.hazard.classes)
        (folder / f"{self.name}.json").write_text(json.dumps({"items": self.n}))

    @classmethod
    def load(cls, folder: Path, name: str) -> RepeatConsumption:
        """Read what `save` wrote, the larger array mapped; a model of 0.1 has no hazards, and later ones had
        the same for all kinds of events."""
        items = json.loads((folder / f"{name}.json").read_text())["items"]
        table, hazard = np.load(folder / f"{name}.npy"), None
        if (folder / f"{name}.hazard.npy").exists():
            logs, classes = mapped(folder / f"{name}.hazard.npy"), folder / f"{name}.classes.npy"
            if classes.exists():
                hazard = ReturnHazard(logs, np.load(classes))
            else:
                hazard = ReturnHazard(logs[:, None], np.zeros(len(table), dtype=np.int64))
        return cls(table, items, hazard)


class PersonalFrequency(BaseRanker):
    """Feature: log(1 + 20 * the user's own events on the item, each faded by how long before the newest it
    was); 0 for items never met."""

    kind: ClassVar[str] = "own"

    def __init__(self, half_life: int, n: int) -> None:
        """`half_life`: seconds."""
        self.half_life = half_life
        self.n = n

    def feature(self, query: RankerQuery) -> Float32:
        """See the class."""
        return _written_out(self.lazy(query), self.n)

    def lazy(self, query: RankerQuery) -> SparseScores:
        """See `BaseRanker.lazy`."""
        fade = np.exp2((query.time - query.time[-1:]) / self.half_life)
        items, place = np.unique(query.item, return_inverse=True)
        often = np.bincount(place, weights=fade, minlength=len(items))
        return SparseScores(items, np.log1p(20.0 * often).astype(np.float32))

    def accumulate(self, block: QueryBlock, weight: np.float32, total: Float32) -> None:
        """See `BaseRanker.accumulate`."""
        if not len(block.item):
            return
        own = _OwnItems.of(block)
        newest = block.time[np.maximum(block.ptr[1:] - 1, 0)]
        fade = np.exp2((block.time - newest[block.user]) / self.half_life)
        often = np.add.reduceat(fade[own.order], own.start)
        total[own.user, own.item] += weight * np.log1p(20.0 * often).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Two numbers."""
        (folder / f"{self.name}.json").write_text(json.dumps({"half_life": self.half_life, "items": self.n}))

    @classmethod
    def load(cls, folder: Path, name: str) -> PersonalFrequency:
        """Read what `save` wrote."""
        state = json.loads((folder / f"{name}.json").read_text())
        return cls(state["half_life"], state["items"])


class _OwnItems(NamedTuple):
    """The distinct items of each query of a block.

    Attributes:
        order: int64[N], places of the block's events, those of one item of a query together, oldest first.
        start, end: int64[m], where in `order` those of each pair begin and end.
        user, item: int64[m] of each pair, the query's number and the item.
    """

    order: Int64
    start: Int64
    end: Int64
    user: Int64
    item: Int64

    @classmethod
    def of(cls, block: QueryBlock) -> _OwnItems:
        keys = (block.user << 32) | block.item
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        start = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1]))[: len(keys)])
        end = np.append(start[1:], len(keys))[: len(start)]
        return cls(order, start, end, keys[start] >> 32, keys[start] & 0xFFFFFFFF)


def _written_out(feature: SparseScores, n: int) -> Float32:
    values = np.zeros(n, dtype=np.float32)
    values[feature.columns] = feature.values
    return values


def _waits(events: Events, kinds: int, horizon: int) -> Iterator[Waits]:
    """The waits of some users after those of others; an event's cell is its kind and how often its item came
    so far."""
    for first, end in user_blocks(events.ptr):
        some = slice(int(events.ptr[first]), int(events.ptr[end]))
        ptr, item = events.ptr[first : end + 1] - some.start, events.item[some]
        lengths = np.diff(ptr)
        user = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
        position = np.arange(len(item)) - np.repeat(ptr[:-1], lengths)
        length = np.repeat(lengths, lengths)
        order = np.lexsort((position, item, user))
        same = (np.diff(item[order]) == 0) & (np.diff(user[order]) == 0)
        following = np.full(len(order), -1, dtype=np.int64)
        following[order[:-1][same]] = position[order[1:][same]]
        so_far = np.empty(len(order), dtype=np.int64)
        runs = np.flatnonzero(np.concatenate(([True], ~same))) if len(order) else np.empty(0, np.int64)
        so_far[order] = np.arange(len(order)) - np.repeat(runs, np.diff(np.append(runs, len(order)))) + 1
        kind = (events.event[some] % kinds).astype(np.int64)
        cell = kind * TIMES + np.searchsorted(_TIMES_EDGES, so_far, side="right")
        returns = following >= 0
        # The questions an event takes part in: from just after it to its return, or to the end of all.
        asked = np.where(returns, following - position, length - 1 - position)
        early = np.where(returns, np.maximum(asked - horizon, 0), asked)
        yield Waits(ptr, item, events.time[some], cell, asked, early, returns, len(runs))


def _count(waits: Waits, hits: Float64, trials: Float64) -> None:
    """Add the questions of some users to `hits` and `trials`, float64[AGES, kinds * TIMES]."""
    for age in range(AGES):
        low, high = octave(age, AGES)
        cells = trials.shape[1]
        trials[age] += np.bincount(waits.cell, weights=waits.within(low, high), minlength=cells)
        hits[age] += np.bincount(waits.cell, weights=waits.came(low, high), minlength=cells)


def _last_met(item: Int32) -> tuple[Int32, Int64, Int64]:
    """Distinct items, the place of the last event of each, and how many events each had."""
    items, first, times = np.unique(item[::-1], return_index=True, return_counts=True)
    return items, len(item) - 1 - first, times


def _chances(hits: Float64, trials: Float64, unseen: float) -> Float64:
    """P(comes back) per cell; a cell with few trials leans on its age's average, that on the average of
    all."""
    overall = (hits.sum() + unseen) / (trials.sum() + 1.0)
    by_age = (hits.sum(axis=1) + _PRIOR * overall) / (trials.sum(axis=1) + _PRIOR)
    found: Float64 = (hits + _PRIOR * by_age[:, None]) / (trials + _PRIOR)
    return found
