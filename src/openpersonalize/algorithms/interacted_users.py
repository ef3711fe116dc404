"""The users who interacted with each item, an inverted index over users' histories, `InteractedUsers`: sums
over the users of some items cost as much as these items have users, whatever the others have.

Memory: 8 bytes for each pair of a user and an item, 12 for each user; while it is built four times that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .arrays import Bools, Float32, Int32, Int64
from .events import Events
from .item_counts import user_blocks
from .mapped import mapped
from .sparse import ranges, spans

BLOCK = 4_000_000
"""Pairs that are summed at a time."""

RECENT = 20.0
"""Events of a user after which an event counts half among the recent ones."""

_MOST = np.iinfo(np.uint16).max
_PARTS = ("ptr", "user", "times", "since", "events", "items", "recent")
Counts: TypeAlias = npt.NDArray[np.uint16]
_FILE = "interacted_users"


class InteractedUsers:
    """Of n items their users; immutable.

    Attributes:
        ptr: int64[n+1]. user: int32[P], those of item i at ``ptr[i]:ptr[i+1]``, ascending.
        times: uint16[P], how many events each pair has. since: uint16[P], how many the user has had since the
            last of these.
        events: float32[U], of each user. items: float32[U], different ones of each user; recent: float32[U],
            these by how recent they are.
    """

    def __init__(
        self,
        ptr: Int64,
        user: Int32,
        times: Counts,
        since: Counts,
        events: Float32,
        items: Float32,
        recent: Float32,
    ) -> None:
        """Use `of` or `load`."""
        self.ptr, self.user, self.times, self.since = ptr, user, times, since
        self.events, self.items, self.recent = events, items, recent

    @classmethod
    def of(cls, history: Events, check: Callable[[], None] = lambda: None) -> InteractedUsers:
        """Count and turn round."""
        n, count = max(history.n, 1), len(history.ptr) - 1
        parts: list[list[npt.NDArray[Any]]] = [[np.empty(0, dtype=kind)] for kind in ("i4", "i4", "u2", "u2")]
        for first, end in user_blocks(history.ptr):
            check()
            span = slice(int(history.ptr[first]), int(history.ptr[end]))
            lengths = np.diff(history.ptr[first : end + 1])
            # Newest first, so that the first of a pair's events is its last one.
            keys = (np.repeat(np.arange(end - first), lengths) * n + history.item[span])[::-1]
            pairs, newest, counts = np.unique(keys, return_index=True, return_counts=True)
            whose = pairs // n
            since = history.ptr[first + 1 + whose] - 1 - (span.stop - 1 - newest)
            found = (whose + first, pairs - whose * n, np.minimum(counts, _MOST), np.minimum(since, _MOST))
            for part, column in zip(parts, found, strict=True):
                part.append(column.astype(part[0].dtype))
        user, item, times, since = (np.concatenate(part) for part in parts)
        order = np.argsort(item, kind="stable")
        return cls(
            np.concatenate(([0], np.cumsum(np.bincount(item, minlength=history.n)))),
            user[order],
            times[order],
            since[order],
            np.diff(history.ptr).astype(np.float32),
            np.bincount(user, minlength=count).astype(np.float32),
            np.bincount(user, weights=_recency(since), minlength=count).astype(np.float32),
        )

    @property
    def users(self) -> int:
        """How many there are."""
        return len(self.events)

    @property
    def counts(self) -> Int64:
        """int64[n], how many users each item has."""
        return np.diff(self.ptr)

    def times_with(self, items: Int64) -> Float32:
        """float32[U], the events of each user with any of some items."""
        total = np.zeros(self.users)
        for places, _ in self._blocks(items):
            total += np.bincount(self.user[places], weights=self.times[places], minlength=self.users)
        return total.astype(np.float32)

    def sums(self, items: Int64, weights: Float32) -> tuple[Float32, Float32]:
        """float32[U] each: of each user the sum of ``weights[k]`` over the ``items[k]`` interacted with, and
        that by how recent they are."""
        total, recent = np.zeros(self.users), np.zeros(self.users)
        for places, rows in self._blocks(items):
            user, value = self.user[places], weights[rows]
            total += np.bincount(user, weights=value, minlength=self.users)
            value = value * _recency(self.since[places])
            recent += np.bincount(user, weights=value, minlength=self.users)
        return total.astype(np.float32), recent.astype(np.float32)

    def _blocks(self, items: Int64) -> Iterator[tuple[Int64, Int64]]:
        """Places of the pairs of some items, and which of the items each is of, `BLOCK` at a time."""
        lengths = self.counts[items]
        for start, end in spans(lengths, BLOCK):
            size = lengths[start:end]
            yield ranges(self.ptr[items[start:end]], size), np.repeat(np.arange(start, end), size)

    def of_items(self, items: Int64) -> Int32:
        """The users of some items; one who interacted with two of them occurs twice."""
        return self.user[ranges(self.ptr[items], self.counts[items])]

    def without_users(self, kept: Bools) -> InteractedUsers:
        """Those marked True in bool[U], numbered anew in their order."""
        stays = kept[self.user]
        number = np.cumsum(kept, dtype=np.int32) - 1
        ptr = np.concatenate(([0], np.cumsum(stays, dtype=np.int64)))[self.ptr]
        return InteractedUsers(
            ptr,
            number[self.user[stays]],
            self.times[stays],
            self.since[stays],
            self.events[kept],
            self.items[kept],
            self.recent[kept],
        )

    def save(self, folder: Path) -> None:
        """Write it into `folder`."""
        for part in _PARTS:
            np.save(folder / f"{_FILE}.{part}.npy", getattr(self, part))

    @classmethod
    def load(cls, folder: Path) -> InteractedUsers:
        """Map what `save` wrote."""
        return cls(*(mapped(folder / f"{_FILE}.{part}.npy") for part in _PARTS))


def _recency(since: Counts) -> Float32:
    recency: Float32 = (1.0 / (1.0 + since / np.float32(RECENT))).astype(np.float32)
    return recency
