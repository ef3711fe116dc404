"""Which weights hold for a question: by the age of the user's newest event."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from openpersonalize.datasets.sequences import Sequences
from openpersonalize.recipes.base_rankers import base_rankers
from openpersonalize.recipes.fusion.model import FusedModel
from openpersonalize.recipes.fusion.weights import Weights, WeightSet
from openpersonalize.recipes.item_counts import ItemCounts
from openpersonalize.recipes.query import Query
from openpersonalize.recipes.training import Training
from openpersonalize.testing.worlds import nobody, question, two_clusters

GAP = 1_800
ARRIVING = WeightSet({"popularity": 1.0}, {"popularity": -1.0})
IN_SESSION = WeightSet({"transitions": 1.0}, {"session-linear": 1.0})
BOTH = Weights(ARRIVING, IN_SESSION, GAP)


@pytest.fixture(scope="module")
def world() -> Sequences:
    return two_clusters()


@pytest.fixture(scope="module")
def model(world: Sequences) -> FusedModel:
    rankers = base_rankers(world, world, "leave_last", False, Training(), gap=GAP, only=BOTH.used())
    return FusedModel(world.items, ItemCounts.of(world), rankers, BOTH)


def aged(query: Query, seconds: int, **more: bool) -> Query:
    return replace(query, now=int(query.time[-1]) + seconds, **more)  # type: ignore[arg-type]


def used(model: FusedModel, query: Query) -> set[str]:
    return {ranker.name for ranker, _ in model.plan(query)}


def test_the_age_of_the_newest_event_decides(model: FusedModel, world: Sequences) -> None:
    query = question(world, 3)
    assert used(model, aged(query, GAP)) == {"transitions"}
    assert used(model, aged(query, GAP, seen_excluded=True)) == {"session-linear"}
    assert used(model, aged(query, GAP + 1)) == {"popularity"}
    # What is read later is not about the running session.
    assert used(model, aged(query, 1, arriving=True)) == {"popularity"}
    # A clock that is ahead belongs to somebody who is there.
    assert used(model, aged(query, -3_600)) == {"transitions"}
    assert used(model, nobody(world)) == set()


def test_questions_of_both_kinds_may_be_asked_together(model: FusedModel, world: Sequences) -> None:
    queries = [
        aged(question(world, user), age, seen_excluded=excluded)
        for user in range(6)
        for age in (10, 10 * GAP)
        for excluded in (False, True)
    ]
    found = model.many(queries)
    for query, scores in zip(queries, found, strict=True):
        assert np.allclose(scores, model.scores(query), atol=1e-4)
    assert len({scores.tobytes() for scores in found}) > 12


def test_it_stays_so_on_disk_and_in_older_models(model: FusedModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    assert FusedModel.load(tmp_path, model.items, model.counts).weights == BOTH
    assert Weights.of(json.loads(json.dumps(BOTH.json()))) == BOTH
    old = {
        "kept": {"own": 1.0},
        "excluded": {"linear": 1.0},
        "questions": 7,
        "objective": "moving",
        "cold": {},
    }
    found = Weights.of(old)
    assert found.arriving == found.in_session == WeightSet({"own": 1.0}, {"linear": 1.0}, questions=7)
    assert found.protocol == "temporal"
    assert found.used() == {"own", "linear"}
