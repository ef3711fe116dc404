"""Measures a model on the held-out part of test users: the figures of GetSolutionMetrics.

At most `splits.MOST_USERS` users are asked, a sample that stays the same from version to version; all items
are ranked for each. Coverage counts the lists of those asked. Questions are asked in order of time, several
at once, and counted as they come. Memory: twice `BATCH_BYTES` of scores (more only where one array of scores
is larger), and a few lists of 25 per test user, whatever the catalogue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from ..algorithms.topk import top_k
from ..datasets.holdout import HoldOut
from ..datasets.sequences import Bools, Float32, Int64, Sequences
from ..datasets.splits import MOST_USERS, sampled
from ..recipes.complete import CompleteModel
from ..recipes.questions import Question, held_out_question
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

BATCH_BYTES = 32 * 1024 * 1024
"""Scores that are held at once."""

MOST_TOGETHER = 50
"""Questions that are answered together."""


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
    held_out: HoldOut,
    *,
    weighted: bool = False,
    reward: Float32 | None = None,
    most_users: int = MOST_USERS,
    progress: Callable[[str, float, float, str], None] = lambda step, done, total, unit: None,
    check: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    """The metrics of a model that was trained on ``held_out.training``.

    Args:
        model: its catalogue must be that of `sequences`.
        sequences: all events.
        held_out: the questions.
        weighted: add NDCG with the weights of event types.
        reward: float32[n], the objective of each item; adds ``average_rewards_at_k``.
        most_users: of more users only so many are asked.
        progress, check: told how far it is; may raise to stop.

    Returns:
        By name, not rounded. Without a test user all are 0.
    """
    held_out = sampled(sequences, held_out, most_users)
    count = len(held_out.user)
    shape = (count, LIST)
    lists = _Lists(np.zeros(shape), np.zeros(shape), np.zeros(shape))
    shown = np.zeros(len(sequences.items), dtype=np.bool_)
    gain_of = np.zeros(len(sequences.items))
    sizes = np.zeros(count, dtype=np.int64)
    asked = ask(model, sequences, held_out, progress=progress, check=check)
    for k, (_, truth, gain), scores in asked:
        listed = top_k(scores, LIST)
        shown[listed] = True
        gain_of[truth] = gain
        lists.gains[k, : len(listed)] = gain_of[listed]
        lists.hits[k, : len(listed)] = np.isin(listed, truth)
        lists.ideal[k, : min(LIST, len(gain))] = np.sort(gain)[::-1][:LIST]
        gain_of[truth] = 0.0
        sizes[k] = len(truth)
        if reward is not None:
            long = top_k(scores, REWARDED)
            found = average_reward(reward[long].astype(np.float64), np.isin(long, truth).astype(np.float64))
            lists.rewards += [] if found is None else [found]
    return _summary(lists, sizes, shown, weighted, reward is not None)


def ask(
    model: CompleteModel,
    sequences: Sequences,
    held_out: HoldOut,
    *,
    seen_excluded: bool = False,
    progress: Callable[[str, float, float, str], None] = lambda step, done, total, unit: None,
    check: Callable[[], None] = lambda: None,
) -> Iterator[tuple[int, Question, Float32]]:
    """All questions in order of time: the number of each, the question, and the scores float32[n], to be used
    before the next is taken."""
    count = len(held_out.user)
    at_once = max(1, min(MOST_TOGETHER, BATCH_BYTES // (4 * max(len(sequences.items), 1))))
    order = np.argsort(sequences.time[held_out.start], kind="stable")
    for begin in range(0, count, at_once):
        check()
        progress("measure", begin, count, "users")
        numbers = order[begin : begin + at_once].tolist()
        questions = [held_out_question(sequences, held_out, k, model.anchored) for k in numbers]
        queries = [replace(query, seen_excluded=seen_excluded) for query, _, _ in questions]
        scores = model.many(queries)
        if model.anchored:  # which is no answer about itself
            anchors = np.array([query.anchor for query in queries], dtype=np.int64)
            scores[np.arange(len(queries)), anchors] = scores.min(axis=1) - 1
        yield from zip(numbers, questions, scores, strict=True)
    progress("measure", count, count, "users")


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
