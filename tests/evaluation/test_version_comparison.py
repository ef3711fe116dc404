"""Versions compared by their questions: against a difference that is known, and where nothing can be said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from openpersonalize.datasets.splits import split_users
from openpersonalize.evaluation.measure import measure
from openpersonalize.evaluation.version_comparison import beside_best_sellers, paired
from openpersonalize.recipes.complete import CompleteModel
from openpersonalize.recipes.facts import Task
from openpersonalize.recipes.item_counts import ItemCounts
from openpersonalize.recipes.question_values import QuestionValues
from openpersonalize.storage.idhash import hashes
from openpersonalize.testing.worlds import two_clusters

RNG = np.random.default_rng(4)
NOISE = RNG.random(400)


def values(own: np.ndarray, sold: float = 0.0, whom: str = "user", name: str = "ndcg") -> QuestionValues:
    users = hashes(pl.Series([f"{whom}-{number}" for number in range(len(own))]))
    return QuestionValues.of(users, users[::-1].copy(), {name: own}, {name: np.full(len(own), sold)})


@pytest.mark.parametrize(("more", "verdict"), [(0.02, "better"), (-0.02, "worse"), (0.0, "unclear")])
def test_pairing_finds_what_intervals_alone_hide(more: float, verdict: str) -> None:
    """Questions differ far more than the versions do."""
    second = values(NOISE + more + RNG.normal(0, 0.05, 400))
    found = paired(values(NOISE), second)
    assert found.questions == 400
    assert found.difference["ndcg"].verdict == verdict
    assert found.difference["ndcg"].mean == pytest.approx(more, abs=0.01)
    first, after = found.first["ndcg"], found.second["ndcg"]
    assert first.low < after.mean < first.high
    assert first.mean == pytest.approx(NOISE.mean())


def test_only_the_same_questions_are_compared() -> None:
    first = values(NOISE)
    moved = QuestionValues(first.names, first.asked, first.truth.copy(), first.values + 1, first.peer)
    moved.truth[:300] += np.uint64(1)  # other right answers: another question
    found = paired(first, moved.take(np.arange(400)[::-1]))
    assert found.questions == 100
    assert found.difference["ndcg"].mean == pytest.approx(1.0)
    few = paired(first, moved.take(np.arange(0, 310)))
    assert (few.questions, few.difference) == (10, {})
    assert paired(first, values(NOISE, whom="other")).questions == 0
    assert paired(first, values(NOISE, name="recall")).difference == {}
    assert paired(first.take(np.arange(0)), first).questions == 0


def test_the_best_sellers_stand_beside() -> None:
    found = beside_best_sellers(values(NOISE, sold=0.2))["ndcg"]
    assert found.value.low < NOISE.mean() < found.value.high
    assert (found.best_sellers.mean, found.best_sellers.low) == pytest.approx((0.2, 0.2))
    assert found.difference.mean == pytest.approx(NOISE.mean() - 0.2)
    assert found.difference.verdict == "better"
    assert beside_best_sellers(values(NOISE[:0])) == {}


def test_a_measurement_says_it_for_each_question(tmp_path: Path) -> None:
    """The means of what is kept are the metrics; the best sellers are what a model of theirs would score."""
    world = two_clusters(users=300)
    held_out = split_users(world)
    sold = ItemCounts.of(world.where(held_out.training))

    class Popular:
        def scores(self, query: object) -> np.ndarray:
            return sold.scores.copy()

        def save(self, folder: Path) -> None: ...

    found = measure(CompleteModel(Popular(), Task.PERSONALISE, sold), world, held_out, sold, weighted=True)
    found.questions.save(tmp_path)
    kept = QuestionValues.load(tmp_path)
    assert kept is not None
    assert set(kept.names) == set(found.metrics) - {"coverage"}
    assert len(kept) == len(held_out.user)
    for place, name in enumerate(kept.names):
        assert kept.values[:, place].mean() == pytest.approx(found.metrics[name], abs=1e-6)
    assert np.array_equal(kept.values, kept.peer)
    assert QuestionValues.load(tmp_path.parent) is None


def test_a_removed_user_leaves_no_question() -> None:
    users = pl.Series([f"u{number}" for number in range(5)])
    asked = hashes(users)
    one = {"ndcg": np.arange(5.0)}
    found = QuestionValues.of(asked, asked[::-1].copy(), one, one).without(users[:1])
    assert found.values[:, 0].tolist() == [1, 2, 3]  # neither asked about it, nor is it the answer
