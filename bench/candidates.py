"""Large catalogues: candidates by an index against scoring everything, ``python -m bench.candidates``.

    python -m bench.candidates [--items 100000 1000000] [--questions 200]

For each size a made-up world: items of topics, each user walking through two of them, popular items met more
often. Transitions, neighbours, popularity, recent popularity and repeats are counted from it; the encoder's
vectors are drawn so as training leaves them (topics, longer for popular items), and its blocks let the newest
event and the mean of the others through. Then the index is made as a training makes it, and questions are
asked both ways in one process: milliseconds are CPU time, medians.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from openpersonalize.algorithms.arrays import Float32, Int64
from openpersonalize.algorithms.encoder import GAPS, Encoder, Shape
from openpersonalize.algorithms.ranker import BaseRanker
from openpersonalize.datasets.sequences import Sequences
from openpersonalize.recipes import indexing
from openpersonalize.recipes.base_rankers import base_rankers
from openpersonalize.recipes.fusion.model import FusedModel
from openpersonalize.recipes.fusion.weights import Weights
from openpersonalize.recipes.item_counts import ItemCounts
from openpersonalize.recipes.query import Query
from openpersonalize.recipes.training import Training
from openpersonalize.storage.idtable import IdTable

from .results import Row, row, show, write

TOPIC, LENGTH, EVENTS_PER_ITEM = 200, 30, 5
D = 64
ASTRAY = 0.3
"""Events that have nothing to do with the user's topics."""
SPREAD = 1.0
"""How far items lie from the middle of their topic, as a share of its length."""
SHARPNESS = 2.0
"""The product with the nearest item is about ``SHARPNESS * sqrt(D)``: it must stand out from a million."""
WEIGHTS = {
    "encoder": 1.0, "transitions": 0.3, "neighbours": 0.2, "popularity": 0.1, "recent-168h": 0.3,
    "repeats": 0.5, "own": 0.2,
}  # fmt: skip
RECALL = 0.95


def world(n: int, seed: int = 0) -> Sequences:
    """Events of ``n * EVENTS_PER_ITEM / LENGTH`` users; item i is of topic ``i // TOPIC``, low ones first."""
    rng = np.random.default_rng(seed)
    users, topics = n * EVENTS_PER_ITEM // LENGTH, n // TOPIC
    own = rng.integers(0, topics, (users, 2))
    topic = own[np.arange(users)[:, None], (rng.random((users, LENGTH)) < 0.3).astype(int)]
    anywhere = rng.random((users, LENGTH)) < ASTRAY
    topic[anywhere] = rng.integers(0, topics, int(anywhere.sum()))
    place = (TOPIC * rng.random((users, LENGTH)) ** 3).astype(np.int64)
    begun = rng.integers(1_700_000_000, 1_702_000_000, users)
    time_of = begun[:, None] + np.cumsum(rng.exponential(3_600, (users, LENGTH)), axis=1).astype(np.int64)
    total = users * LENGTH
    return Sequences(
        IdTable.from_series(pl.Series([f"u{user}" for user in range(users)])),
        IdTable.from_series(pl.Series([f"i{item:07}" for item in range(n)])),
        np.arange(users + 1, dtype=np.int64) * LENGTH,
        (topic * TOPIC + place).ravel().astype(np.int32),
        time_of.ravel(),
        np.zeros(total, dtype=np.int16),
        np.full(total, np.nan, dtype=np.float32),
        np.ones(total, dtype=np.float32),
        ("view",),
    )


def encoder_of(n: int, seed: int = 0) -> Encoder:
    """An encoder of two gated blocks for `world`: see the module."""
    rng = np.random.default_rng(seed)

    def drawn(*shape: int, scale: float = 0.02) -> Float32:
        return rng.standard_normal(shape, dtype=np.float32) * np.float32(scale)

    items = np.repeat(drawn(n // TOPIC, D, scale=1.0), TOPIC, axis=0)
    items += drawn(n, D, scale=SPREAD)
    items /= np.linalg.norm(items, axis=1, keepdims=True)
    items *= (1.2 - 0.6 * (np.arange(n) % TOPIC) / TOPIC).astype(np.float32)[:, None]
    weights = {"items": items, "event": drawn(2, D), "gap": drawn(GAPS, D)}
    weights |= {"norm.weight": np.full(D, SHARPNESS, np.float32), "norm.bias": np.zeros(D, np.float32)}
    for block in ("block0.", "block1."):
        own = {name: drawn(D, D) for name in ("query", "key")}
        own |= {name: np.eye(D, dtype=np.float32) for name in ("value", "out")}
        own |= {"position": drawn(2, 200), "up": drawn(4 * D, D), "down": drawn(D, 2 * D)}
        for gate in ("gate1", "gate2"):
            own |= {f"{gate}.weight": drawn(D, D), f"{gate}.bias": np.zeros(D, np.float32)}
        for norm in ("norm1", "norm2"):
            own |= {f"{norm}.weight": np.ones(D, np.float32), f"{norm}.bias": np.zeros(D, np.float32)}
        weights |= {block + name: value for name, value in own.items()}
    return Encoder(Shape("gated", D, 2), weights)


def model_of(sequences: Sequences) -> FusedModel:
    """The fused model of a world, not indexed."""
    rankers: list[BaseRanker] = [encoder_of(len(sequences.items))]
    rankers += base_rankers(
        sequences, sequences, "leave_last", True, Training(), gap=1_800, only=set(WEIGHTS)
    )
    excluded = {**WEIGHTS, "repeats": 0.0, "own": 0.0}
    return FusedModel(sequences.items, ItemCounts.of(sequences), rankers, Weights.alike(WEIGHTS, excluded))


def measured(n: int, questions: int) -> list[Row]:
    """The rows of one size."""
    sequences = world(n)
    model = model_of(sequences)
    said: list[str] = []
    begun = time.process_time()
    indexing.index(model, sequences, Training(line=said.append))
    built = time.process_time() - begun
    print(*said, sep="\n")
    retriever = model.retriever()
    assert retriever is not None
    queries = indexing.asked(sequences, seed=1, users=questions // 2)
    exact, whole = _timed(lambda query: indexing.best(model, query), queries)
    _, part = _timed(lambda query: retriever.candidates(query, indexing.CANDIDATES, False).rows, queries)
    recall = indexing.recall(model, queries, exact)
    off = [
        abs(
            np.expm1(
                retriever.candidates(query, indexing.CANDIDATES, False).log_total
                - _log_total(model.scores(query))
            )
        )
        for query in queries[:50]
    ]
    encoder = model.encoder
    index = encoder.ivf.nbytes if encoder is not None and encoder.ivf is not None else 0
    title = f"{n:,} items"
    return [
        row(f"{title}: everything scored, one question", whole, "ms"),
        row(f"{title}: candidates, one question", part, "ms", floor=whole, target=whole, lower=True),
        row(f"{title}: share of the best {indexing.LIST_LENGTH} found", recall, "ratio", target=RECALL),
        row(f"{title}: the total is off by, at most", float(max(off)), "ratio"),
        row(f"{title}: items looked at", model.probe_rows, "items"),
        row(f"{title}: bytes of the index", index / 1e6, "MB"),
        row(f"{title}: making and measuring the index", built, "s"),
    ]


def _timed(ask: Callable[[Query], Int64], queries: Sequence[Query]) -> tuple[list[Int64], float]:
    """Each answer, and the median of the CPU milliseconds."""
    found, times = [], []
    for query in queries:
        begun = time.process_time()
        found.append(ask(query))
        times.append((time.process_time() - begun) * 1e3)
    return found, statistics.median(times)


def _log_total(scores: Float32) -> float:
    return float(scores.max() + np.log(np.exp(scores - scores.max()).sum(dtype=np.float64)))


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.candidates", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--items", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--questions", type=int, default=200)
    given = parser.parse_args(arguments)
    for n in given.items:
        rows = measured(n, given.questions)
        show(rows)
        write(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
