"""The most met items, and how ties are parted."""

from __future__ import annotations

import numpy as np

from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.item_counts import ItemCounts
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Training, TrainingData
from openpersonalize.testing.contract import RecipeContract
from openpersonalize.testing.worlds import question, sequences_of

POPULARITY = recipe("aws-popularity-count")
assert POPULARITY is not None


class TestContract(RecipeContract):
    recipe = POPULARITY
    learns = False


def test_users_then_interactions_then_ids() -> None:
    rows = [("u1", "b", 1), ("u2", "b", 2), ("u1", "d", 3), ("u1", "d", 4), ("u1", "c", 5), ("u3", "a", 6)]
    world = sequences_of(rows, ["z"])
    model = POPULARITY.fit(TrainingData.of(world), read_configuration(POPULARITY.facts, {}), Training())
    names = world.items.strings()
    assert [names[item] for item in ItemCounts.of(world).order] == ["b", "d", "a", "c", "z"]
    scores = model.scores(question(world, 0))
    assert [names[item] for item in np.argsort(-scores)] == ["b", "d", "a", "c", "z"]
    assert len(set(scores.tolist())) == 5
