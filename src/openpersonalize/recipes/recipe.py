"""The contract of a recipe, version `API`: a `Recipe` has facts, trains a `Model` and opens it again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

from ..storage.idtable import IdTable
from .facts import Facts, Value
from .incremental import Earlier
from .item_counts import ItemCounts
from .model import Model
from .training import Configuration, Training, TrainingData

API = 1
"""Version of this contract. A release says in its notes which versions it takes."""


class Recipe(ABC):
    """A recipe: facts, and the code that trains and opens a model. A package announces an instance, or a
    class that makes one without arguments, by an entry point in the group ``openpersonalize.recipes``.

    Attributes:
        api: the version of the contract it was written for; every class states it.
        facts: what it is.
    """

    api: ClassVar[int]
    facts: Facts

    def __init__(self, facts: Facts | None = None) -> None:
        """`facts`: in place of those of the class."""
        if facts is not None:
            self.facts = facts

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.facts.name

    @abstractmethod
    def fit(self, data: TrainingData, configuration: Configuration, training: Training) -> Model:
        """Train.

        Raises:
            JobFailed: the data cannot train this recipe; the sentence becomes the failureReason.
            JobStopped: `training.check` raised it.
        """

    @abstractmethod
    def load(self, folder: Path, ids: IdTable, counts: ItemCounts) -> Model:
        """Open what `Model.save` wrote: memory-mapped, without torch.

        Args:
            ids: of what answers consist of, in order of numbers. counts: its popularity at training.
        """


@runtime_checkable
class Measures(Protocol):
    """A recipe with metrics of its own: not of what users did next, held out, but of what it answers."""

    def measured(
        self, model: Model, data: TrainingData, configuration: Configuration, training: Training
    ) -> Mapping[str, float]:
        """By name, as GetSolutionMetrics has them, not rounded.

        Args:
            model: fitted on all of `data`. configuration, training: as for `Recipe.fit`.
        """


@runtime_checkable
class Canonical(Protocol):
    """A recipe of which different hyperparameters may come to the same model, so that a search trains one of
    them only."""

    def canonical(self, parameters: Mapping[str, Value], events: int) -> Mapping[str, Value]:
        """The hyperparameters as they take effect with at most so many interactions: equal ones make equal
        models."""


@runtime_checkable
class Updates(Protocol):
    """A recipe that can bring a trained model up to date (`Offer.UPDATE_MODE`)."""

    def update(
        self, data: TrainingData, configuration: Configuration, training: Training, earlier: Earlier
    ) -> Model:
        """What was learned stays, what came since is learned in addition.

        Args:
            data: all of it, as for `Recipe.fit`; items may have other numbers than in the earlier model.
            configuration, training: as for `Recipe.fit`.
            earlier: what is brought up to date, of this recipe and the same selection of events.

        Raises:
            CannotUpdate: the earlier model does not fit the data; `Recipe.fit` can.
            JobFailed, JobStopped: as `Recipe.fit`.
        """
