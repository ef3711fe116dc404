"""Vectors of items, by which users' histories become features of a user: `item_vectors`.

The leading singular vectors of who interacted with what (latent semantic analysis of histories: Deerwester et
al. 1990), beside the categories of the Items dataset. Both are as they are whatever the actions, so what they
say is learned from all users, also from those who never met an action.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from ...algorithms.arrays import Float32
from ...algorithms.sparse import SparseRows
from ...algorithms.truncated_svd import leading_axes
from ...datasets.sequences import Sequences
from .coding import MetadataCoding

AXES = 32
"""Singular vectors."""

MOST_CATEGORIES = 48
"""Categories of items that have a feature."""

MOST_EVENTS = 5_000_000
"""Interactions, of users drawn at random, that the vectors are worked out from where there are more."""


def item_vectors(
    interactions: Sequences,
    records: pl.DataFrame | None,
    rng: np.random.Generator,
    check: Callable[[], None],
) -> Float32:
    """float32[n, d] of n items; those that nobody interacted with have their categories alone.

    Memory: 16 bytes for each interaction that is used, and the vectors.

    Args:
        interactions: of users with items. records: the items' metadata, aligned, or None.
    """
    n = len(interactions.items)
    used = interactions
    if len(used.item) > MOST_EVENTS:
        drawn = rng.random(len(used.users)) < MOST_EVENTS / len(used.item)
        used = used.where(np.repeat(drawn, used.counts))
    parts = []
    size = min(AXES, n, len(used.users))
    if size and len(used.item):
        counts = np.bincount(used.item, minlength=n)
        scale = (1.0 / np.sqrt(np.maximum(counts, 1))).astype(np.float32)
        rows = SparseRows(used.ptr, used.item, scale[used.item])
        axes = leading_axes(rows, n, size, rng, check)
        parts.append(axes * scale[:, None] * np.float32(np.sqrt(n)))
    if records is not None:
        columns = {name: records[name] for name in records.columns[1:]}
        coding = MetadataCoding.fit(columns, MOST_CATEGORIES)
        parts.append(coding.encode(columns, n))
    found = np.concatenate(parts, axis=1) if parts else np.zeros((n, 0), np.float32)
    return np.ascontiguousarray(found, dtype=np.float32)
