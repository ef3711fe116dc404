"""The world in which recipes are tested, `ContractWorld`: the data, the trained model, the questions."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..datasets.sequences import Sequences
from ..recipes.complete import CompleteModel
from ..recipes.facts import Task
from ..recipes.hyperparameters import read_configuration
from ..recipes.item_counts import ItemCounts
from ..recipes.model import Model
from ..recipes.query import Query
from ..recipes.recipe import Recipe
from ..recipes.training import Configuration, Training, TrainingData
from .worlds import nobody, question, two_clusters


class ContractWorld:
    """The world is `two_clusters`: who interacts with items of one half never does with the
    other's.

    Attributes:
        recipe: the recipe under test.
        learns: whether it is expected to tell the two halves apart.
        own_order: whether of nobody in particular it has another order than popularity.
    """

    recipe: Recipe
    learns = True
    own_order = False

    @pytest.fixture(scope="class")
    @classmethod
    def data(cls) -> TrainingData:
        """What is learned from."""
        world = two_clusters()
        segments = cls.recipe.facts.task is Task.SEGMENT
        return TrainingData.of_users(world) if segments else TrainingData.of(world)

    @pytest.fixture(scope="class")
    @classmethod
    def sequences(cls, data: TrainingData) -> Sequences:
        return data.sequences

    @pytest.fixture(scope="class")
    @classmethod
    def configuration(cls) -> Configuration:
        return read_configuration(cls.recipe.facts, {})

    @pytest.fixture(scope="class")
    @classmethod
    def trained(cls, data: TrainingData, configuration: Configuration) -> Model:
        return cls.recipe.fit(data, configuration, Training(seed=3))

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, trained: Model, data: TrainingData) -> CompleteModel:
        return cls.completed(trained, data.counts)

    @classmethod
    def completed(cls, trained: Model, counts: ItemCounts) -> CompleteModel:
        """A model as serving asks it."""
        return CompleteModel(trained, cls.recipe.facts.task, counts)

    def opened(self, folder: Path, data: TrainingData) -> CompleteModel:
        """What was saved in a folder."""
        return self.completed(self.recipe.load(folder, data.ranked.ids, data.counts), data.counts)

    @pytest.fixture(scope="class")
    @classmethod
    def loaded(
        cls, data: TrainingData, configuration: Configuration, tmp_path_factory: pytest.TempPathFactory
    ) -> Model:
        """The trained model as a server loads it."""
        folder = tmp_path_factory.mktemp("model")
        cls.recipe.fit(data, configuration, Training(seed=3)).save(folder)
        return cls.recipe.load(folder, data.ranked.ids, data.counts)

    def asked(self, sequences: Sequences, user: int, **more: bool) -> Query:
        """What a user would ask: about the newest item, where questions are about one."""
        anchored = self.recipe.facts.task.anchored
        newest = int(sequences.item[sequences.ptr[user + 1] - 1])
        return question(sequences, user, anchor=newest if anchored else None, **more)

    def questions(self, sequences: Sequences) -> list[Query]:
        """Some of each kind."""
        excluding = self.asked(sequences, 1, seen_excluded=True)
        return [self.asked(sequences, 0), excluding, nobody(sequences)]
