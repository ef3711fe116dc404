"""Measures a model on the held-out part of test users: the figures of GetSolutionMetrics.

At most `splits.MOST_USERS` users are asked, a sample that stays the same from version to version; all items
are ranked for each. Coverage counts the lists of those asked. Questions are asked in order of time, several
at once, and counted as they come. Memory: twice `BATCH_BYTES` of scores (more only where one array of scores
is larger), and a few lists of 25 per test user, whatever the catalogue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from ..datasets.sequences import Bools, Float32, Int32, Int64, Sequences
from ..recipes.complete import CompleteModel
from ..recipes.query import Query
from .metrics import (
    CUTS,
    LIST,
    REWARDED,
    Float64,
    average_reward,
    ideal_gains,
    ndcg,
    precision,
    reciprocal_rank,
)
from .splits import Split, sampled

BATCH_BYTES = 32 * 1024 * 1024
"""Scores that are held at once."""

MOST_AT_ONCE = 50


@dataclass
class _Lists:
    """One row per question: hits and gains of the first 25, how many items were relevant."""

    hits: Float64
    gains: Float64
    ideal: Float64
    rewards: list[float] = field(default_factory=list)


def measure(
    model: CompleteModel,
    sequences: Sequences,
    split: Split,
    *,
    weighted: bool = False,
    reward: Float32 | None = None,
    progress: Callable[[str, float, float, str], None] = lambda step, done, total, unit: None,
    check: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    """The metrics of a model that was trained on ``split.training``.

    Args:
        model: its catalogue must be that of `sequences`.
        sequences: all events.
        split: the test users.
        weighted: add NDCG with the weights of event types.
        reward: float32[n], the objective of each item; adds ``average_rewards_at_k``.
        progress, check: told how far it is; may raise to stop.

    Returns:
        By name, not rounded. Without a test user all are 0.
    """
    split = sampled(sequences, split)
    count = len(split.user)
    shape = (count, LIST)
    lists = _Lists(np.zeros(shape), np.zeros(shape), np.zeros(shape))
    shown = np.zeros(len(sequences.items), dtype=np.bool_)
    gain_of = np.zeros(len(sequences.items))
    sizes = np.zeros(count, dtype=np.int64)
    asked = ask(model, sequences, split, progress=progress, check=check)
    for k, (_, truth, gain), scores in asked:
        listed = best(scores, LIST)
        shown[listed] = True
        gain_of[truth] = gain
        lists.gains[k, : len(listed)] = gain_of[listed]
        lists.hits[k, : len(listed)] = np.isin(listed, truth)
        lists.ideal[k, : min(LIST, len(gain))] = np.sort(gain)[::-1][:LIST]
        gain_of[truth] = 0.0
        sizes[k] = len(truth)
        if reward is not None:
            long = best(scores, REWARDED)
            found = average_reward(reward[long].astype(np.float64), np.isin(long, truth).astype(np.float64))
            lists.rewards += [] if found is None else [found]
    return _summary(lists, sizes, shown, weighted, reward is not None)


Question: TypeAlias = tuple[Query, Int32, Float32]
"""What is asked, the distinct relevant items, the largest weight that each was met with."""


def ask(
    model: CompleteModel,
    sequences: Sequences,
    split: Split,
    *,
    seen_excluded: bool = False,
    progress: Callable[[str, float, float, str], None] = lambda step, done, total, unit: None,
    check: Callable[[], None] = lambda: None,
) -> Iterator[tuple[int, Question, Float32]]:
    """All questions in order of time: the number of each, the question, and the scores float32[n], to be used
    before the next is taken."""
    count = len(split.user)
    at_once = max(1, min(MOST_AT_ONCE, BATCH_BYTES // (4 * max(len(sequences.items), 1))))
    order = np.argsort(sequences.time[split.start], kind="stable")
    for begin in range(0, count, at_once):
        check()
        progress("measure", begin, count, "users")
        numbers = order[begin : begin + at_once].tolist()
        questions = [held_out(sequences, split, k) for k in numbers]
        queries = [replace(query, seen_excluded=seen_excluded) for query, _, _ in questions]
        yield from zip(numbers, questions, model.many(queries), strict=True)
    progress("measure", count, count, "users")


def held_out(sequences: Sequences, split: Split, k: int) -> Question:
    """The k-th test of a split."""
    user = int(split.user[k])
    start, end = int(split.start[k]), int(sequences.ptr[user + 1])
    now = int(sequences.time[start]) if split.moment is None else split.moment
    query = Query.at(sequences, user, start, now, context_of=start)
    truth, place = np.unique(sequences.item[start:end], return_inverse=True)
    gain = np.zeros(len(truth), dtype=np.float32)
    np.maximum.at(gain, place, sequences.weight[start:end])
    return query, truth, gain


def best(scores: Float32, count: int) -> Int32:
    """The `count` items of highest score, best first, ties in order of numbers."""
    count = min(count, len(scores))
    if not count:
        return np.empty(0, dtype=np.int32)
    least = np.partition(scores, len(scores) - count)[len(scores) - count]
    candidates = np.flatnonzero(scores >= least)
    return candidates[np.argsort(-scores[candidates], kind="stable")][:count].astype(np.int32)


def _summary(lists: _Lists, sizes: Int64, shown: Bools, weighted: bool, rewarded: bool) -> dict[str, float]:
    def mean(values: Float64) -> float:
        return float(values.mean()) if len(values) else 0.0

    ideal = ideal_gains(sizes)
    metrics = {
        "coverage": float(shown.sum() / max(len(shown), 1)),
        "mean_reciprocal_rank_at_25": mean(reciprocal_rank(lists.hits)),
    }
    for k in CUTS:
        metrics[f"normalized_discounted_cumulative_gain_at_{k}"] = mean(ndcg(lists.hits, ideal, k))
        metrics[f"precision_at_{k}"] = mean(precision(lists.hits, k))
        if weighted:
            name = f"normalized_discounted_cumulative_gain_with_event_weights_at_{k}"
            metrics[name] = mean(ndcg(lists.gains, lists.ideal, k))
    if rewarded:
        metrics["average_rewards_at_k"] = float(np.clip(np.mean(lists.rewards or [0.0]), 0.0, 1.0))
    return metrics
