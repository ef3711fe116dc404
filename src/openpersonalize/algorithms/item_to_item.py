"""Item-to-item collaborative filtering (Linden, Smith and York 2003), `ItemToItem`: the items whose users
most often interacted with the anchor, too.

A pair is worth the number of common users, divided by the other item's users to the power of a discount: with
0 the most popular co-items lead, with 1 the share of an item's users counts and its popularity does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from .arrays import Float32, Float64, Int32, Int64
from .cooccurrence import pair_sums, paired_items
from .events import Events
from .sparse import PAIRS, SparseRows, join, ranges, strongest

TOP = 500
"""Items kept of each anchor: as many as an answer may hold."""

NAME = "item_to_item"


class ItemToItem:
    """A table of log-similarities; immutable."""

    def __init__(self, rows: SparseRows) -> None:
        """`rows`: for each anchor its items, with the logarithm of what the pair is worth."""
        self.rows = rows

    @classmethod
    def fit(
        cls,
        events: Events,
        *,
        least: int,
        discount: float,
        top: int = TOP,
        check: Callable[[], None] = lambda: None,
        at_once: int = PAIRS,
    ) -> ItemToItem:
        """Count pairs. Memory: 12 bytes per event, that of `pair_sums`, and the table (`top` cells of 8 bytes
        an item at most).

        Args:
            least: common users below which a pair has no similarity.
            discount: 0 to 1, how much the other item's popularity is discounted.
        """
        ptr, item = paired_items(events)
        users = np.bincount(item, minlength=events.n)
        cost = discount * np.log(np.maximum(users, 1))
        pieces = _worth(ptr, item, events.n, least, cost, top, check, at_once)
        return cls(join(pieces, events.n))

    def of(self, anchor: int) -> tuple[Int32, Float32]:
        """The items of an anchor and their log-similarities, in order of numbers; neither if it has none."""
        span = slice(int(self.rows.ptr[anchor]), int(self.rows.ptr[anchor + 1]))
        return self.rows.col[span], self.rows.value[span]

    def of_many(self, anchors: Int64) -> tuple[Int64, Int32, Float32]:
        """`of` some anchors, one after the other: the place of the anchor of each pair, its item and its
        log-similarity."""
        lengths = np.diff(self.rows.ptr)[anchors]
        places = ranges(self.rows.ptr[anchors], lengths)
        row = np.repeat(np.arange(len(anchors)), lengths)
        return row, self.rows.col[places], self.rows.value[places]

    def save(self, folder: Path) -> None:
        """The table."""
        self.rows.save(folder, NAME)

    @classmethod
    def load(cls, folder: Path) -> ItemToItem:
        """Map what `save` wrote."""
        return cls(SparseRows.load(folder, NAME))


def _worth(
    ptr: Int64,
    item: Int32,
    n: int,
    least: int,
    cost: Float64,
    top: int,
    check: Callable[[], None],
    at_once: int,
) -> Iterator[tuple[Int64, Int32, Float32]]:
    everybody = np.zeros(len(ptr) - 1, dtype=np.int64)
    for row, col, sums in pair_sums(ptr, item, n, np.ones(1), everybody, check, at_once):
        enough = sums >= max(least, 1) - 0.5
        row, col = row[enough], col[enough]
        value = (np.log(sums[enough]) - cost[col]).astype(np.float32)
        yield strongest(row, col, value, top)
