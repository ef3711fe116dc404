"""Scores of many users in blocks, `block_scores`: the fused sum of `FusedModel.scores` with each base ranker
asked about a block of queries together.

What costs little for one user at a time stays as it is: who has no events, and the objective of rewarded
models. A base ranker without a block method of its own is asked query by query (`BaseRanker.accumulate`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from ...algorithms.arrays import Float32, Int64
from ...algorithms.ranker import BaseRanker, QueryBlock
from ..query import Query

BLOCK_BYTES = 16 * 1024 * 1024
"""Memory for the products of a block, beside its answer."""


class Fusion(Protocol):
    """What a block asks of a fused model: see `FusedModel`."""

    def __len__(self) -> int: ...
    @property
    def rewarded(self) -> bool: ...
    def scores(self, query: Query) -> Float32: ...
    def shared_scores(self, query: Query) -> Float32: ...
    def plan(self, query: Query) -> tuple[tuple[BaseRanker, np.float32], ...]: ...
    def behind(self, query: Query) -> Int64: ...
    def add_cold_items(self, query: Query, total: Float32) -> None: ...


def block_scores(model: Fusion, queries: Sequence[Query], block_bytes: int = BLOCK_BYTES) -> Float32:
    """float32[len(queries), n], the scores of each query: those of `FusedModel.scores` but for rounding, some
    1e-6 of a logarithmic score.

    Memory: the answer, and `block_bytes`.
    """
    n = len(model)
    found = np.empty((len(queries), n), dtype=np.float32)
    together: dict[int, list[int]] = {}
    for place, query in enumerate(queries):
        if len(query.item) and not model.rewarded:
            together.setdefault(id(model.plan(query)), []).append(place)
        else:
            found[place] = model.scores(query)
    for places in together.values():
        for some in _blocks(places, max(1, block_bytes // (4 * max(n, 1)))):
            if some[-1] - some[0] == len(some) - 1:
                _add_up(model, [queries[place] for place in some], found[some[0] : some[-1] + 1])
            else:
                total = np.empty((len(some), n), dtype=np.float32)
                _add_up(model, [queries[place] for place in some], total)
                found[some] = total
    return found


def _blocks(places: list[int], most: int) -> Iterator[list[int]]:
    return (places[start : start + most] for start in range(0, len(places), most))


def _add_up(model: Fusion, queries: Sequence[Query], total: Float32) -> None:
    """Write the scores of queries with events and one plan into float32[len(queries), n]."""
    for row, query in zip(total, queries, strict=True):
        row[...] = model.shared_scores(query)
    block = QueryBlock.of(queries)
    for ranker, weight in model.plan(queries[0]):
        if not ranker.user_independent:
            ranker.accumulate(block, weight, total)
    for row, query in zip(total, queries, strict=True):
        model.add_cold_items(query, row)
    last = model.behind(queries[0])
    if 0 < len(last) < total.shape[1]:
        total[:, last] = np.inf
        total[:, last] = total.min(axis=1, keepdims=True) - 1
