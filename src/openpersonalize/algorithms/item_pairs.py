"""Item-to-item similarities from users' histories, `ItemPairs`: common users of two items, their cosine, and
the cosine of short vectors that a truncated decomposition of their association finds (positive pointwise
mutual information; Levy and Goldberg 2014), which also relates items that share no user.

Memory: that of `pair_sums`, 8 bytes for each of at most `TOP` pairs of an item, and the vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from .arrays import Bools, Float32, Float64, Int64
from .cooccurrence import LEVEL_BITS, pair_sums, paired_items
from .events import Events
from .mapped import mapped
from .sparse import SparseRows, join, ranges, strongest
from .truncated_svd import leading_axes, times

TOP = 500
EMBEDDED = 100
"""Pairs of an item that make its vector."""
SHRINKAGE = 5.0
_FILE = "item_pairs"


class ItemPairs:
    """Similarities of n items; immutable."""

    def __init__(self, pairs: SparseRows, users: Float32, vectors: Float32) -> None:
        """Use `fit` or `load`.

        Args:
            pairs: of each item the others, with the weighted number of common users.
            users: float32[n], of each item. vectors: float32[n, size], of length 1 or zero.
        """
        self.pairs, self.users, self.vectors = pairs, users, vectors

    @classmethod
    def fit(
        cls,
        events: Events,
        size: int,
        rng: np.random.Generator,
        *,
        top: int = TOP,
        check: Callable[[], None] = lambda: None,
    ) -> ItemPairs:
        """Count. A user's weight is the less, the longer the history: 1 / log2(1 + items)."""
        ptr, item = paired_items(events)
        edges, level = _user_weights(np.diff(ptr))
        parts = (
            strongest(row, col, sums.astype(np.float32), top)
            for row, col, sums in pair_sums(ptr, item, events.n, edges, level, check)
        )
        pairs = join(parts, events.n)
        users = np.bincount(item, minlength=events.n).astype(np.float32)
        return cls(pairs, users, _embedded(pairs, users, len(ptr) - 1, size, rng, check))

    def similarities(self, anchor: int) -> list[Float32]:
        """float32[n] each: the cosine of the users, and that of the vectors."""
        span = slice(int(self.pairs.ptr[anchor]), int(self.pairs.ptr[anchor + 1]))
        col, common = self.pairs.col[span], self.pairs.value[span]
        cosine = np.zeros(self.pairs.n, dtype=np.float32)
        cosine[col] = common / np.sqrt((self.users[col] + SHRINKAGE) * (self.users[anchor] + SHRINKAGE))
        return [cosine, self.vectors @ self.vectors[anchor]]

    def accumulate(self, anchors: Int64, weights: Float32, total: Float32) -> None:
        """Add the `similarities` of each anchor, times its row of float32[B, 2] `weights`, to its row of
        float32[B, n] `total`."""
        total += (self.vectors[anchors] * weights[:, 1:]) @ self.vectors.T
        lengths = np.diff(self.pairs.ptr)[anchors]
        places = ranges(self.pairs.ptr[anchors], lengths)
        row, col = np.repeat(np.arange(len(anchors)), lengths), self.pairs.col[places]
        users = (self.users[col] + SHRINKAGE) * (self.users[anchors][row] + SHRINKAGE)
        total[row, col] += weights[row, 0] * (self.pairs.value[places] / np.sqrt(users))

    def known(self, anchors: Int64) -> Bools:
        """bool[B], whether anything of an anchor can be like another item."""
        return (np.diff(self.pairs.ptr)[anchors] > 0) | self.vectors[anchors].any(axis=1)

    def save(self, folder: Path) -> None:
        """Write it into `folder`."""
        self.pairs.save(folder, _FILE)
        np.save(folder / f"{_FILE}.users.npy", self.users)
        np.save(folder / f"{_FILE}.vectors.npy", self.vectors)

    @classmethod
    def load(cls, folder: Path) -> ItemPairs:
        """Map what `save` wrote."""
        return cls(
            SparseRows.load(folder, _FILE),
            mapped(folder / f"{_FILE}.users.npy"),
            mapped(folder / f"{_FILE}.vectors.npy"),
        )


def _user_weights(lengths: Int64) -> tuple[Float64, Int64]:
    """The different weights, and which one each user has."""
    weight = 1.0 / np.log2(1.0 + np.maximum(lengths, 1))
    levels = (1 << LEVEL_BITS) - 1
    edges = np.linspace(weight.min(initial=1.0), 1.0, levels + 1)
    place = np.rint((weight - edges[0]) / max(1.0 - edges[0], 1e-9) * levels)
    return edges, place.astype(np.int64)


def _embedded(
    pairs: SparseRows,
    users: Float32,
    everybody: int,
    size: int,
    rng: np.random.Generator,
    check: Callable[[], None],
) -> Float32:
    """float32[n, size]."""
    row = np.repeat(np.arange(pairs.n), np.diff(pairs.ptr))
    expected = users[row] * users[pairs.col] / max(everybody, 1)
    value = np.log1p(pairs.value / np.maximum(expected, 1e-9)).astype(np.float32)
    value *= pairs.value / (pairs.value + 1)
    kept, col, value = strongest(row, pairs.col, value, EMBEDDED)
    ptr = np.concatenate(([0], np.cumsum(np.bincount(kept, minlength=pairs.n))))
    table = SparseRows(ptr, col, value)
    axes = leading_axes(table, pairs.n, min(size, pairs.n), rng, check)
    vectors = times(table, axes)
    strengths = np.linalg.norm(vectors, axis=0)
    vectors /= np.sqrt(np.maximum(strengths, 1e-9))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    np.divide(vectors, lengths, out=vectors, where=lengths > 0)
    return vectors
