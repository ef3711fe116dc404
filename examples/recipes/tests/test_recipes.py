"""All recipes pass the suite that OpenPersonalize ships."""

import numpy as np
import polars as pl
import pytest
from example_recipes.bandit import Bandit, BanditModel
from example_recipes.co_counts import CoCounts
from example_recipes.fans import Fans
from example_recipes.graph_walk import GraphWalk
from example_recipes.same_attributes import SameAttributes

from openpersonalize.recipe_api import TrainingData
from openpersonalize.testing.contract import RecipeContract
from openpersonalize.testing.worlds import nobody, two_clusters


class TestBandit(RecipeContract):
    recipe = Bandit()
    learns = False
    own_order = True

    def test_what_people_take_to_now_leads_and_what_is_hardly_known_is_tried(
        self, trained: BanditModel, data: TrainingData
    ) -> None:
        n, day = len(data.ranked.ids), 86_400
        later, asked = int(data.sequences.time.max()) + 30 * day, nobody(data.sequences)
        online = trained.online()
        many, few = n, n + 1  # both came after training
        for item, count in ((many, 40), (few, 3), (0, 5)):
            times = np.full(count, later, np.int64)
            online.observe(np.full(count, item, np.int32), times, np.ones(count, np.float32))
        found = online.new_item_scores(asked, None, np.array([0, 1, 2, -1]))
        assert found[0] > found[1] > online.scores(asked).max(), "the old ones have been on offer for long"
        assert found[2:].tolist() == [-np.inf, -np.inf], "nobody met them"
        assert online.scores(asked).argmax() == 0


class TestFans(RecipeContract):
    recipe = Fans()


class TestGraphWalk(RecipeContract):
    recipe = GraphWalk()


class TestCoCounts(RecipeContract):
    recipe = CoCounts()


class TestSameAttributes(RecipeContract):
    recipe = SameAttributes()

    @pytest.fixture(scope="class")
    @classmethod
    def data(cls) -> TrainingData:
        """The half that an item belongs to is its category."""
        world = two_clusters()
        names = world.items.strings()
        return TrainingData.of(world, pl.DataFrame({"ITEM_ID": names, "HALF": [name[0] for name in names]}))
