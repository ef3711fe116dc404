"""The split behind GetSolutionMetrics: nine tenths of the users train, one tenth is asked about its newest
tenth.

Amazon Personalize developer guide, "Evaluating the trained solution version": 90 % of users are training
data; of each other user the oldest 90 % of the interactions are the model's input, the newest 10 % the
truth. What the guide leaves open is decided here: test users are chosen by a stable hash of their id, so
that versions on the same data compare; users with one interaction train; of n interactions max(1, floor(n /
10)) are the truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..datasets.sequences import Bools, Int32, Int64, Sequences
from ..storage.idtable import IdTable

FOLDS = 10


@dataclass(frozen=True)
class Split:
    """Who tests, and from which event on.

    Attributes:
        training: bool[N], the events of the users that train.
        user: int32[Q], the test users. start: int64[Q], the place of each one's first held-out event.
    """

    training: Bools
    user: Int32
    start: Int64


def split(sequences: Sequences, fold: int = 0) -> Split:
    """Split by user; `fold` chooses which tenth tests."""
    counts = sequences.counts
    tests = (folds(sequences.users) == fold) & (counts >= 2)
    user = np.flatnonzero(tests)
    held_out = np.maximum(1, counts[user] // 10)
    return Split(np.repeat(~tests, counts), user.astype(np.int32), sequences.ptr[user + 1] - held_out)


def folds(users: IdTable) -> Int32:
    """int32[U] in 0..9, from a hash of each id that never changes between releases, machines and data sets.

    FNV-1a over the UTF-8 bytes (64 bits), its high bits mixed in; all ids at once, byte by byte of the
    longest.
    """
    series = users.series()
    hashes = np.full(len(users), 0xCBF29CE484222325, dtype=np.uint64)
    if not len(users):
        return hashes.astype(np.int32)
    texts = [text.encode() for text in series.to_list()]
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    text = np.frombuffer(b"".join(texts), dtype=np.uint8)
    starts = np.cumsum(lengths) - lengths
    alive = np.flatnonzero(lengths > 0)
    place = 0
    while len(alive):
        hashes[alive] = (hashes[alive] ^ text[starts[alive] + place]) * np.uint64(0x100000001B3)
        place += 1
        alive = alive[lengths[alive] > place]
    hashes ^= hashes >> np.uint64(32)
    return (hashes % np.uint64(FOLDS)).astype(np.int32)
