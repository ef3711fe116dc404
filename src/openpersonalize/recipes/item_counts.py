"""Popularity of the catalogue, `ItemCounts`: who interacted with each item, and the order of that.

The trainer counts once and the artifact keeps it. So no recipe counts for itself, and what an answer falls
back to (a user of whom nothing is known, an item that nobody knows) is the same for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..algorithms.arrays import Bools, Float32, Int32, Int64
from ..algorithms.item_counts import distinct_items
from ..algorithms.mapped import mapped
from ..algorithms.popularity import item_events, item_popularity, log_popularity
from ..datasets.sequences import Sequences
from .facts import Counted


@dataclass(frozen=True)
class ItemCounts:
    """What was counted of n items.

    Attributes:
        users: float32[n], distinct users that interacted with each item; where every interaction counts,
            interactions (see `item_events`).
        order: int32[n], all items, most users first; ties by interactions, then by number.
    """

    users: Float32
    order: Int32

    @classmethod
    def of(cls, sequences: Sequences, counted: Counted = "users") -> ItemCounts:
        """Count the users that the interactions are of, or the interactions themselves."""
        if counted == "events":
            return cls(*item_events(sequences.ptr, sequences.item, len(sequences.items)))
        return cls(*item_popularity(sequences.ptr, sequences.item, len(sequences.items)))

    @classmethod
    def of_users(cls, sequences: Sequences) -> ItemCounts:
        """Of users in place of items: how many different items each interacted with."""
        ptr, _ = distinct_items(sequences.ptr, sequences.item, len(sequences.items))
        items = np.diff(ptr).astype(np.float32)
        order = np.lexsort((-sequences.counts, -items))
        return cls(items, order.astype(np.int32))

    @classmethod
    def none(cls, n: int) -> ItemCounts:
        """Of n items without an interaction, in order of their numbers."""
        return cls(np.zeros(n, dtype=np.float32), np.arange(n, dtype=np.int32))

    def __len__(self) -> int:
        return len(self.users)

    @cached_property
    def interacted(self) -> Bools:
        """bool[n], True for items that had interactions."""
        return self.users > 0

    @cached_property
    def others(self) -> Int64:
        """int64[m], the items without interactions, in order of popularity."""
        return self.order[~self.interacted[self.order]].astype(np.int64)

    @cached_property
    def scores(self) -> Float32:
        """float32[n] that falls strictly along `order`: log(users), ties parted. Not to be written into."""
        return log_popularity(self.users, self.order)

    def behind(self, scores: Float32) -> Float32:
        """`scores`, float32[n], with the items that nobody interacted with moved behind all others, in its
        place."""
        if 0 < len(self.others) < len(scores):
            scores[self.others] = scores[self.interacted].min() - 1
        return scores

    def without(self, kept: Bools) -> ItemCounts:
        """Those marked True in bool[n], numbered anew in their order."""
        number = np.cumsum(kept, dtype=np.int32) - 1
        return ItemCounts(self.users[kept], number[self.order[kept[self.order]]])

    def save(self, folder: Path) -> None:
        """Write ``counts.*.npy`` into `folder`."""
        np.save(folder / "counts.users.npy", self.users)
        np.save(folder / "counts.order.npy", self.order)

    @classmethod
    def load(cls, folder: Path) -> ItemCounts:
        """Map what `save` wrote into an artifact. Up to format 2 every model kept it."""
        if (folder / "counts.users.npy").exists():
            return cls(mapped(folder / "counts.users.npy"), mapped(folder / "counts.order.npy"))
        return cls(mapped(folder / "model" / "popularity.npy"), mapped(folder / "model" / "popular.npy"))
