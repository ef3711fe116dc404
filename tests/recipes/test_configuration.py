"""What solutions and campaigns may say to a recipe; every violation in one answer."""

from __future__ import annotations

from typing import Any

import pytest

from openpersonalize.datasets.schemas import Field, Schema
from openpersonalize.errors import InvalidInput
from openpersonalize.exploration.config import MANAGED_SHARE, Exploration, read_exploration
from openpersonalize.recipes.configuration import (
    check_campaign,
    check_solution,
    exploration_of,
    solution_problems,
    training_columns,
    training_days,
)
from openpersonalize.recipes.registry import facts_of


def schema(*fields: Field) -> Schema:
    return Schema(fields=fields)


INTERACTIONS = schema(
    Field("USER_ID", "string"),
    Field("ITEM_ID", "string"),
    Field("TIMESTAMP", "long"),
    Field("EVENT_TYPE", "string"),
    Field("EVENT_VALUE", "float", nullable=True),
)
BARE = schema(*INTERACTIONS.fields[:3])
ITEMS = schema(
    Field("ITEM_ID", "string"),
    Field("PRICE", "float"),
    Field("RATING", "float", nullable=True),
    Field("GENRE", "string", categorical=True),
    Field("TEXT", "string", textual=True),
    Field("CREATION_TIMESTAMP", "long"),
)
ALL = {"INTERACTIONS": INTERACTIONS, "ITEMS": ITEMS}


def problems(
    name: str, config: dict[str, Any], schemas: Any = ALL, complete: bool = False, **request: Any
) -> str:
    found = facts_of(name)
    assert found is not None
    return " ".join(
        solution_problems(found, {"solutionConfig": config, **request}, schemas, complete=complete)
    )


V1, V2, RANK = "aws-user-personalization", "aws-user-personalization-v2", "aws-personalized-ranking"


@pytest.mark.parametrize("name", [V1, V2, RANK, "aws-popularity-count", "aws-sims"])
def test_nothing_said_is_fine(name: str) -> None:
    assert problems(name, {}) == ""


@pytest.mark.parametrize(
    ("name", "member", "parameter", "text", "complaint"),
    [
        (V1, "algorithmHyperParameters", "hidden_dimension", "31", "between 32 and 256"),
        (V1, "algorithmHyperParameters", "hidden_dimension", "257", "between 32 and 256"),
        (V1, "algorithmHyperParameters", "hidden_dimension", "64.5", "an integer"),
        (V1, "algorithmHyperParameters", "bptt", "many", "an integer"),
        (V1, "algorithmHyperParameters", "recency_mask", "maybe", "true, false"),
        (
            V1,
            "algorithmHyperParameters",
            "min_user_history_length_percentile",
            "0.1",
            "featureTransformationParameters",
        ),
        (
            V1,
            "featureTransformationParameters",
            "min_user_history_length_percentile",
            "1.5",
            "between 0.0 and 1.0",
        ),
        (V1, "featureTransformationParameters", "min_user_history_length_percentile", "nan", "a number"),
        (V1, "featureTransformationParameters", "max_user_history_length_percentile", "0.0", "below"),
        (V2, "algorithmHyperParameters", "hidden_dimension", "64", "no hyperparameter"),
        (V2, "algorithmHyperParameters", "apply_recency_bias", "yes", "true, false"),
        ("aws-similar-items", "algorithmHyperParameters", "item_id_hidden_dim", "50", "hpoConfig"),
        ("aws-popularity-count", "algorithmHyperParameters", "x", "1", "no hyperparameter"),
        (
            "aws-trending-now",
            "featureTransformationParameters",
            "trend_discovery_frequency",
            "5 hours",
            "2 hours",
        ),
    ],
)
def test_hyperparameters_out_of_bounds(
    name: str, member: str, parameter: str, text: str, complaint: str
) -> None:
    found = problems(name, {member: {parameter: text}})
    assert parameter in found
    assert complaint in found


@pytest.mark.parametrize(
    ("name", "config"),
    [
        (
            V1,
            {
                "algorithmHyperParameters": {
                    "hidden_dimension": "32",
                    "training.bptt": "2",
                    "data.recency_mask": "FALSE",
                }
            },
        ),
        (V1, {"featureTransformationParameters": {"max_user_history_length_percentile": "1.0"}}),
        ("aws-trending-now", {"featureTransformationParameters": {"trend_discovery_frequency": "3h"}}),
        ("aws-sims", {"algorithmHyperParameters": {"min_cointeraction_count": "0"}}),
    ],
)
def test_hyperparameters_within_bounds(name: str, config: dict[str, Any]) -> None:
    assert problems(name, config) == ""


def hpo(**members: Any) -> dict[str, Any]:
    return {"hpoConfig": members}


def ranges(**lists: Any) -> dict[str, Any]:
    return hpo(algorithmHyperParameterRanges=lists)


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        (hpo(hpoObjective={"metricName": "x"}), "hpoObjective cannot be configured"),
        (hpo(hpoResourceConfig={"maxNumberOfTrainingJobs": "41"}), "from 1 to 40"),
        (hpo(hpoResourceConfig={"maxNumberOfTrainingJobs": "two"}), "from 1 to 40"),
        (hpo(hpoResourceConfig={"maxParallelTrainingJobs": "11"}), "from 1 to 10"),
        (
            hpo(hpoResourceConfig={"maxNumberOfTrainingJobs": "2", "maxParallelTrainingJobs": "3"}),
            "not be above",
        ),
        (
            ranges(integerHyperParameterRanges=[{"name": "nothing", "minValue": 1, "maxValue": 2}]),
            "not tunable",
        ),
        (
            ranges(integerHyperParameterRanges=[{"name": "bptt", "minValue": 1, "maxValue": 32}]),
            "within 2 and 32",
        ),
        (ranges(integerHyperParameterRanges=[{"name": "bptt", "minValue": 9, "maxValue": 8}]), "not above"),
        (
            ranges(continuousHyperParameterRanges=[{"name": "bptt", "minValue": 2, "maxValue": 8}]),
            "integerHyper",
        ),
        (ranges(categoricalHyperParameterRanges=[{"name": "recency_mask", "values": ["x"]}]), "true, false"),
        (ranges(categoricalHyperParameterRanges=[{"name": "recency_mask", "values": []}]), "true, false"),
        (ranges(integerHyperParameterRanges=[{"name": "bptt"}, {"name": "training.bptt"}]), "more than one"),
        (
            ranges(continuousHyperParameterRanges=[{"name": "max_user_history_length_percentile"}]),
            "not tunable",
        ),
    ],
)
def test_search_settings_that_cannot_be(config: dict[str, Any], complaint: str) -> None:
    assert complaint in problems(V1, config, performHPO=True)


def test_search_settings_that_can_be() -> None:
    assert problems(V1, {}, performHPO=True) == ""
    chosen = hpo(
        hpoResourceConfig={"maxNumberOfTrainingJobs": "40", "maxParallelTrainingJobs": "10"},
        algorithmHyperParameterRanges={
            "integerHyperParameterRanges": [{"name": "training.bptt", "minValue": 2, "maxValue": 32}],
            "categoricalHyperParameterRanges": [{"name": "data.recency_mask", "values": ["true"]}],
        },
    )
    assert problems(V1, chosen, performHPO=True) == ""


@pytest.mark.parametrize(
    "name", [V2, "aws-popularity-count", "aws-trending-now", "aws-item-affinity", "aws-next-best-action"]
)
def test_recipes_without_anything_to_tune(name: str) -> None:
    assert "no hyperparameters to tune" in problems(name, {}, performHPO=True)


def weights(*listed: dict[str, Any]) -> dict[str, Any]:
    return {"eventsConfig": {"eventParametersList": list(listed)}}


@pytest.mark.parametrize(
    ("name", "config", "request_members", "complaint"),
    [
        (V1, weights({"eventType": "a"}), {}, "does not support eventsConfig"),
        (V2, weights(), {}, "1 to 10 entries"),
        (V2, weights(*({"eventType": str(k)} for k in range(11))), {}, "1 to 10 entries"),
        (V2, weights({"weight": 0.5}), {}, "needs an eventType"),
        (V2, weights({"eventType": "a"}, {"eventType": "a"}), {}, "more than once"),
        (V2, weights({"eventType": "a", "weight": 1.5}), {}, "between 0 and 1"),
        (V2, weights({"eventType": "a", "weight": 0}), {}, "above 0"),
        (V2, weights({"eventType": "a"}), {"eventType": "a"}, "cannot be combined"),
        (V2, {**weights({"eventType": "a"}), "eventValueThreshold": "1"}, {}, "cannot be combined"),
        (V1, {"eventValueThreshold": "high"}, {}, "must be a number"),
    ],
)
def test_event_choices_that_cannot_be(name: str, config: Any, request_members: Any, complaint: str) -> None:
    assert complaint in problems(name, config, **request_members)


def test_event_choices_need_their_columns() -> None:
    assert "no EVENT_TYPE" in problems(V1, {}, {"INTERACTIONS": BARE}, eventType="buy")
    assert "no EVENT_VALUE" in problems(V1, {"eventValueThreshold": "2"}, {"INTERACTIONS": BARE})
    thresholded = weights({"eventType": "a", "eventValueThreshold": 1.0})
    found = problems(V2, thresholded, {"INTERACTIONS": BARE})
    assert "no EVENT_TYPE" in found
    assert "no EVENT_VALUE" in found
    assert problems(V1, {"eventValueThreshold": "2"}, {}, eventType="buy") == ""
    assert problems(V1, {"eventValueThreshold": "2"}, eventType="buy") == ""
    assert problems(V2, weights({"eventType": "a", "weight": 0}, {"eventType": "b"})) == ""


def objective(column: str | None, sensitivity: str = "LOW") -> dict[str, Any]:
    members = {"objectiveSensitivity": sensitivity, **({"itemAttribute": column} if column else {})}
    return {"optimizationObjective": members}


@pytest.mark.parametrize(
    ("name", "config", "schemas", "complete", "complaint"),
    [
        (V2, objective("PRICE"), ALL, False, "does not support optimizationObjective"),
        (V1, objective("RATING"), ALL, False, "must not be nullable"),
        (V1, objective("GENRE"), ALL, False, "must be numeric"),
        (V1, objective("NONE"), ALL, False, "no field NONE"),
        (V1, objective(None), ALL, False, "needs an itemAttribute"),
        (V1, objective("PRICE"), {"INTERACTIONS": INTERACTIONS}, True, "needs an Items dataset"),
        (
            V1,
            {**objective("PRICE"), "trainingDataConfig": {"excludedDatasetColumns": {"ITEMS": ["PRICE"]}}},
            ALL,
            False,
            "left out of training",
        ),
        (
            V1,
            {**objective("PRICE"), "trainingDataConfig": {"includedDatasetColumns": {"items": ["GENRE"]}}},
            ALL,
            False,
            "left out of training",
        ),
    ],
)
def test_objectives_that_cannot_be(
    name: str, config: Any, schemas: Any, complete: bool, complaint: str
) -> None:
    assert complaint in problems(name, config, schemas, complete)


def test_objectives_that_can_be() -> None:
    for name in (V1, RANK):
        assert problems(name, objective("PRICE", "OFF")) == ""
    assert problems(V1, objective("PRICE"), {}) == ""


def data(**maps: Any) -> dict[str, Any]:
    return {"trainingDataConfig": maps}


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        (data(excludedDatasetColumns={"ITEMS": ["NONE"]}), "no column NONE"),
        (data(includedDatasetColumns={"items": ["NONE"]}), "no column NONE"),
        (data(excludedDatasetColumns={"ITEMS": ["ITEM_ID"]}), "cannot be excluded"),
        (data(excludedDatasetColumns={"Interactions": ["TIMESTAMP"]}), "cannot be excluded"),
        (data(excludedDatasetColumns={"ACTIONS": ["VALUE"]}), "it may name"),
        (data(excludedDatasetColumns={"ITEMS": ["a b"]}), "not a column name"),
        (data(excludedDatasetColumns={"ITEMS": ["PRICE"] * 51}), "at most 50"),
        (
            data(excludedDatasetColumns={"ITEMS": ["PRICE"]}, includedDatasetColumns={"items": ["GENRE"]}),
            "Both",
        ),
    ],
)
def test_columns_that_cannot_be_chosen(config: dict[str, Any], complaint: str) -> None:
    assert complaint in problems(V1, config)


def test_columns_that_train() -> None:
    names = ITEMS.names
    assert training_columns({}, "ITEMS", names) == list(names)
    without = data(excludedDatasetColumns={"items": ["PRICE"]})
    assert training_columns(without, "ITEMS", names) == [name for name in names if name != "PRICE"]
    only = data(includedDatasetColumns={"ITEMS": ["GENRE"]})
    assert training_columns(only, "ITEMS", names) == ["ITEM_ID", "GENRE"]
    assert training_columns(only, "USERS", ["USER_ID", "AGE"]) == ["USER_ID", "AGE"]


def test_attribute_affinity_needs_an_attribute() -> None:
    chosen = data(excludedDatasetColumns={"ITEMS": ["PRICE", "RATING", "GENRE"]})
    assert "neither textual nor reserved" in problems("aws-item-attribute-affinity", chosen)
    assert problems("aws-item-attribute-affinity", data(excludedDatasetColumns={"ITEMS": ["PRICE"]})) == ""
    assert "needs an Items dataset" in problems(
        "aws-item-attribute-affinity", {}, {"INTERACTIONS": BARE}, True
    )


@pytest.mark.parametrize("text", ["rate(0 days)", "rate(31 days)", "rate(7 hours)", "every day"])
def test_schedules_that_cannot_be(text: str) -> None:
    assert "rate(N days)" in problems(V1, {"autoTrainingConfig": {"schedulingExpression": text}})


def test_schedules_that_can_be() -> None:
    for text, days in (("rate(1 day)", 1), ("rate(30 days)", 30)):
        config = {"autoTrainingConfig": {"schedulingExpression": text}}
        assert problems(V1, config) == ""
        assert training_days(config) == days
    assert training_days(None) == 7


def test_legacy_and_domain_recipes_make_no_solutions() -> None:
    assert problems("aws-hrnn", {}) == "Recipe arn:aws:personalize:::recipe/aws-hrnn is no longer supported."
    assert "recommenders" in problems("aws-vod-top-picks", {})


def test_all_violations_at_once() -> None:
    found = facts_of(V1)
    assert found is not None
    request = {
        "performHPO": True,
        "solutionConfig": {
            "algorithmHyperParameters": {"bptt": "99"},
            "eventValueThreshold": "x",
            **hpo(hpoObjective={"type": "x"}),
            **objective("NONE"),
        },
    }
    with pytest.raises(InvalidInput) as raised:
        check_solution(found, request, ALL)
    for part in ("bptt", "eventValueThreshold", "hpoObjective", "NONE"):
        assert part in raised.value.message


@pytest.mark.parametrize(
    ("name", "config", "complaint"),
    [
        (V1, {"itemExplorationConfig": {"explorationWeight": "1.1"}}, "from 0 to 1"),
        (V1, {"itemExplorationConfig": {"explorationWeight": "much"}}, "from 0 to 1"),
        (V1, {"itemExplorationConfig": {"explorationItemAgeCutOff": "0"}}, "positive"),
        (V1, {"itemExplorationConfig": {"explorationItemAgeCutOff": "inf"}}, "positive"),
        (V1, {"itemExplorationConfig": {"other": "1"}}, "no key"),
        (
            RANK,
            {"itemExplorationConfig": {"explorationWeight": "0"}},
            "does not support itemExplorationConfig",
        ),
        (V1, {"rankingInfluence": {"POPULARITY": 0.5}}, "does not support rankingInfluence"),
        ("aws-semantic-similarity", {"rankingInfluence": {"POPULARITY": 1.5}}, "from 0 to 1"),
        ("aws-item-affinity", {}, "cannot be deployed"),
    ],
)
def test_campaigns_that_cannot_be(name: str, config: dict[str, Any], complaint: str) -> None:
    found = facts_of(name)
    assert found is not None
    with pytest.raises(InvalidInput, match=complaint):
        check_campaign(found, config)


def test_campaigns_that_can_be() -> None:
    found = facts_of(V1)
    assert found is not None
    config = {"itemExplorationConfig": {"exploration_weight": "0", "explorationItemAgeCutOff": "1"}}
    check_campaign(found, config)
    assert read_exploration(config) == Exploration(0.0, 1.0)
    assert read_exploration(None) == Exploration(0.3, 30.0)


@pytest.mark.parametrize(
    ("name", "sent", "expected"),
    [
        (V1, None, Exploration(0.3, 30.0)),
        (V1, {"explorationWeight": "0"}, Exploration(0.0, 30.0)),
        (V2, None, Exploration(share=MANAGED_SHARE)),
        (V2, {"explorationItemAgeCutOff": "7.5"}, Exploration(0.3, 7.5)),
        ("aws-personalized-ranking", None, None),
        ("aws-popularity-count", None, None),
    ],
)
def test_how_campaigns_of_a_recipe_explore(
    name: str, sent: dict[str, str] | None, expected: Exploration | None
) -> None:
    found = facts_of(name)
    assert found is not None
    assert exploration_of(found, {"itemExplorationConfig": sent} if sent else {}) == expected


def test_v2_campaigns_may_send_exploration_settings_too() -> None:
    found = facts_of(V2)
    assert found is not None
    check_campaign(found, {"itemExplorationConfig": {"explorationWeight": "0"}})
