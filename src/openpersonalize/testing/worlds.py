"""Small worlds whose best recommendation is known, and questions about them."""

from __future__ import annotations

import numpy as np
import polars as pl

from ..datasets.selection import EventSelection
from ..datasets.sequences import Sequences, build_sequences
from ..recipes.query import HISTORY_LENGTH, Query

DAY = 86_400
ALL = EventSelection()


def sequences_of(rows: list[tuple[str, str, int]], items: list[str] | None = None) -> Sequences:
    """From (user, item, time)."""
    frame = pl.DataFrame(rows, schema=["USER_ID", "ITEM_ID", "TIMESTAMP"], orient="row")
    return build_sequences(frame.lazy(), None if items is None else pl.Series(items), ALL)


def two_clusters(users: int = 60, seed: int = 0) -> Sequences:
    """Half of the users meet items a0..a9, the others b0..b9; 8 different items each, in any order."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        side = "ab"[user % 2]
        start = int(rng.integers(0, 30 * DAY))
        for place, item in enumerate(rng.permutation(10)[:8].tolist()):
            rows.append((f"u{user:03}", f"{side}{item}", start + 60 * place))
    return sequences_of(rows)


def chain(users: int = 80, length: int = 12, seed: int = 0) -> Sequences:
    """Everybody walks round c00, c01, .. c11 and begins somewhere; after c03 comes c04."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        first, start = int(rng.integers(0, length)), int(rng.integers(0, 30 * DAY))
        rows += [
            (f"u{user:03}", f"c{(first + place) % length:02}", start + 600 * place) for place in range(6)
        ]
    return sequences_of(rows)


def loyal(users: int = 60, seed: int = 0) -> Sequences:
    """Everybody takes the same two or three of twenty things, again and again."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        own = rng.choice(20, 3, replace=False).tolist()
        start = int(rng.integers(0, 30 * DAY))
        taken = rng.integers(0, 3, 12).tolist()
        rows += [(f"u{user:03}", f"i{own[one]:02}", start + 3600 * place) for place, one in enumerate(taken)]
    return sequences_of(rows)


def topics(users: int = 600, topic: int = 40, count: int = 60, seed: int = 0) -> Sequences:
    """Everybody walks through two of `count` topics of `topic` items, the first ones of each most often."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        own, start = rng.integers(0, count, 2).tolist(), int(rng.integers(0, 30 * DAY))
        for place in range(20):
            item = int(topic * rng.random() ** 2)
            rows.append((f"u{user:03}", f"t{own[place % 3 == 2]:03}-{item:02}", start + 600 * place))
    return sequences_of(rows)


def question(
    sequences: Sequences,
    user: int,
    *,
    newest: int | None = None,
    seen_excluded: bool = False,
    anchor: int | None = None,
) -> Query:
    """The whole history of a user, or its `newest` events, asked an hour after its end."""
    end = int(sequences.ptr[user + 1])
    return Query.at(
        sequences,
        user,
        end,
        int(sequences.time[end - 1]) + 3600,
        newest=newest or HISTORY_LENGTH,
        seen_excluded=seen_excluded,
        anchor=anchor,
    )


def nobody(sequences: Sequences) -> Query:
    """A question of somebody of whom nothing is known, about no item."""
    return Query.of_nobody(int(sequences.time.max()) + 60)
