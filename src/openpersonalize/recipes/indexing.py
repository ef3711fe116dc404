"""Gives the model of a large catalogue an index, if answers with it are nearly those without.

How many items a question must look at differs from one set of vectors to another, so it is measured: on
histories of the training data, with both sets of weights, against answers for which everything was scored.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from ..algorithms.arrays import Int64
from ..algorithms.topk import top_k
from ..datasets.sequences import Sequences
from .fused import FusedModel
from .query import Query
from .training import Training

LARGE = 50_000
"""Items with interactions above which an index pays."""
ENOUGH, LEAST = 0.98, 0.95
"""Shares of the best `BEST` items: with the first found no more are looked at, with less than the second all
are scored."""
BEST = 25
ASKED = 50
"""Histories that are asked about, twice each."""
WANTED = 256
SHARES = (256, 128, 64, 32, 16, 8)
"""Parts of the catalogue that are tried, smallest first: beyond an eighth, scoring all is as quick."""


def index(model: FusedModel, sequences: Sequences, training: Training) -> None:
    """Index a model with more than `LARGE` items that have interactions, in its place; without an objective,
    which needs the scores of all.

    Time: that of `IVFIndex.fit`, and `2 * ASKED` passes over the catalogue. Memory: the index, and one array
    of scores.
    """
    scored = int(model.scored.sum())
    if scored <= LARGE or model.reward is not None:
        return
    begun = time.monotonic()
    encoder = model.encoder
    if encoder is not None:
        encoder.index(training.check)
    queries = asked(sequences, training.seed)
    exact = []
    for query in queries:
        training.check()
        exact.append(best(model, query))
    found = 0.0
    for part in SHARES:
        training.check()
        model.look = max(scored // part, 1)
        found = recall(model, queries, exact)
        if found >= ENOUGH:
            break
    share = f"{found:.1%} of the best {BEST} of {scored:,} items"
    if found < LEAST:
        model.look = 0
        if encoder is not None:
            encoder.ivf = None
        training.line(f"An index would find {share}: all are scored instead.")
        return
    took = f"made in {time.monotonic() - begun:.0f} s"
    training.line(f"An index finds {share} by looking at {model.look:,} of them; {took}.")


def asked(sequences: Sequences, seed: int, users: int = ASKED) -> list[Query]:
    """The histories of some users, once for answers as served and once for answers without the items met."""
    rng = np.random.default_rng(seed)
    active = np.flatnonzero(sequences.counts)
    queries: list[Query] = []
    now = int(sequences.time.max(initial=0)) + 1
    for user in np.sort(rng.choice(active, min(users, len(active)), replace=False)).tolist():
        end = int(sequences.ptr[user + 1])
        query = Query.at(sequences, user, end, now, context_of=end - 1)
        queries += [query, replace(query, seen_excluded=True)]
    return queries


def best(model: FusedModel, query: Query) -> Int64:
    """The `BEST` items that an answer may hold, all being scored."""
    scores = np.where(model.scored, model.scores(query), np.float32(-np.inf))
    if query.seen_excluded:
        scores[query.item] = -np.inf
    rows = top_k(scores, BEST)
    return rows[scores[rows] > -np.inf]


def recall(model: FusedModel, queries: list[Query], exact: list[Int64]) -> float:
    """The mean share of the exact answers, see `best`, that `candidates` finds."""
    shares = []
    for query, rows in zip(queries, exact, strict=True):
        found = model.candidates(query, WANTED, interacted_only=True).rows
        if query.seen_excluded:
            found = found[~np.isin(found, query.item)]
        shares.append(np.isin(rows, found[: len(rows)]).mean() if len(rows) else 1.0)
    return float(np.mean(shares))
