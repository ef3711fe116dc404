"""Training data of a recipe that needs no interactions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from openpersonalize.clock import SystemClock
from openpersonalize.datasets.schemas import parse_schema
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.engine.task import Task as JobTask
from openpersonalize.errors import JobFailed
from openpersonalize.events.entries import Record
from openpersonalize.events.stores import open_live_log
from openpersonalize.recipe_api import (
    Configuration,
    Facts,
    Float32,
    IdTable,
    ItemCounts,
    Model,
    Query,
    Recipe,
    Task,
    Training,
    TrainingData,
)
from openpersonalize.training.data import read
from openpersonalize.training.exposures import exposure_of
from openpersonalize.training.fit import Outcome, train
from openpersonalize.training.inputs import TrainingInputs
from openpersonalize.training.publish import publish
from training.test_step import GROUP, INTERACTIONS, House, rows, schema

ITEMS = schema("Items", ("ITEM_ID", "string"), ("PRICE", "float"), ("CREATION_TIMESTAMP", "long"))


class ByPrice(Model):
    """Scores items by their price, dear ones first."""

    def __init__(self, prices: Float32) -> None:
        self.prices = prices

    def scores(self, query: Query) -> Float32:
        return np.log1p(self.prices)

    def save(self, folder: Path) -> None:
        np.save(folder / "prices.npy", self.prices)


class Dear(Recipe):
    api = 1
    facts = Facts("dear", Task.RELATED, "Dear items.", needs=("ITEMS",))

    def fit(self, data: TrainingData, configuration: Configuration, training: Training) -> Model:
        assert data.ranked.records is not None
        return ByPrice(data.ranked.records["PRICE"].cast(pl.Float32).fill_null(0.0).to_numpy())

    def load(self, folder: Path, ids: IdTable, counts: ItemCounts) -> Model:
        return ByPrice(np.load(folder / "prices.npy"))


class Shop(House):
    """A data folder whose group has an Items dataset, and perhaps interactions."""

    def trained(self, position: int = 0, recipe: Recipe | None = None, **keys: str) -> Trained:
        recipe = recipe or Dear()
        kinds = {"ITEMS": ITEMS, "INTERACTIONS": INTERACTIONS}
        known = {kind: parse_schema(text) for kind, text in kinds.items() if kind == "ITEMS" or kind in keys}
        task = JobTask(self.settings, "job", self.reports.append, lambda: False)
        log = open_live_log(self.settings, SystemClock())
        try:
            inputs = TrainingInputs(self.objects, log, known, keys, GROUP, position)
            data, selection = read(task, inputs, {}, recipe)
            outcome = train(task, recipe, data, selection, {}, Training(seed=1))
            exposure = exposure_of(task, inputs, data, recipe)
            key = publish(
                task, inputs, recipe, data, selection, outcome, exposure, seed=1, base_artifact=None
            )
        finally:
            log.close()
        return Trained(data, selection, outcome, self.objects.fetch(key))


class Trained:
    """What came of a training."""

    def __init__(self, data: TrainingData, selection: EventSelection, outcome: Outcome, folder: Path) -> None:
        self.data, self.selection, self.outcome = data, selection, outcome
        self.manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
        self.items = IdTable.load(folder, "items")


def catalogue() -> pl.DataFrame:
    return pl.DataFrame(
        {"ITEM_ID": ["b", "a", "c"], "PRICE": [2.0, 1.0, 3.0], "CREATION_TIMESTAMP": [10, 30, 20]}
    )


def test_items_alone_train(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    key = shop.snapshot("ITEMS", ITEMS, catalogue())
    put = shop.stream(f"{GROUP.replace('dataset-group', 'dataset')}/ITEMS", [Record("d", '{"PRICE": 9.0}')])
    made = shop.trained(put, ITEMS=key)
    assert made.data.interactions is None
    assert list(made.items) == ["a", "b", "c", "d"]
    assert isinstance(made.outcome.model, ByPrice)
    assert made.outcome.model.prices.tolist() == [1.0, 2.0, 3.0, 9.0]
    assert made.outcome.metrics == {}
    assert made.manifest["counts"] == {"users": 0, "items": 4, "interactions": 0}
    assert {"line": "0 interactions of 0 users with 4 items"} in shop.reports


def test_interactions_that_are_there_are_given_and_must_be_enough(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    items = shop.snapshot("ITEMS", ITEMS, catalogue())
    enough = shop.snapshot("INTERACTIONS", INTERACTIONS, rows())
    made = shop.trained(ITEMS=items, INTERACTIONS=enough)
    assert made.manifest["counts"] == {"users": 200, "items": 23, "interactions": 1600}
    few = Shop(tmp_path / "few")
    items = few.snapshot("ITEMS", ITEMS, catalogue())
    little = few.snapshot("INTERACTIONS", INTERACTIONS, rows(users=3))
    with pytest.raises(JobFailed, match="fewer than 1000 interactions"):
        few.trained(ITEMS=items, INTERACTIONS=little)


def test_an_empty_interactions_dataset_is_none_where_minimums_are_off(tmp_path: Path) -> None:
    shop = Shop(tmp_path, minimum_data=False)
    items = shop.snapshot("ITEMS", ITEMS, catalogue())
    none = shop.snapshot("INTERACTIONS", INTERACTIONS, rows().head(0))
    assert shop.trained(ITEMS=items, INTERACTIONS=none).data.interactions is None


def test_of_too_many_items_the_newest_train(tmp_path: Path) -> None:
    shop = Shop(tmp_path, quota_training_items=2)
    made = shop.trained(ITEMS=shop.snapshot("ITEMS", ITEMS, catalogue()))
    assert list(made.items) == ["a", "c"]
    assert {"line": "1 of 3 items are left out: dear considers 2."} in shop.reports


def test_a_recipe_that_needs_interactions_says_what_is_missing(tmp_path: Path) -> None:
    class Needs(Dear):
        facts = Facts("needs", Task.RELATED, "Dear items.", needs=("INTERACTIONS", "ITEMS"))

    shop = Shop(tmp_path)
    key = shop.snapshot("ITEMS", ITEMS, catalogue())
    with pytest.raises(JobFailed, match="fewer than 1000 interactions"):
        shop.trained(recipe=Needs(), ITEMS=key)


def test_without_items_there_is_nothing_to_train_on(tmp_path: Path) -> None:
    with pytest.raises(JobFailed, match="Dataset has no items"):
        Shop(tmp_path).trained()
