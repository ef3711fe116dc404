"""Both recipes pass the suite that OpenPersonalize ships."""

import polars as pl
import pytest
from example_recipes.co_counts import CoCounts
from example_recipes.same_attributes import SameAttributes

from openpersonalize.recipe_api import TrainingData
from openpersonalize.testing.contract import RecipeContract
from openpersonalize.testing.worlds import two_clusters


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
