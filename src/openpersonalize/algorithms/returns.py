"""How long ago the same user met the same item before an event, and how often later, so that counts are of
users and not of events: `gaps_between`, `GapLog`, `news`, `later_meetings`.

With a half-life h a user counts for an item as much as the newest of the user's events with it, 2 ** (-age /
h): an event adds only what the one before it has lost since, 1 - 2 ** (-gap / h). So 3,000 events of one user
add as much as one, and who comes back after a while counts anew (a decayed count of distinct users; compare
Cohen and Strauss, "Maintaining time-decaying stream aggregates", 2006).
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .arrays import Bools, Float32, Float64, Int8, Int32, Int64, UInt64
from .item_counts import user_blocks

MOST_PAIRS = 500_000
"""Pairs of a user and an item that are remembered of live events, 16 bytes each: those met last."""
RECENT_PAIRS = 32_768
"""Of those, so many lie apart, until they are laid beside the others."""

DAY = 86_400
DAILY, LEAST_DAILY = 3.0, 10.0
"""First meetings in a day that a user is worth at most: so many times the median of users' days, and at least
so many."""

Pairs: TypeAlias = tuple[UInt64, Int64]
"""Keys in order, and seconds."""

_SPREAD = np.uint64(0x9E3779B97F4A7C15)


def gaps_between(ptr: Int64, item: Int32, time: Int64) -> Float32:
    """float32[N] seconds since the same user met the same item before, infinite the first time.

    Args:
        ptr, item, time: events packed by user and oldest first, as in `Events`.
    """
    gaps = np.full(len(item), np.inf, dtype=np.float32)
    for first, end in user_blocks(ptr):
        some = slice(int(ptr[first]), int(ptr[end]))
        user = np.repeat(np.arange(end - first), np.diff(ptr[first : end + 1]))
        order, again = _grouped((user << 32) | item[some])
        seconds = time[some][order]
        since = np.maximum(np.diff(seconds), 0)[again]
        gaps[some.start + order[1:][again]] = since
    return gaps


def daily_shares(ptr: Int64, time: Int64, gap: Float32) -> Float32:
    """float32[N], what each event is worth so that no user's day is worth more than `DAILY` times the median
    one, counted in first meetings of items, and `LEAST_DAILY` at least: one who meets ten times as many items
    is worth as much, spread over ten times as many.

    Args:
        ptr, time: events packed by user and oldest first, as in `Events`. gap: see `gaps_between`.
    """
    worth = np.ones(len(time), dtype=np.float32)
    parts: list[tuple[slice, Int64, Int64]] = []
    for first, end in user_blocks(ptr):
        some = slice(int(ptr[first]), int(ptr[end]))
        user = np.repeat(np.arange(end - first), np.diff(ptr[first : end + 1]))
        day = time[some] // DAY
        begins = np.concatenate(([True], (np.diff(day) != 0) | (np.diff(user) != 0)))[: len(day)]
        places = np.flatnonzero(begins)
        met = np.add.reduceat(np.isinf(gap[some]).astype(np.int64), places) if len(places) else places
        parts.append((some, np.diff(np.append(places, len(day))), met))
    days = np.concatenate([np.empty(0, np.int64), *(met[met > 0] for _, _, met in parts)])
    if len(days):
        bound = max(LEAST_DAILY, DAILY * float(np.median(days)))
        for some, lengths, met in parts:
            worth[some] = np.repeat(np.minimum(bound / np.maximum(met, 1), 1.0), lengths)
    return worth


def later_meetings(ptr: Int64, item: Int32, most: int) -> Int8:
    """int8[N], how often the same user met the same item later, `most` (below 128) where more often."""
    later = np.zeros(len(item), dtype=np.int8)
    for first, end in user_blocks(ptr):
        some = slice(int(ptr[first]), int(ptr[end]))
        user = np.repeat(np.arange(end - first), np.diff(ptr[first : end + 1]))
        order, again = _grouped((user << 32) | item[some])
        if again.any():
            begins = np.flatnonzero(np.concatenate(([True], ~again)))
            ends = np.append(begins[1:], len(order))
            left = np.repeat(ends, ends - begins) - 1 - np.arange(len(order))
            later[some.start + order] = np.minimum(left, most)
    return later


def news(gap: Float32, half_life: float) -> Float32:
    """float32[m], what events add to a decayed count that came so many seconds after the one before."""
    added: Float32 = -np.expm1(gap * np.float32(-np.log(2.0) / half_life))
    return added


class GapLog:
    """The newest event of each pair of a user and an item, as live events come. Memory: `MOST_PAIRS`, twice
    that while they are replaced. It tells nobody's name, and is not kept: who comes after a restart is new.
    """

    def __init__(self, most: int = MOST_PAIRS, recent: int = RECENT_PAIRS) -> None:
        """Nothing met yet. `most`: see `MOST_PAIRS`; `recent`: see `RECENT_PAIRS`."""
        self._most, self._most_recent = most, recent
        nothing = np.empty(0, np.uint64), np.empty(0, np.int64)
        self._old: Pairs = nothing
        self._recent: Pairs = nothing

    def __len__(self) -> int:
        return len(self._old[0]) + len(self._recent[0])

    def gaps(self, item: Int32 | UInt64, time: Int64, user: UInt64) -> Float32:
        """Take in events, in any order; their gaps, float32[m], infinite the first time. `user` is a hash,
        `item` a number or a hash."""
        pair = user ^ ((item.astype(np.uint64) + np.uint64(1)) * _SPREAD)
        in_time = np.argsort(time, kind="stable")
        order, again = _grouped(pair[in_time])
        order = in_time[order]
        pair, seconds = pair[order], time[order]
        since = np.full(len(pair), np.inf)
        since[1:][again] = np.diff(seconds)[again]
        begins = np.flatnonzero(np.concatenate(([True], ~again))[: len(pair)])
        ends = np.append(begins[1:], len(pair))[: len(begins)] - 1
        since[begins] = np.maximum(seconds[begins] - self._replaced(pair[begins], seconds[ends]), 0)
        gaps = np.empty(len(pair), dtype=np.float32)
        gaps[order] = since
        return gaps

    def _replaced(self, pair: UInt64, last: Int64) -> Float64:
        """float64[m], the newest event of each pair until now, or -inf; `last` is it from now on. `pair`: in
        order, each once."""
        before = np.full(len(pair), -np.inf)
        for keys, times in (self._old, self._recent):
            if len(keys):
                place = np.minimum(np.searchsorted(keys, pair), len(keys) - 1)
                here = keys[place] == pair
                before[here] = times[place[here]]
                times[place[here]] = np.maximum(times[place[here]], last[here])
        new = np.isneginf(before)
        self._recent = _merged(self._recent, (pair[new], last[new]))
        if len(self._recent[0]) > self._most_recent:
            self._old = _merged(self._old, self._recent)
            self._recent = self._recent[0][:0], self._recent[1][:0]
            if len(self._old[0]) > self._most:
                kept = np.sort(np.argsort(-self._old[1], kind="stable")[: self._most * 3 // 4])
                self._old = self._old[0][kept], self._old[1][kept]
        return before


def _merged(one: Pairs, other: Pairs) -> Pairs:
    """Pairs in order of their keys; no key is in both."""
    keys, times = (np.concatenate(parts) for parts in zip(one, other, strict=True))
    order = np.argsort(keys, kind="stable")
    return keys[order], times[order]


def _grouped(keys: npt.NDArray[Any]) -> tuple[Int64, Bools]:
    """The order in which equal keys stand together, else as they were; and bool[m - 1], of each in that order
    after the first, whether it has the key of the one before."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    return order, ordered[1:] == ordered[:-1]
