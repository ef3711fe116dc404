"""The 22 of Amazon Personalize by name, and what installed packages announce."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from openpersonalize.errors import InvalidInput, StartError
from openpersonalize.recipes.automl import read_automl
from openpersonalize.recipes.facts import Facts, Task
from openpersonalize.recipes.item_counts import ItemCounts
from openpersonalize.recipes.model import Model
from openpersonalize.recipes.recipe import Recipe
from openpersonalize.recipes.registry import (
    all_recipes,
    by_algorithm,
    by_feature_transformation,
    facts_of,
    filled,
    registry,
)
from openpersonalize.recipes.training import Configuration, Training, TrainingData
from openpersonalize.storage.idtable import IdTable


def test_twenty_two_in_order_of_names() -> None:
    names = [one.name for one in all_recipes() if one.name.startswith("aws-")]
    assert len(names) == 22
    assert names == sorted(names)
    assert [one.name for one in all_recipes() if one.domain == "ECOMMERCE"] == names[:5]
    assert sum(one.domain == "VIDEO_ON_DEMAND" for one in all_recipes()) == 5


def test_what_this_release_trains() -> None:
    assert {one.facts.name for one in registry().all() if one.recipe is not None} >= {
        "aws-personalized-ranking",
        "aws-personalized-ranking-v2",
        "aws-popularity-count",
        "aws-user-personalization",
        "aws-user-personalization-v2",
    }


def test_what_a_training_considers_at_most() -> None:
    found = {one.name: (one.most_items, one.most_interactions) for one in all_recipes()}
    assert found["aws-user-personalization"] == found["aws-popularity-count"] == (750_000, 500_000_000)
    assert found["aws-user-personalization-v2"] == (5_000_000, 3_000_000_000)
    assert found["aws-personalized-ranking-v2"] == (5_000_000, 3_000_000_000)
    assert Facts("mine", Task.PERSONALISE, "of a package").most_items is None


def test_by_name_and_by_arn() -> None:
    assert facts_of("aws-sims") is facts_of("arn:aws:personalize:::recipe/aws-sims")
    assert facts_of("aws-nothing") is None
    legacy = facts_of("aws-hrnn-coldstart")
    assert legacy is not None
    assert not legacy.listed
    assert legacy not in all_recipes()


@pytest.mark.parametrize(
    ("name", "algorithm", "transformation"),
    [
        ("aws-trending-now", "aws-trending-now-custom", "aws-trending-now"),
        ("aws-personalized-ranking", "aws-personalized-ranking", "JSON-percentile-filtering"),
        ("aws-popularity-count", "aws-popularity-count", "sims"),
        ("aws-item-affinity", "aws-item-affinity", "item-affinity"),
        ("aws-hrnn-metadata", "aws-hrnn-metadata", "featurize_metadata"),
        ("aws-vod-top-picks", "aws-vod-top-picks", "aws-vod-top-picks"),
    ],
)
def test_arns(name: str, algorithm: str, transformation: str) -> None:
    found = facts_of(name)
    assert found is not None
    assert found.arn == f"arn:aws:personalize:::recipe/{name}"
    assert found.algorithm_arn == f"arn:aws:personalize:::algorithm/{algorithm}"
    assert (
        found.feature_transformation_arn == f"arn:aws:personalize:::feature-transformation/{transformation}"
    )


def test_every_algorithm_and_feature_transformation_is_found() -> None:
    for one in all_recipes():
        assert by_algorithm(one.algorithm_arn) is not None
        assert by_feature_transformation(one.feature_transformation_arn) is not None
    assert by_algorithm("arn:aws:personalize:::algorithm/none") is None


@pytest.mark.parametrize("one", all_recipes(), ids=lambda one: one.name)
def test_facts_fit_the_wire(one: Facts) -> None:
    assert 1 <= len(one.name) <= 63
    assert one.description.endswith(".")
    for row in one.hyperparameters:
        text = row.default_text
        assert (
            text in row.values if row.values else float(row.low or 0) <= float(text) <= float(row.high or 0)
        )


@pytest.mark.parametrize(
    ("name", "created", "kind"),
    [
        ("aws-user-personalization", "2019-06-10", "USER_PERSONALIZATION"),
        ("aws-user-personalization-v2", "2024-01-01", "USER_PERSONALIZATION"),
        ("aws-popularity-count", "2019-06-10", "USER_PERSONALIZATION"),
        ("aws-next-best-action", "2023-08-11", "PERSONALIZED_ACTIONS"),
        ("aws-item-affinity", "2021-07-15", "USER_SEGMENTATION"),
        ("aws-semantic-similarity", "2025-11-30", "RELATED_ITEMS"),
        ("aws-trending-now", "2023-01-06", "POPULAR_ITEMS"),
    ],
)
def test_dates_and_types(name: str, created: str, kind: str) -> None:
    found = facts_of(name)
    assert found is not None
    assert (found.created, found.type) == (created, kind)


class Undated(Recipe):
    facts = Facts("mine", Task.PERSONALISE, "Mine.")

    def fit(self, data: TrainingData, configuration: Configuration, training: Training) -> Model:
        raise AssertionError

    def load(self, folder: Path, ids: IdTable, counts: ItemCounts) -> Model:
        raise AssertionError


class Mine(Undated):
    api = 1


class Later(Undated):
    api = 999


class Unwritten(Recipe):
    api = 1


class Factless(Mine):
    facts = None  # type: ignore[assignment]


mine = Mine()
stolen = Mine(Facts("aws-mine", Task.PERSONALISE, "Mine."))
endless = Mine(Facts("m" * 64, Task.PERSONALISE, "Mine."))


def point(value: str) -> EntryPoint:
    return EntryPoint("mine", f"recipes.test_registry:{value}", "openpersonalize.recipes")


def test_a_package_announces_a_recipe_after_the_built_in_ones() -> None:
    made = filled([point("Mine")])
    assert made.all()[-1].facts.name == "mine"
    assert len(made.all()) == 23
    found = made.find("arn:aws:personalize:::recipe/mine")
    assert found is made.find("mine")
    assert found is not None
    assert isinstance(found.recipe, Mine)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("stolen", "not starting with aws-"),
        ("endless", "use 1 to 63 letters"),
        ("missing", "cannot be loaded: AttributeError"),
        ("point", "cannot be loaded|is not a Recipe"),
        ("Unwritten", "cannot be loaded: TypeError"),
        ("Factless", "is not a Recipe with facts"),
        ("Undated", "states no version"),
        ("Later", "states version 999 of the recipe contract; this release takes 1"),
    ],
)
def test_what_cannot_be_used_stops_the_start_and_says_why(value: str, reason: str) -> None:
    with pytest.raises(StartError, match=f"The package .*{value}.* announces the recipe mine.*({reason})"):
        filled([point(value)])


def test_two_packages_with_one_name_stop_the_start() -> None:
    with pytest.raises(StartError, match="both announce a recipe mine"):
        filled([point("mine"), point("Mine")])


def test_automl_compares_personal_recipes_and_skips_legacy_ones() -> None:
    prefix = "arn:aws:personalize:::recipe/"
    chosen, metric = read_automl(None)
    assert [one.name for one in chosen] == [
        "aws-user-personalization", "aws-user-personalization-v2", "aws-popularity-count"
    ]  # fmt: skip
    assert metric == "normalized_discounted_cumulative_gain_at_25"
    sent = {
        "autoMLConfig": {
            "metricName": "coverage",
            "recipeList": [prefix + "aws-hrnn", prefix + "aws-popularity-count"],
        }
    }
    chosen, metric = read_automl(sent)
    assert [one.name for one in chosen] == ["aws-popularity-count"]
    assert metric == "coverage"
    for names in (["aws-hrnn"], ["aws-sims"], ["aws-none"], ["aws-vod-top-picks"]):
        with pytest.raises(InvalidInput):
            read_automl({"autoMLConfig": {"recipeList": [prefix + name for name in names]}})
