"""Measuring: against a slow and plain computation of the same, and on models whose figures are known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openpersonalize.algorithms.arrays import Float32
from openpersonalize.datasets.sequences import Sequences
from openpersonalize.datasets.splits import split_users
from openpersonalize.evaluation.measure import measure
from openpersonalize.recipes.complete import CompleteModel
from openpersonalize.recipes.facts import Task
from openpersonalize.recipes.item_counts import ItemCounts
from openpersonalize.recipes.model import Model
from openpersonalize.recipes.query import Query
from openpersonalize.testing.worlds import two_clusters

KEYS = {"coverage", "mean_reciprocal_rank_at_25"} | {
    f"{name}_at_{k}" for name in ("normalized_discounted_cumulative_gain", "precision") for k in (5, 10, 25)
}


class Fixed(Model):
    """Scores from a table by the newest item of the history."""

    def __init__(self, world: Sequences, table: Float32) -> None:
        self.items = world.items
        self.table = table

    def scores(self, query: Query) -> Float32:
        return self.table[int(query.item[-1])].copy()

    def save(self, folder: Path) -> None:
        raise AssertionError


def figures(model: Model, world: Sequences, *how: Any, **more: Any) -> dict[str, float]:
    """`measure` of a model of users with histories."""
    counts = ItemCounts.of(world)
    return measure(CompleteModel(model, Task.PERSONALISE, counts), world, *how, counts, **more).metrics


@pytest.fixture(scope="module")
def world() -> Sequences:
    return two_clusters(users=300)


def table(world: Sequences) -> Float32:
    n = len(world.items)
    return np.random.default_rng(2).normal(size=(n, n)).astype(np.float32)


def plainly(world: Sequences, scores_after: Float32) -> dict[str, float]:
    found = split_users(world)
    totals = dict.fromkeys(KEYS, 0.0)
    shown = set()
    for user, start in zip(found.user.tolist(), found.start.tolist(), strict=True):
        truth = set(world.item[start : world.ptr[user + 1]].tolist())
        scores = scores_after[int(world.item[start - 1])]
        ranked = sorted(range(len(scores)), key=lambda item: (-scores[item], item))[:25]
        shown |= set(ranked)
        places = [place for place, item in enumerate(ranked, start=1) if item in truth]
        totals["mean_reciprocal_rank_at_25"] += 1 / places[0] if places else 0
        for k in (5, 10, 25):
            gained = sum(1 / math.log2(1 + place) for place in places if place <= k)
            ideal = sum(1 / math.log2(1 + place) for place in range(1, min(k, len(truth)) + 1))
            totals[f"normalized_discounted_cumulative_gain_at_{k}"] += gained / ideal
            totals[f"precision_at_{k}"] += sum(place <= k for place in places) / k
    result = {name: total / len(found.user) for name, total in totals.items()}
    result["coverage"] = len(shown) / len(world.items)
    return result


def test_it_is_what_the_definitions_say(world: Sequences) -> None:
    scores = table(world)
    measured = figures(Fixed(world, scores), world, split_users(world))
    assert set(measured) == KEYS
    assert measured == pytest.approx(plainly(world, scores))


def test_a_model_that_knows_has_all_ones(world: Sequences) -> None:
    found = split_users(world)
    answers = {int(world.time[start - 1]): world.item[start:end] for start, end in
               zip(found.start.tolist(), world.ptr[found.user + 1].tolist(), strict=True)}  # fmt: skip

    class Oracle(Fixed):
        def scores(self, query: Query) -> Float32:
            told = np.zeros(len(world.items), dtype=np.float32)
            told[answers[int(query.time[-1])]] = 1.0
            return told

    measured = figures(Oracle(world, table(world)), world, found)
    for name in ("mean_reciprocal_rank_at_25", "normalized_discounted_cumulative_gain_at_5"):
        assert measured[name] == pytest.approx(1.0)
    assert measured["precision_at_5"] == pytest.approx(0.2)


def test_rewards_and_weights_add_their_keys(world: Sequences) -> None:
    reward = np.linspace(0, 1, len(world.items)).astype(np.float32)
    measured = figures(Fixed(world, table(world)), world, split_users(world), weighted=True, reward=reward)
    added = {f"normalized_discounted_cumulative_gain_with_event_weights_at_{k}" for k in (5, 10, 25)}
    assert set(measured) == KEYS | added | {"average_rewards_at_k"}
    assert 0 < measured["average_rewards_at_k"] <= 1
    for k in (5, 10, 25):  # all weights alike: the same as without
        plain = measured[f"normalized_discounted_cumulative_gain_at_{k}"]
        assert measured[f"normalized_discounted_cumulative_gain_with_event_weights_at_{k}"] == pytest.approx(
            plain
        )


def test_without_test_users_all_is_zero() -> None:
    world = two_clusters(users=1)
    found = split_users(world)
    assert len(found.user) == 0
    assert set(figures(Fixed(world, table(world)), world, found).values()) == {0.0}


def test_questions_come_several_at_once_within_bounds(
    world: Sequences, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = figures(Fixed(world, table(world)), world, split_users(world))
    monkeypatch.setattr("openpersonalize.evaluation.measure.BATCH_BYTES", 4 * len(world.items) * 3)
    sizes = []

    class Batched(Fixed):
        def many(self, queries: Sequence[Query]) -> Float32:
            sizes.append(len(queries))
            return np.stack([self.scores(query) for query in queries])

    assert figures(Batched(world, table(world)), world, split_users(world)) == plain
    assert set(sizes[:-1]) == {3}
    assert sum(sizes) == len(split_users(world).user)


def test_only_so_many_users_are_asked(world: Sequences) -> None:
    asked = []

    class Counted(Fixed):
        def scores(self, query: Query) -> Float32:
            asked.append(query)
            return super().scores(query)

    figures(Counted(world, table(world)), world, split_users(world), most_users=7)
    assert len(asked) == 7
