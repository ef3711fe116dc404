"""Measures a model on the held-out part of test users: the figures of GetSolutionMetrics.

At most `splits.MOST_USERS` users are asked, a sample that stays the same from version to version; all items
are ranked for each. Coverage counts the lists of those asked. Questions are asked in order of time, several
at once, and counted as they come. Beside the model the best sellers are measured, on the same questions.
Memory: twice `BATCH_BYTES` of scores (more only where one array of scores is larger), a few lists of 25 per
test user, whatever the catalogue, and the right answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from ..algorithms.topk import Rows, top_k
from ..datasets.holdout import HoldOut
from ..datasets.sequences import Float32, Int32, Int64, Sequences
from ..datasets.splits import MOST_USERS, sampled
from ..recipes.complete import CompleteModel
from ..recipes.item_counts import ItemCounts
from ..recipes.question_values import QuestionValues, hashes_of_sets
from ..recipes.questions import Question, held_out_question
from ..storage.idhash import UInt64, hashes
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


@dataclass(frozen=True)
class Measurement:
    """What a model scored.

    Attributes:
        metrics: by name, not rounded. questions: the same for each question, of the metrics that are means
        over questions.
    """

    metrics: dict[str, float]
    questions: QuestionValues


@dataclass
class _Lists:
    """One row per question: hits and gains of the first 25, those of the best sellers, how many items were
    relevant, and what could be gained."""

    hits: Float64
    gains: Float64
    sold: Float64
    sold_gains: Float64
    ideal: Float64
    sizes: Int64
    truths: list[Int32]
    rewards: list[float] = field(default_factory=list)

    @classmethod
    def empty(cls, count: int) -> _Lists:
        hits, gains, sold, sold_gains, ideal = np.zeros((5, count, LIST))
        sizes = np.zeros(count, dtype=np.int64)
        return cls(hits, gains, sold, sold_gains, ideal, sizes, [np.empty(0, np.int32)] * count)

    def add(self, k: int, listed: Rows, sold: Rows, truth: Int32, gain: Float32, gain_of: Float64) -> None:
        """Question `k`; `gain_of`: float64[n] zeros, to be left so."""
        gain_of[truth] = gain
        self.gains[k, : len(listed)] = gain_of[listed]
        self.sold_gains[k, : len(sold)] = gain_of[sold]
        gain_of[truth] = 0.0
        self.hits[k, : len(listed)] = np.isin(listed, truth)
        self.sold[k, : len(sold)] = np.isin(sold, truth)
        self.ideal[k, : min(LIST, len(gain))] = np.sort(gain)[::-1][:LIST]
        self.sizes[k], self.truths[k] = len(truth), truth

    def values(self, sold: bool, weighted: bool) -> dict[str, Float64]:
        """float64[Q] by name: of the model, or of the best sellers."""
        hits, gains = (self.sold, self.sold_gains) if sold else (self.hits, self.gains)
        ideal = ideal_gains(self.sizes)
        found = {"mean_reciprocal_rank_at_25": reciprocal_rank(hits)}
        for k in CUTS:
            found[f"normalized_discounted_cumulative_gain_at_{k}"] = ndcg(hits, ideal, k)
            found[f"precision_at_{k}"] = precision(hits, k)
            if weighted:
                name = f"normalized_discounted_cumulative_gain_with_event_weights_at_{k}"
                found[name] = ndcg(gains, self.ideal, k)
        return found


def measure(
    model: CompleteModel,
    sequences: Sequences,
    held_out: HoldOut,
    best_sellers: ItemCounts,
    *,
    weighted: bool = False,
    reward: Float32 | None = None,
    most_users: int = MOST_USERS,
    progress: Callable[[str, float, float, str], None] = lambda step, done, total, unit: None,
    check: Callable[[], None] = lambda: None,
) -> Measurement:
    """The metrics of a model that was trained on ``held_out.training``.

    Args:
        model: its catalogue must be that of `sequences`.
        sequences: all events.
        held_out: the questions.
        best_sellers: the popularity of the items among the events that trained.
        weighted: add NDCG with the weights of event types.
        reward: float32[n], the objective of each item; adds ``average_rewards_at_k``.
        most_users: of more users only so many are asked.
        progress, check: told how far it is; may raise to stop.

    Returns:
        By name. Without a test user all are 0.
    """
    held_out = sampled(sequences, held_out, most_users)
    lists = _Lists.empty(len(held_out.user))
    shown = np.zeros(len(sequences.items), dtype=np.bool_)
    gain_of = np.zeros(len(sequences.items))
    sold = best_sellers.order[: LIST + 1].astype(np.int64)
    asked = ask(model, sequences, held_out, progress=progress, check=check)
    for k, (query, truth, gain), scores in asked:
        listed = top_k(scores, LIST)
        shown[listed] = True
        others = sold if query.anchor is None else sold[sold != query.anchor]
        lists.add(k, listed, others[:LIST], truth, gain, gain_of)
        if reward is not None:
            long = top_k(scores, REWARDED)
            found = average_reward(reward[long].astype(np.float64), np.isin(long, truth).astype(np.float64))
            lists.rewards += [] if found is None else [found]
    values = lists.values(False, weighted)
    metrics = {"coverage": float(shown.sum() / max(len(shown), 1))}
    metrics |= {name: float(one.mean()) if len(one) else 0.0 for name, one in values.items()}
    if reward is not None:
        metrics["average_rewards_at_k"] = float(np.clip(np.mean(lists.rewards or [0.0]), 0.0, 1.0))
    whom = hashes(sequences.users.series().gather(held_out.user))
    truth_of = _truths(sequences, lists.truths)
    return Measurement(metrics, QuestionValues.of(whom, truth_of, values, lists.values(True, weighted)))


def _truths(sequences: Sequences, truths: list[Int32]) -> UInt64:
    """uint64[Q], a hash of the right answers of each question."""
    ptr = np.concatenate(([0], np.cumsum([len(one) for one in truths]))).astype(np.int64)
    items, place = np.unique(np.concatenate([np.empty(0, np.int32), *truths]), return_inverse=True)
    return hashes_of_sets(hashes(sequences.items.series().gather(items))[place], ptr)


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
