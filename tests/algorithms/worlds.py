"""Random events, and slow but plain counts of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from openpersonalize.algorithms.events import Events
from openpersonalize.algorithms.ranker import RankerStates


@dataclass(frozen=True)
class Past:
    """A history to ask about."""

    item: np.ndarray
    time: np.ndarray
    event: np.ndarray
    now: int
    profile: Mapping[str, str | float] = field(default_factory=dict)
    context: Mapping[str, str | float] = field(default_factory=dict)
    session: RankerStates | None = None


def events_of(
    histories: list[list[int]], n: int, weights: list[list[float]] | None = None, step: int = 60
) -> Events:
    """Events of users, one every `step` seconds."""
    ptr = np.concatenate(([0], np.cumsum([len(one) for one in histories]))).astype(np.int64)
    item = np.array([item for one in histories for item in one], dtype=np.int32)
    time = np.array([place * step for one in histories for place in range(len(one))], dtype=np.int64)
    weight = np.array(
        [w for one in weights for w in one] if weights else np.ones(len(item)), dtype=np.float32
    )
    return Events(ptr, item, time, np.zeros(len(item), dtype=np.int16), weight, n)


def some_events(seed: int = 0, users: int = 30, n: int = 12, longest: int = 40) -> Events:
    rng = np.random.default_rng(seed)
    return events_of([rng.integers(0, n, rng.integers(1, longest)).tolist() for _ in range(users)], n)


def past(items: list[int], now: int = 10**6, step: int = 60) -> Past:
    time = now - step * np.arange(len(items), 0, -1)
    return Past(np.array(items, np.int32), time.astype(np.int64), np.zeros(len(items), np.int16), now)
