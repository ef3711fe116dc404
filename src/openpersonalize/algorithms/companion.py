"""What the members of a fusion have in common: one number per item for a history, saved and opened alike.

A companion is fitted on `Events` by its own constructor function, answers `feature` for a `History`, and
writes itself to a folder under its name. A neural encoder is one more companion.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

Float32: TypeAlias = npt.NDArray[np.float32]
Float64: TypeAlias = npt.NDArray[np.float64]
Int16: TypeAlias = npt.NDArray[np.int16]
Int32: TypeAlias = npt.NDArray[np.int32]
Int64: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]

Integers = TypeVar("Integers", Int32, Int64)


@dataclass(frozen=True)
class Events:
    """All events, by user and oldest first; user u's are ``ptr[u]:ptr[u + 1]``.

    ptr int64[U+1], item int32[N] in 0..n-1, time int64[N] seconds, event int16[N] (-1 unknown), weight
    float32[N].
    """

    ptr: Int64
    item: Int32
    time: Int64
    event: Int16
    weight: Float32
    n: int

    @property
    def user(self) -> Int32:
        """int32[N], the user of each event."""
        return np.repeat(np.arange(len(self.ptr) - 1, dtype=np.int32), np.diff(self.ptr))


class Session:
    """What members keep of one user between questions, by name of the member. Belongs to one thread."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.kept: dict[str, Any] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of what is kept."""
        return sum(one.nbytes for one in self.kept.values())


class History(Protocol):
    """The events of one user up to a moment, oldest first; what is known of the user, and of the request;
    and the user's session, None where nothing is kept."""

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
    @property
    def session(self) -> Session | None: ...


class Partial(ABC):
    """A feature for one history that was not written out for the whole catalogue."""

    @abstractmethod
    def at(self, rows: Int64) -> Float32:
        """float32[len(rows)], the feature of these items."""

    @abstractmethod
    def best(self, k: int) -> Int64:
        """At most `k` different items, those that it puts forward most, in no order."""


@dataclass(frozen=True)
class Dense(Partial):
    """One that was written out after all: float32[n]."""

    values: Float32

    def at(self, rows: Int64) -> Float32:
        """See `Partial`."""
        return self.values[rows]

    def best(self, k: int) -> Int64:
        """See `Partial`."""
        return largest(self.values, k)


@dataclass(frozen=True)
class Mixture(Partial):
    """A weighted sum of some."""

    parts: Sequence[tuple[Partial, float]]

    def at(self, rows: Int64) -> Float32:
        """See `Partial`."""
        total = np.zeros(len(rows), dtype=np.float32)
        for part, weight in self.parts:
            total += np.float32(weight) * part.at(rows)
        return total

    def best(self, k: int) -> Int64:
        """See `Partial`: of those that the parts put forward."""
        named = np.concatenate([part.best(k) for part, _ in self.parts])
        rows = different(named.astype(np.int64))
        return rows[largest(self.at(rows), k)]


class Companion(ABC):
    """One member of the fusion."""

    kind: ClassVar[str]
    """Names the class in a saved folder."""
    free: ClassVar[bool] = False
    """Whether its weight may be negative: of members that do not look at the events."""

    same: ClassVar[bool] = False
    """Whether its feature is the same for every history at a moment; then it is the same array, too."""

    @property
    def name(self) -> str:
        """Names the member in the weights and in the folder; distinct within a fusion."""
        return self.kind

    @abstractmethod
    def feature(self, history: History) -> Float32:
        """float32[n], higher for what should come next. The array may be shared: never write into it."""

    def partial(self, history: History) -> Partial:
        """The feature for catalogues too large to write it out: override where a part of it costs less."""
        return Dense(self.feature(history))

    def unmet(self, history: History) -> float:
        """The feature of an item that nobody met."""
        return 0.0

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write into `folder` files whose names begin with `name`."""


class Moving(Companion):
    """A member that moves with the clock, and with what happens after training.

    While training it answers for the moment of each history. `settle` lets the clock stand where the events
    ended; after `follow` it runs with the questions, and live events come through `observe`.
    """

    @abstractmethod
    def observe(self, item: Int32, time: Int64, weight: Float32) -> None:
        """Take in events that came after all earlier ones, in order of time; those that come late count as
        just come."""

    @abstractmethod
    def beside(self) -> Self:
        """One like it for items that come after training: none yet. `follow` starts its clock."""

    @abstractmethod
    def grow(self, n: int) -> None:
        """Make room for `n` items in all, if there is less; nobody met those that join."""

    @abstractmethod
    def settle(self) -> None:
        """End the training: let go of what only it needs."""

    @abstractmethod
    def follow(self, pause: int = 0) -> None:
        """Let the clock run with the questions: from now on live events come through `observe`.

        `pause` seconds between the last event counted and the beginning of the live ones do not count: what
        was new and popular when the data ended is so when life goes on.
        """


_PARTS = 4
"""Parts of the values for each of the largest that are asked for."""


def different(values: Integers) -> Integers:
    """The different ones, ascending; for some thousands of them ten times as fast as ``np.unique``."""
    ordered = np.sort(values)
    if not len(ordered):
        return ordered
    return ordered[np.concatenate(([True], ordered[1:] != ordered[:-1]))]


def largest(values: Float32 | Float64, k: int) -> Int64:
    """The places of the `k` largest, all where there are fewer; in no order, of equal ones the first.

    At least `k` values reach the k-th largest of the maxima of many parts, and hardly more do: only those are
    sorted. That takes 20 us of 10,000 values and 0.7 ms of a million, whatever they are; NumPy's partition
    takes 5 to 20 times as long, and 100 to 500 times where most are equal, as in counted features.
    """
    n = len(values)
    if n <= k:
        return np.arange(n)
    if k <= 0:
        return np.empty(0, np.int64)
    parts = _PARTS * k
    each = n // parts
    least, reached = -np.inf, values
    if each > 1:
        whole, rest = values[: each * parts], values[each * parts :]
        least = _kth(np.concatenate((whole.reshape(each, parts).max(axis=0), rest)), k)
        reached = values[values > least]
    if len(reached) >= k:
        least = _kth(reached, k)
    above = np.flatnonzero(values > least)
    return np.concatenate((above, np.flatnonzero(values == least)[: k - len(above)]))


def _kth(values: Float32 | Float64, k: int) -> float:
    """The k-th largest."""
    return float(np.sort(values)[len(values) - k])


def standardised(values: Float32) -> Float32:
    """Mean 0 and standard deviation 1 over the items; all 0 when they are all alike."""
    centred: Float32 = values - values.mean()
    deviation = float(np.sqrt(np.dot(centred, centred) / max(len(values), 1)))
    if deviation <= 1e-12:
        return np.zeros_like(values)
    centred /= np.float32(deviation)
    return centred


def zero_standardised(values: Float32) -> float:
    """What `standardised` makes of a 0."""
    deviation = float(values.std())
    return -float(values.mean()) / deviation if deviation > 1e-12 else 0.0
