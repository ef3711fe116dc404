"""Evaluation splits of interactions, each a `HoldOut`: what trains, who is asked, and about which events.

``user`` is the split behind GetSolutionMetrics: nine tenths of the users train, one tenth is asked about its
newest tenth. `split_newest` is that of recipes that rank users. ``last`` holds out the last event of
everybody (leave one out); ``time`` the newest tenth of all events, of which nothing is known when the
questions are asked: the strictest, and the nearest to serving (Ji, Sun, Zhang and Li 2023, "A critical study
on data leakage in recommender system offline evaluation"). ``session`` asks whoever is in a session since
then.

Amazon Personalize developer guide, "Evaluating the trained solution version": 90 % of users are training
data; of each other user the oldest 90 % of the interactions are the model's input, the newest 10 % the
truth. What the guide leaves open is decided here: test users are chosen by a stable hash of their id, so
that versions on the same data compare; users with one interaction train; of n interactions max(1, floor(n /
10)) are the truth.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl

from ..algorithms.sessions import session_gap
from ..storage.idtable import IdTable
from .holdout import HoldOut
from .scenarios import next_in_session, second_halves
from .sequences import Int32, Sequences

FOLDS = 10

MOST_USERS = 5_000
"""Test users that are asked; of more, those with the smallest hashes."""

NEWEST = 5
"""One event in so many of each user is held out where users are ranked."""

HELD_OUT = 0.1
"""Share of the newest events that the split by time holds out."""


def split_users(sequences: Sequences, fold: int = 0, tenths: int = 1) -> HoldOut:
    """Split by user; `fold` chooses which tenth tests, and so many `tenths` from there on do."""
    counts = sequences.counts
    tests = ((folds(sequences.users) - fold) % FOLDS < tenths) & (counts >= 2)
    user = np.flatnonzero(tests)
    held_out = np.maximum(1, counts[user] // 10)
    end = sequences.ptr[user + 1]
    start = end - held_out
    return HoldOut(np.repeat(~tests, counts), user.astype(np.int32), start, end, sequences.time[start])


def split_last(sequences: Sequences) -> HoldOut:
    """Hold out the last event of each user who has two or more; all others train."""
    user = np.flatnonzero(sequences.counts >= 2)
    end = sequences.ptr[user + 1]
    start = end - 1
    training = np.ones(len(sequences.item), dtype=np.bool_)
    training[start] = False
    return HoldOut(training, user.astype(np.int32), start, end, sequences.time[start])


def split_newest(sequences: Sequences) -> HoldOut:
    """Hold out the newest fifth of each user's events, rounded down; nothing of the users who have fewer than
    five (developer guide, of user segmentation: the oldest 80 % train, the newest 20 % are the truth)."""
    counts = sequences.counts
    held_out = counts // NEWEST
    user = np.flatnonzero(held_out)
    end = sequences.ptr[user + 1]
    start = end - held_out[user]
    training = np.arange(len(sequences.item)) < np.repeat(sequences.ptr[1:] - held_out, counts)
    return HoldOut(training, user.astype(np.int32), start, end, sequences.time[start])


def split_time(sequences: Sequences) -> HoldOut:
    """Hold out what happened from the moment on after which a tenth of all events lies (events of that second
    included); users who have something on both sides are asked."""
    ptr = sequences.ptr
    if not len(sequences.time):
        nothing = np.empty(0, np.int64)
        return HoldOut(np.ones(0, dtype=np.bool_), np.empty(0, np.int32), nothing, nothing, nothing)
    moment = int(np.quantile(sequences.time, 1 - HELD_OUT, method="higher"))
    training = sequences.time < moment
    before = np.concatenate(([0], np.cumsum(training)))
    start = ptr[:-1] + before[ptr[1:]] - before[ptr[:-1]]
    user = np.flatnonzero((start > ptr[:-1]) & (start < ptr[1:]))
    now = np.full(len(user), moment)
    return HoldOut(training, user.astype(np.int32), start[user], ptr[user + 1], now)


def split_session(sequences: Sequences) -> HoldOut:
    """Hold out the same, and ask in the midst of sessions since then, one of each user: of baskets the second
    half with the first (the rest of the cart), of streams what comes next."""
    training = split_time(sequences).training
    gap = session_gap(sequences.ptr, sequences.time)
    rng, most = np.random.default_rng(0), len(sequences.time)
    if sequences.baskets:
        return second_halves(sequences, training, gap, rng, most)
    found = next_in_session(sequences, training, gap, rng, most)
    return found.take(np.unique(found.user, return_index=True)[1])


SPLITS: dict[str, Callable[[Sequences], HoldOut]] = {
    "user": split_users,
    "last": split_last,
    "time": split_time,
    "session": split_session,
}
"""The splits by name."""


def sampled(sequences: Sequences, found: HoldOut, most: int = MOST_USERS) -> HoldOut:
    """`found` with at most `most` test users: those whose ids have the smallest hashes.

    A user that joins or leaves changes at most one other of the sample, so versions of a growing data set are
    measured on nearly the same people (coordinated sampling: Cohen and Kaplan 2007, "Summarizing data using
    bottom-k sketches").
    """
    if len(found.user) <= most:
        return found
    return found.take(np.sort(in_order_of_hashes(sequences.users.series().gather(found.user))[:most]))


def in_order_of_hashes(ids: pl.Series) -> npt.NDArray[np.int64]:
    """The places of `ids` in an order that is the same in all releases, and chance otherwise."""
    # The last digit of the hash chose the fold; the rest of it chooses here.
    return np.argsort(_hashes(ids) // np.uint64(FOLDS), kind="stable")


def folds(users: IdTable) -> Int32:
    """int32[U] in 0..9, from a hash of each id that is the same in all releases, machines and data sets."""
    return (_hashes(users.series()) % np.uint64(FOLDS)).astype(np.int32)


def _hashes(ids: pl.Series) -> npt.NDArray[np.uint64]:
    """FNV-1a over the UTF-8 bytes (64 bits), its high bits mixed in; all ids at once, byte by byte of the
    longest."""
    hashes = np.full(len(ids), 0xCBF29CE484222325, dtype=np.uint64)
    if not len(ids):
        return hashes
    texts = [text.encode() for text in ids.to_list()]
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    text = np.frombuffer(b"".join(texts), dtype=np.uint8)
    starts = np.cumsum(lengths) - lengths
    alive = np.flatnonzero(lengths > 0)
    place = 0
    while len(alive):
        hashes[alive] = (hashes[alive] ^ text[starts[alive] + place]) * np.uint64(0x100000001B3)
        place += 1
        alive = alive[lengths[alive] > place]
    return hashes ^ (hashes >> np.uint64(32))
