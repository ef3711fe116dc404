"""All that the author of a recipe imports, version `API` of the contract.

A recipe is a class with ``api = 1`` and `facts`, that trains a model (`Recipe.fit`) and opens it again
(`Recipe.load`); a model scores and can be saved (`Model`). A package announces it by an entry point in the
group ``openpersonalize.recipes``. What is not named here may change from one release to the next. See
docs/own-recipe.md, and `openpersonalize.testing` for the suite that a recipe must pass.
"""

from .algorithms.arrays import Bools, Float32, Float64, Int16, Int32, Int64
from .datasets.sequences import Sequences
from .errors import CannotUpdate, JobFailed, JobStopped
from .recipes.facts import Facts, Hyperparameter, Offer, Task, Value
from .recipes.incremental import Earlier
from .recipes.item_counts import ItemCounts
from .recipes.model import (
    Batches,
    ColdStarts,
    Describes,
    Explains,
    Inductive,
    Model,
    Online,
    OnlineModel,
    RanksNewItems,
    Resumes,
    Retriever,
    Retrieves,
    Segments,
    Shortlist,
    State,
    Tunes,
    UsesFeatures,
)
from .recipes.objective import Objective
from .recipes.query import HISTORY_LENGTH, Query
from .recipes.recipe import API, Canonical, Measures, Recipe, Updates
from .recipes.training import Configuration, Kind, Training, TrainingData
from .storage.idtable import IdTable

__all__ = [
    "API",
    "HISTORY_LENGTH",
    "Batches",
    "Bools",
    "CannotUpdate",
    "Canonical",
    "ColdStarts",
    "Configuration",
    "Describes",
    "Earlier",
    "Explains",
    "Facts",
    "Float32",
    "Float64",
    "Hyperparameter",
    "IdTable",
    "Inductive",
    "Int16",
    "Int32",
    "Int64",
    "ItemCounts",
    "JobFailed",
    "JobStopped",
    "Kind",
    "Measures",
    "Model",
    "Objective",
    "Offer",
    "Online",
    "OnlineModel",
    "Query",
    "RanksNewItems",
    "Recipe",
    "Resumes",
    "Retriever",
    "Retrieves",
    "Segments",
    "Sequences",
    "Shortlist",
    "State",
    "Task",
    "Training",
    "TrainingData",
    "Tunes",
    "Updates",
    "UsesFeatures",
    "Value",
]
