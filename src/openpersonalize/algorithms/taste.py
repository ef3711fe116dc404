"""Content-based taste (Pazzani and Billsus, "Content-based recommendation systems", 2007), as a base ranker
for each categorical column of the items' metadata, `Taste`: how much more often than everybody a user meets
the values of an item.

A value counts as `ContentColumn.ratios` says: the logarithm of the user's share of it over everybody's, drawn
to everybody's, older events fading. Of an item with several values it is their mean. Everybody's share is
counted by users, so that what one of them does a thousand times counts once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from .arrays import Bools, Float32, Int32, Int64, sorted_unique
from .content_model import HALF_LIFE, ContentColumn, means
from .events import Events
from .item_attribute import ItemAttribute
from .lazy_scores import LazyScores
from .mapped import mapped
from .ranker import BaseRanker, RankerQuery

MOST_COLUMNS = 6
"""Columns that become rankers, those that tell most."""
SAMPLED_EVENTS = 300
"""Events that say how much a column tells."""
LONGEST = 200
"""Newest events of a history that count then."""
LEADING_VALUES = 8
"""Values of a user that name candidates."""


class Taste(BaseRanker):
    """Feature: the mean over an item's values of log(share of the user / share of everybody); 0 for items
    without values, and for those that nobody met."""

    kind: ClassVar[str] = "taste"

    def __init__(self, column: ContentColumn, label: str, by_value: Int32) -> None:
        """`column`: of the items that anybody met. `label`: its name. `by_value`: int32[codes], the items by
        value, and of one value those of most users first."""
        self.column, self.label, self._by_value = column, label, by_value

    @property
    def name(self) -> str:
        """See `BaseRanker.name`."""
        return f"{self.kind}-{self.label}"

    @classmethod
    def fit(cls, attribute: ItemAttribute, label: str, users: Float32) -> Taste:
        """Of items that so many users met, float32[n]. Memory: 8 bytes for each value of an item."""
        met = _only(attribute, users > 0)
        item = np.repeat(np.arange(len(users), dtype=np.int32), np.diff(met.ptr))
        order = np.lexsort((-users[item], met.code))
        column = ContentColumn.of(met, False, users.astype(np.float64))
        return cls(column, label, item[order])

    def feature(self, query: RankerQuery) -> Float32:
        """See the class."""
        return means(self.column.attribute, self._ratios(query))

    def lazy(self, query: RankerQuery) -> TasteScores:
        """See `BaseRanker.lazy`."""
        return TasteScores(self.column.attribute, self._ratios(query), self._by_value)

    def _ratios(self, query: RankerQuery) -> Float32:
        faded = 0.5 ** (np.maximum(query.now - query.time[-LONGEST:], 0) / HALF_LIFE)
        return self.column.ratios(query.item[-LONGEST:], faded)

    def save(self, folder: Path) -> None:
        """Four arrays and a name."""
        attribute = self.column.attribute
        np.save(folder / f"{self.name}.code.npy", attribute.code)
        np.save(folder / f"{self.name}.ptr.npy", attribute.ptr)
        np.save(folder / f"{self.name}.base.npy", self.column.base)
        np.save(folder / f"{self.name}.items.npy", self._by_value)
        described = {"label": self.label, "size": attribute.size}
        (folder / f"{self.name}.json").write_text(json.dumps(described))

    @classmethod
    def load(cls, folder: Path, name: str) -> Taste:
        """Map what `save` wrote."""
        state = json.loads((folder / f"{name}.json").read_text())
        code, ptr, base, items = (
            mapped(folder / f"{name}.{part}.npy") for part in ("code", "ptr", "base", "items")
        )
        return cls(ContentColumn(ItemAttribute(code, ptr, state["size"]), base, False), state["label"], items)


@dataclass(frozen=True)
class TasteScores(LazyScores):
    """The feature for one user: `ratios` of the values; see `Taste`."""

    attribute: ItemAttribute
    ratios: Float32
    by_value: Int32

    def at(self, rows: Int64) -> Float32:
        """See `LazyScores`."""
        return means(self.attribute.of(rows), self.ratios)

    def top(self, k: int) -> Int64:
        """See `LazyScores`: of the values that lead, the items of most users."""
        leading = np.argsort(-self.ratios, kind="stable")[:LEADING_VALUES]
        leading = leading[self.ratios[leading] > 0]
        ends = np.cumsum(np.bincount(self.attribute.code, minlength=self.attribute.size))
        each = -(-k // max(len(leading), 1))
        starts = [int(ends[value - 1]) if value else 0 for value in leading]
        found = [
            self.by_value[start : min(start + each, int(ends[value]))]
            for start, value in zip(starts, leading, strict=True)
        ]
        return sorted_unique(np.concatenate([np.empty(0, np.int32), *found]).astype(np.int64))[:k]


def telling(
    attributes: Mapping[str, ItemAttribute],
    events: Events,
    users: Float32,
    rng: np.random.Generator,
    most: int = MOST_COLUMNS,
) -> list[str]:
    """The at most `most` columns that tell most about what users meet next: the mean feature of what some met
    over that of what is met by everybody."""
    if len(attributes) <= most:
        return list(attributes)
    first = np.zeros(len(events.item), dtype=np.bool_)
    first[events.ptr[:-1][events.ptr[:-1] < len(first)]] = True
    places = np.flatnonzero(~first)
    places = rng.permutation(places)[:SAMPLED_EVENTS]
    starts = events.ptr[events.ptr.searchsorted(places, side="right") - 1]
    share = users / max(float(users.sum()), 1.0)
    lift = {}
    for label, attribute in attributes.items():
        column = ContentColumn.of(_only(attribute, users > 0), False, users.astype(np.float64))
        total = 0.0
        for place, start in zip(places.tolist(), starts.tolist(), strict=True):
            before = events.item[max(start, place - LONGEST) : place]
            feature = means(column.attribute, column.ratios(before, np.ones(len(before))))
            total += float(feature[events.item[place]] - feature @ share)
        lift[label] = total
    return sorted(sorted(lift, key=lambda label: -lift[label])[:most])


def _only(attribute: ItemAttribute, items: Bools) -> ItemAttribute:
    """The values of these items alone; the others have none."""
    lengths = np.diff(attribute.ptr)
    kept = np.repeat(items, lengths)
    ptr = np.concatenate(([0], np.cumsum(np.where(items, lengths, 0))))
    return ItemAttribute(attribute.code[kept], ptr, attribute.size)
