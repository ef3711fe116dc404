"""Decides whether a large catalogue is answered from an index, and how much of it a query must look at:
`index`.

How many items that are differs from one set of vectors to another, so it is measured: on histories of the
training data, with both sets of weights, against answers for which everything was scored.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np

from ..algorithms.arrays import Bools, Float32, Int64
from ..algorithms.topk import top_k
from ..datasets.sequences import Sequences
from .model import Retriever
from .query import Query
from .training import Training

INDEX_ABOVE = 50_000
"""Items with interactions above which an index pays."""
ENOUGH_RECALL, LEAST_RECALL = 0.98, 0.95
"""Shares of the best `LIST_LENGTH` items: with the first found no more are looked at, with less than the
second all are scored."""
LIST_LENGTH = 25
"""Items of an answer that are looked for."""
SAMPLED_USERS = 50
"""Histories that are asked about, twice each."""
CANDIDATES = 256
"""Candidates that a retriever is asked for."""
PARTS = (256, 128, 64, 32, 16, 8)
"""Parts of the catalogue that are tried, smallest first: beyond an eighth, scoring all is as quick."""


class IndexedModel(Protocol):
    """A model that can have an index of its catalogue, and look at a part of it.

    Attributes:
        interacted: bool[n], the items that may come into an answer.
        probe_rows: items that a query looks at; 0: all are scored.
    """

    interacted: Bools
    probe_rows: int

    def scores(self, query: Query) -> Float32: ...
    def retriever(self) -> Retriever | None: ...
    def build_index(self, check: Callable[[], None]) -> None:
        """Make the index."""

    def drop_index(self) -> None:
        """Let go of it."""


def index(
    model: IndexedModel,
    sequences: Sequences,
    training: Training,
    above: int = INDEX_ABOVE,
    least_recall: float = LEAST_RECALL,
) -> None:
    """Index a model with more than `above` items that have interactions, in its place, unless recall stays
    below `least_recall`.

    Time: that of `IVFIndex.fit`, and `2 * SAMPLED_USERS` passes over the catalogue. Memory: the index, and
    one array of scores.
    """
    scored = int(model.interacted.sum())
    if scored <= above:
        return
    begun = time.monotonic()
    model.build_index(training.check)
    queries = asked(sequences, training.seed)
    exact = []
    for query in queries:
        training.check()
        exact.append(best(model, query))
    found = 0.0
    for part in PARTS:
        training.check()
        model.probe_rows = max(scored // part, 1)
        found = recall(model, queries, exact)
        if found >= ENOUGH_RECALL:
            break
    share = f"{found:.1%} of the best {LIST_LENGTH} of {scored:,} items"
    if found < least_recall:
        model.probe_rows = 0
        model.drop_index()
        training.line(f"An index would find {share}: all are scored instead.")
        return
    took = f"made in {time.monotonic() - begun:.0f} s"
    training.line(f"An index finds {share} by looking at {model.probe_rows:,} of them; {took}.")


def asked(sequences: Sequences, seed: int, users: int = SAMPLED_USERS) -> list[Query]:
    """The histories of some users, every other one while the user is there, the rest long after; once for
    answers as served and once for answers without the items met."""
    rng = np.random.default_rng(seed)
    active = np.flatnonzero(sequences.counts)
    queries: list[Query] = []
    now = int(sequences.time.max(initial=0)) + 1
    chosen = np.sort(rng.choice(active, min(users, len(active)), replace=False))
    for place, user in enumerate(chosen.tolist()):
        end = int(sequences.ptr[user + 1])
        moment = int(sequences.time[end - 1]) + 1 if place % 2 else now
        query = replace(Query.at(sequences, user, end, moment, context_of=end - 1), arriving=place % 2 == 0)
        queries += [query, replace(query, seen_excluded=True)]
    return queries


def best(model: IndexedModel, query: Query) -> Int64:
    """The `LIST_LENGTH` items that an answer may hold, all being scored."""
    scores = np.where(model.interacted, model.scores(query), np.float32(-np.inf))
    if query.seen_excluded:
        scores[query.item] = -np.inf
    return top_k(scores, LIST_LENGTH)


def recall(model: IndexedModel, queries: list[Query], exact: list[Int64]) -> float:
    """The mean share of the exact answers, see `best`, that `candidates` finds."""
    shares, retriever = [], model.retriever()
    assert retriever is not None
    for query, rows in zip(queries, exact, strict=True):
        found = retriever.candidates(query, CANDIDATES, interacted_only=True).rows
        if query.seen_excluded:
            found = found[~np.isin(found, query.item)]
        shares.append(np.isin(rows, found[: len(rows)]).mean() if len(rows) else 1.0)
    return float(np.mean(shares))
