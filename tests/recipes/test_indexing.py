"""A model with an index answers as the one without, but for the little that was measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from openpersonalize.algorithms.encoder import Encoder, Shape
from openpersonalize.datasets.sequences import Sequences
from openpersonalize.recipes.base_rankers import base_rankers
from openpersonalize.recipes.complete import CompleteModel
from openpersonalize.recipes.fusion.candidates import FusedRetriever
from openpersonalize.recipes.fusion.model import FusedModel
from openpersonalize.recipes.fusion.weights import Weights
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.indexing import LIST_LENGTH, asked, best, index, recall
from openpersonalize.recipes.item_counts import ItemCounts
from openpersonalize.recipes.registry import facts_of
from openpersonalize.recipes.training import Training, TrainingData
from openpersonalize.recipes.user_personalization import UserPersonalization
from openpersonalize.testing.contract import RecipeContract
from openpersonalize.testing.worlds import DAY, sequences_of, topics, two_clusters

ABOVE = 0
"""Even small catalogues are indexed here."""


class Indexed(UserPersonalization):
    """The recipe with an index for every catalogue."""

    index_above = ABOVE


V2 = Indexed(facts_of("aws-user-personalization-v2"))


class TestContract(RecipeContract):
    """The whole contract again, with an index."""

    recipe = V2

    def test_it_is_indexed(self, model: CompleteModel) -> None:
        assert model.indexed


@pytest.fixture(scope="module")
def world() -> Sequences:
    return topics()


def model_of(world: Sequences, *, encoder: bool = True, **weights: float) -> FusedModel:
    """Counted members, and an encoder whose vectors lie by topic."""
    n, d, rng = len(world.items), 16, np.random.default_rng(0)
    rankers = base_rankers(world, world, "leave_last", True, Training(), gap=1_800)
    if encoder:
        topic = np.array([int(name[1:4]) for name in world.items.strings()])
        items = rng.standard_normal((topic.max() + 1, d), dtype=np.float32)[topic]
        items += 0.6 * rng.standard_normal((n, d), dtype=np.float32)
        rankers.insert(0, Encoder(Shape("recurrent", d), passing(items, rng)))
    chosen = {"encoder": 1.0, "transitions": 0.3, "popularity": -0.1, "repeats": 0.5, **weights}
    counts = ItemCounts.of(world)
    return FusedModel(world.items, counts, rankers, Weights.alike(chosen, {**chosen, "repeats": 0.1}))


def passing(items: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Weights of a recurrent encoder that lets the newest event through."""
    d = items.shape[1]
    small = {
        "event": (2, d), "gap": (32, d), "block0.back": (d, 2 * d), "block0.input.weight": (6 * d, d),
        "block0.hidden.weight": (6 * d, 2 * d),
    }  # fmt: skip
    weights = {name: 0.05 * rng.standard_normal(size, dtype=np.float32) for name, size in small.items()}
    zero = {"norm.bias": d, "block0.norm1.bias": d, "block0.input.bias": 6 * d, "block0.hidden.bias": 6 * d}
    weights |= {name: np.zeros(size, np.float32) for name, size in zero.items()}
    ones = {"norm.weight": 2.0, "block0.norm1.weight": 1.0}
    return weights | {name: np.full(d, value, np.float32) for name, value in ones.items()} | {"items": items}


def retriever(model: FusedModel) -> FusedRetriever:
    """Its index."""
    found = model.retriever()
    assert isinstance(found, FusedRetriever)
    return found


@pytest.fixture(scope="module")
def model(world: Sequences) -> FusedModel:
    made = model_of(world)
    index(made, world, Training(), ABOVE)
    return made


def test_an_index_looks_at_a_part_and_finds_nearly_all(model: FusedModel, world: Sequences) -> None:
    assert 0 < model.probe_rows <= len(world.items) // 8
    queries = asked(world, seed=5, users=20)
    assert recall(model, queries, [best(model, query) for query in queries]) >= 0.95


def test_candidates_have_their_exact_scores(model: FusedModel, world: Sequences) -> None:
    for query in asked(world, seed=1, users=10):
        scores, found = model.scores(query), retriever(model).candidates(query, 50)
        assert len(found.rows) == 50
        assert (np.diff(found.scores) <= 0).all()
        assert np.allclose(found.scores, scores[found.rows], atol=1e-4)
        total = np.log(np.exp(scores.astype(np.float64)).sum())
        assert found.log_total == pytest.approx(total, abs=0.1)
        rows = np.arange(0, len(scores), 7)
        assert np.allclose(retriever(model).scores_at(query, rows), scores[rows], atol=1e-4)


def test_opened_it_finds_the_same(model: FusedModel, world: Sequences, tmp_path: Path) -> None:
    model.save(tmp_path)
    opened = FusedModel.load(tmp_path, model.items, model.counts)
    assert opened.probe_rows
    for query in asked(world, seed=2, users=10):
        mine, theirs = retriever(model).candidates(query, 40), retriever(opened).candidates(query, 40)
        assert np.array_equal(mine.rows, theirs.rows)
        assert np.array_equal(mine.scores, theirs.scores)
        assert mine.log_total == theirs.log_total


def test_without_an_encoder_the_members_name_them_all(world: Sequences) -> None:
    model = model_of(world, encoder=False)
    index(model, world, Training(), ABOVE)
    assert model.probe_rows
    for query in asked(world, seed=3, users=10):
        whole = np.sort(model.scores(query))[::-1][:LIST_LENGTH]
        assert np.allclose(retriever(model).candidates(query, LIST_LENGTH).scores, whole, atol=1e-4)


def test_what_is_popular_now_is_found(world: Sequences) -> None:
    """Popularity that outweighs everything: its leaders are the answer."""
    model = model_of(world, popularity=20.0)
    index(model, world, Training(), ABOVE)
    for query in asked(world, seed=4, users=5):
        whole = np.sort(model.scores(query))[::-1][:LIST_LENGTH]
        assert np.allclose(retriever(model).candidates(query, LIST_LENGTH).scores, whole, atol=1e-3)


def test_no_index_where_it_would_miss_too_much(world: Sequences) -> None:
    model, said = model_of(world), []
    plain = model_of(world)
    index(model, world, Training(line=said.append), ABOVE, least_recall=1.01)
    assert not model.probe_rows
    assert "all are scored instead" in said[0]
    query = asked(world, seed=1, users=1)[0]
    assert np.array_equal(model.scores(query), plain.scores(query))


def test_no_index_for_a_small_catalogue(world: Sequences) -> None:
    small = model_of(world)
    index(small, world, Training())
    assert not small.probe_rows
    assert small.encoder is not None
    assert small.encoder.ivf is None


def test_items_of_which_nothing_is_known_are_no_candidates() -> None:
    """They have no vector, and are behind all others of the items asked about."""
    world = two_clusters()
    wider = sequences_of([("a", "x", DAY)], items=[*world.items.strings(), "zz"]).items
    moved = wider.find_all(world.items.series())
    learnt = replace(world, items=wider, item=moved[world.item])
    model = V2.fit(TrainingData.of(learnt), read_configuration(V2.facts, {}), Training(seed=1))
    assert model.probe_rows
    cold = np.flatnonzero(~model.interacted)
    assert len(cold) == 2
    query = asked(learnt, seed=0, users=1)[0]
    found = retriever(model).candidates(query, 100).rows
    assert len(found) == len(wider) - 2
    assert not np.isin(cold, found).any()
    few = retriever(model).scores_at(query, np.array([cold[0], 3, 5, cold[1]]))
    assert max(few[0], few[3]) < min(few[1], few[2])
