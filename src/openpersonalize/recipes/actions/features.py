"""Features of users and of pairs of a user and an action, as of a moment: `Features`.

Of a user: the mean vector of the items of the history, of the newest ones apart; how much and how lately;
what the user's records say; how often actions were taken and not, and, by axes of the table of users and
actions, which. Of a pair: how often the user took that action, did not, and saw it, and how lately.

Questions are answered in blocks: `BLOCK` of them with all actions at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ...algorithms.arrays import Float32, Int32, Int64
from ...datasets.action_events import Int8, Outcome
from .outcomes import DAY

NEWEST = (12, 3)
"""Items of the newest parts of a history: of the last times, and of what the user is at."""

LENGTH = 200
"""Events of a history that count."""

BLOCK = 1_000
"""Moments whose features are made at a time."""

PAIRS = 5
"""Features of a pair."""


class Events(NamedTuple):
    """Events with things, oldest first for each user: int32[N] numbers, int64[N] seconds."""

    thing: Int32
    time: Int64


@dataclass(frozen=True)
class Moments:
    """B moments of users.

    Attributes:
        now: int64[B] seconds.
        items: events with items; of moment b those at ``item_start[b]:item_end[b]`` are its history.
        actions: events with actions, likewise; outcome: int8 of each of them.
        profiles: float32[B, K], what the users' records say.
    """

    now: Int64
    items: Events
    item_start: Int64
    item_end: Int64
    actions: Events
    action_start: Int64
    action_end: Int64
    outcome: Int8
    profiles: Float32

    def __len__(self) -> int:
        return len(self.now)

    def part(self, some: slice) -> Moments:
        """Some of the moments."""
        return Moments(
            self.now[some],
            self.items,
            self.item_start[some],
            self.item_end[some],
            self.actions,
            self.action_start[some],
            self.action_end[some],
            self.outcome,
            self.profiles[some],
        )


@dataclass(frozen=True)
class Features:
    """How features are made.

    Attributes:
        vectors: float32[items, d], see `item_vectors`.
        axes: float32[A, k], by which responses to A actions are told.
        period: seconds, in which what happened lately loses weight.
    """

    vectors: Float32
    axes: Float32
    period: float

    def of(self, moments: Moments) -> tuple[Float32, Float32]:
        """float32[B, F] of the users, and float32[B, A, `PAIRS`] of them with every action."""
        taken, left, seen, latest, ended = self._responses(moments)
        total, missed = taken.sum(axis=1), left.sum(axis=1)
        responses = (taken - left) / (1 + taken + left)
        own = np.stack(
            [np.log1p(total), np.log1p(missed), (total - missed) / (2 + total + missed), total + missed > 0],
            axis=1,
        )
        users = np.concatenate(
            (self._histories(moments), moments.profiles, own, responses @ self.axes), axis=1, dtype=np.float32
        )
        age = np.exp(-np.maximum(moments.now[:, None] - latest, 0) / self.period) * (latest > 0)
        sign = np.where(ended == Outcome.TAKEN, 1.0, -1.0)
        pairs = np.stack((np.log1p(taken), np.log1p(left), np.log1p(seen), age, age * sign), axis=2)
        return users, pairs.astype(np.float32)

    def at(self, moments: Moments, action: Int32) -> tuple[Float32, Float32]:
        """float32[B, F] of the users, and float32[B, `PAIRS`] of each with one action."""
        users, pairs = [], []
        for start in range(0, len(moments), BLOCK):
            some = slice(start, start + BLOCK)
            of_users, of_pairs = self.of(moments.part(some))
            users.append(of_users)
            pairs.append(of_pairs[np.arange(len(of_users)), action[some]])
        return np.concatenate(users), np.concatenate(pairs)

    def _histories(self, moments: Moments) -> Float32:
        """float32[B, 3 d + 3] of the items."""
        count = moments.item_end - moments.item_start
        has = count > 0
        last = moments.items.time[np.maximum(moments.item_end - 1, 0)] if len(moments.items.time) else 0
        lately = np.where(has, np.exp(-np.maximum(moments.now - last, 0) / (30.0 * DAY)), 0.0)
        parts = [
            *(self._mean(moments, newest) for newest in (LENGTH, *NEWEST)),
            np.stack((np.log1p(count), lately, has), axis=1),
        ]
        return np.concatenate(parts, axis=1, dtype=np.float32)

    def _mean(self, moments: Moments, newest: int) -> Float32:
        """float32[B, d], the mean vector of the newest items of each history; 0 of an empty one."""
        start = np.maximum(moments.item_start, moments.item_end - newest)
        size = moments.item_end - start
        found = np.zeros((len(size), self.vectors.shape[1]), dtype=np.float32)
        some = np.flatnonzero(size)
        if len(some):
            picked = self.vectors[moments.items.thing[_spread(start, moments.item_end)]]
            begins = np.cumsum(size[some]) - size[some]
            found[some] = np.add.reduceat(picked, begins, axis=0) / size[some, None]
        return found

    def _responses(self, moments: Moments) -> tuple[Float32, Float32, Float32, Int64, Int8]:
        """[B, A] each: how often taken, not taken, seen; when last, 0 for never, and what that was."""
        shape = (len(moments), len(self.axes))
        start = np.maximum(moments.action_start, moments.action_end - LENGTH)
        size = moments.action_end - start
        events = _spread(start, moments.action_end)
        kind, thing = moments.outcome[events], moments.actions.thing[events]
        used = kind != Outcome.OTHER
        cell = (np.repeat(np.arange(len(size)), size) * shape[1] + thing)[used]
        kind, time = kind[used], moments.actions.time[events][used]
        taken, left, seen = (
            np.bincount(cell[kind == one], minlength=shape[0] * shape[1]).astype(np.float32).reshape(shape)
            for one in (Outcome.TAKEN, Outcome.NOT_TAKEN, Outcome.VIEWED)
        )
        latest = np.zeros(shape[0] * shape[1], dtype=np.int64)
        ended = np.full(shape[0] * shape[1], Outcome.OTHER, dtype=np.int8)
        latest[cell], ended[cell] = time, kind  # the last of a cell stays
        return taken, left, seen, latest.reshape(shape), ended.reshape(shape)


def _spread(start: Int64, end: Int64) -> Int64:
    """The places of all spans, one after the other."""
    size = end - start
    return np.asarray(np.repeat(start - (np.cumsum(size) - size), size) + np.arange(int(size.sum())))
