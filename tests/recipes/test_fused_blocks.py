"""Many users asked together have the scores that each has alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from openpersonalize.algorithms.arrays import Float32
from openpersonalize.algorithms.ranker import BaseRanker, RankerQuery
from openpersonalize.datasets.sequences import Sequences
from openpersonalize.recipes.fusion.blocks import block_scores
from openpersonalize.recipes.fusion.model import FusedModel
from openpersonalize.recipes.fusion.weights import Weights
from openpersonalize.recipes.objective import ItemRewards
from openpersonalize.recipes.query import Query
from openpersonalize.testing.worlds import nobody, question, two_clusters
from recipes.test_fused_model import model_of, without


class Alternating(BaseRanker):
    """One that came later, and has no method for blocks."""

    kind = "alternating"

    def __init__(self, n: int) -> None:
        self.n = n

    def feature(self, query: RankerQuery) -> Float32:
        return np.cos(np.arange(self.n, dtype=np.float32) * len(query.item))

    def save(self, folder: object) -> None:
        raise NotImplementedError


@pytest.fixture(scope="module")
def world() -> Sequences:
    return two_clusters()


@pytest.fixture(scope="module")
def model(world: Sequences) -> FusedModel:
    return model_of(without(world, "a0", "b0"))


def questions(world: Sequences) -> list[Query]:
    """Of users with and without events, answers with and without what they interacted with, mixed up."""
    found = [question(world, user, seen_excluded=user % 3 == 0) for user in range(len(world.users))]
    some = found[2]
    short = replace(
        some, item=some.item[:1], time=some.time[:1], event=some.event[:1], weight=some.weight[:1]
    )
    return [nobody(world), *found, short, nobody(world), *found[:4]]


def assert_alike(model: FusedModel, queries: list[Query], block_bytes: int = 1 << 20) -> None:
    together = block_scores(model, queries, block_bytes)
    assert together.dtype == np.float32
    assert np.allclose(together, np.stack([model.scores(query) for query in queries]), atol=1e-4)


@pytest.mark.parametrize("block_bytes", [1, 1000, 1 << 20])
def test_many_users_have_the_scores_that_each_has(
    model: FusedModel, world: Sequences, block_bytes: int
) -> None:
    assert_alike(model, questions(world), block_bytes)
    assert block_scores(model, []).shape == (0, len(world.items))


def test_at_different_moments(model: FusedModel, world: Sequences) -> None:
    asked = [replace(query, now=query.now + 86_400 * place) for place, query in enumerate(questions(world))]
    assert_alike(model, asked)


def test_with_an_objective(model: FusedModel, world: Sequences) -> None:
    rewards = ItemRewards(np.linspace(0, 1, len(world.items), dtype=np.float32), 0.5)
    rewarded = FusedModel(model.items, model.counts, model.rankers, model.weights, rewards)
    assert_alike(rewarded, questions(world))


def test_a_ranker_without_a_block_method_counts_too(model: FusedModel, world: Sequences) -> None:
    rankers = [*model.rankers, Alternating(len(world.items))]
    arriving = model.weights.arriving
    weights = Weights.alike({**arriving.kept, "alternating": 0.7}, {**arriving.excluded, "alternating": -0.4})
    wider = FusedModel(model.items, model.counts, rankers, weights)
    assert_alike(wider, questions(world))
    some = questions(world)[1]
    assert not np.allclose(wider.many([some]), model.many([some]), atol=1e-2)
