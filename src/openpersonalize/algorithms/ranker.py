"""Base rankers, the components of the linear ensemble in `fusion`: `BaseRanker`, and `OnlineRanker` for those
that go on learning after training.

A ranker is fitted on `Events` by its own constructor function, gives every item one number, its *feature* (in
the sense of learning to rank), for a query, and writes itself to a folder under its name. The neural encoder
is one more ranker.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from .arrays import Float32, Int16, Int32, Int64
from .lazy_scores import DenseScores, LazyScores


class RankerStates:
    """What rankers keep of one user between queries, by name of the ranker (the state of a recurrent block,
    keys and values of attention). Belongs to one thread."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.kept: dict[str, Any] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of what is kept."""
        return sum(one.nbytes for one in self.kept.values())


class RankerQuery(Protocol):
    """What a ranker is asked about: the events of one user up to the moment `now` (seconds), oldest first;
    what is known of the user and of the request. A query that is resumed has what rankers keep of the user as
    its ``session``, too."""

    @property
    def item(self) -> Int32: ...
    @property
    def time(self) -> Int64: ...
    @property
    def event(self) -> Int16: ...
    @property
    def now(self) -> int: ...
    @property
    def profile(self) -> Mapping[str, str | float]: ...
    @property
    def context(self) -> Mapping[str, str | float]: ...


PIECE_BYTES = 512 * 1024
"""Features that are worked out together for a block of queries: they stay in a core's cache."""


@dataclass(frozen=True)
class QueryBlock:
    """Queries of many users, their events one after the other: those of query b are ``ptr[b]:ptr[b + 1]``."""

    queries: Sequence[RankerQuery]
    ptr: Int64
    item: Int32
    time: Int64
    event: Int16

    @classmethod
    def of(cls, queries: Sequence[RankerQuery]) -> QueryBlock:
        """Of one query or more."""
        ptr = np.cumsum([0, *(len(query.item) for query in queries)])
        item = np.concatenate([query.item for query in queries])
        time = np.concatenate([query.time for query in queries])
        return cls(queries, ptr, item, time, np.concatenate([query.event for query in queries]))

    def __len__(self) -> int:
        return len(self.queries)

    @cached_property
    def user(self) -> Int64:
        """int64[N], the number of the query that each event is of."""
        return np.repeat(np.arange(len(self)), np.diff(self.ptr))

    def newest(self, most: int) -> tuple[Int64, Int64]:
        """The newest `most` events of each query: int64[B + 1] like `ptr`, and the places of the events."""
        counts = np.diff(self.ptr)
        if not len(counts) or counts.max() <= most:
            return self.ptr, np.arange(len(self.item))
        places = np.flatnonzero(np.arange(len(self.item)) >= (self.ptr[1:] - most)[self.user])
        return np.concatenate(([0], np.cumsum(np.minimum(counts, most)))), places

    def distinct(self, most: int) -> tuple[Int64, Int32]:
        """The distinct items among the newest `most` events of each query: int64[B + 1] like `ptr`, and the
        items, ascending within a query."""
        ptr, places = self.newest(most)
        keys = np.sort((self.user[places] << 32) | self.item[places])
        keys = keys[np.concatenate(([True], keys[1:] != keys[:-1]))[: len(keys)]]
        ends = np.searchsorted(keys, np.arange(len(ptr), dtype=np.int64) << 32)
        return ends, (keys & 0xFFFFFFFF).astype(np.int32)

    def pieces(self, n: int) -> Iterator[slice]:
        """The queries in runs of which float32[run, n] has `PIECE_BYTES`, or of one each."""
        step = max(1, PIECE_BYTES // (4 * max(n, 1)))
        return (slice(start, min(start + step, len(self))) for start in range(0, len(self), step))


class BaseRanker(ABC):
    """One component of the ensemble."""

    kind: ClassVar[str]
    """Names the class in a saved folder."""

    signed_weight: ClassVar[bool] = False
    """Whether its weight may be negative: of rankers that do not look at the user's events."""

    user_independent: ClassVar[bool] = False
    """Whether its feature is the same for all queries of a moment; then it is the same array, too."""

    @property
    def name(self) -> str:
        """Names the ranker among the weights and in the folder; distinct within an ensemble."""
        return self.kind

    @abstractmethod
    def feature(self, query: RankerQuery) -> Float32:
        """float32[n], higher for what should come next. The array may be shared: never write into it."""

    def lazy(self, query: RankerQuery) -> LazyScores:
        """The feature for catalogues too large to write it out: override where a part of it costs less."""
        return DenseScores(self.feature(query))

    def accumulate(self, block: QueryBlock, weight: np.float32, total: Float32) -> None:
        """Add `weight` times the feature of each query to its row of `total`, float32[B, n]. One query after
        the other by default: override where many cost less together. But for rounding (float32 sums in
        another order) it is the same."""
        for row, query in zip(total, block.queries, strict=True):
            row += weight * self.feature(query)

    def unseen_value(self, query: RankerQuery) -> float:
        """The feature of an item with which nobody ever interacted."""
        return 0.0

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write into `folder` files whose names begin with `name`."""


class OnlineRanker(BaseRanker):
    """A ranker that moves with the clock, and learns online from the events after training.

    While training it answers for the moment of each query. `freeze` lets its clock stand where the events
    ended; after `start_clock` the clock runs with the queries, and live events come through `partial_fit`.
    """

    _lock: Lock
    """Held while what it learned changes."""

    @property
    @abstractmethod
    def frozen(self) -> bool:
        """Whether `freeze` ended the training, or there was none."""

    def fork(self) -> Self:
        """A ranker that knows what this one knows and learns on by itself. Arrays are shared: neither writes
        into them."""
        other = copy(self)
        other._lock = Lock()
        return other

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, name: str) -> Self:
        """Open what `save` wrote; its clock stands."""

    @abstractmethod
    def partial_fit(self, item: Int32, time: Int64, weight: Float32, gap: Float32 | None = None) -> None:
        """Learn from events that came after all earlier ones, in order of time; those that come late count as
        just come. `gap`: float32[m] seconds since the same user met the same item before, infinite the first
        time; None: all are first times."""

    @abstractmethod
    def for_new_items(self) -> Self:
        """A ranker like this one for items that come after training: it knows none yet. `start_clock` starts
        its clock."""

    @abstractmethod
    def grow(self, n: int) -> None:
        """Make room for `n` items in all, if there is less; nobody has interacted with those that join."""

    @abstractmethod
    def freeze(self) -> None:
        """End the training: let go of what only it needs."""

    @abstractmethod
    def start_clock(self, pause: int = 0) -> None:
        """Let the clock run with the queries: from now on live events come through `partial_fit`.

        `pause` seconds between the last event counted and the beginning of the live ones do not count: what
        was new and popular when the data ended is so when life goes on.
        """
