"""Solutions over the wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import shop
from live import Wait, fails, make_clients

RECIPE = "arn:aws:personalize:::recipe/"
POPULARITY = f"{RECIPE}aws-popularity-count"
PERSONAL = f"{RECIPE}aws-user-personalization"


def test_active_at_once_with_defaults(personalize: Any, group: str, name: str) -> None:
    made = personalize.create_solution(name=name, datasetGroupArn=group, recipeArn=POPULARITY)
    assert set(made) == {"solutionArn", "ResponseMetadata"}
    arn = made["solutionArn"]
    assert arn.endswith(f":solution/{name}")
    described = personalize.describe_solution(solutionArn=arn)["solution"]
    assert described["status"] == "ACTIVE"
    assert described["performHPO"] is False
    assert described["performAutoML"] is False
    assert described["performAutoTraining"] is True
    assert "performIncrementalUpdate" not in described
    assert described["solutionConfig"] == {}
    assert (described["recipeArn"], described["datasetGroupArn"]) == (POPULARITY, group)
    for absent in ("latestSolutionVersion", "latestSolutionUpdate", "eventType", "autoMLResult"):
        assert absent not in described
    [listed] = [s for s in personalize.list_solutions()["solutions"] if s["solutionArn"] == arn]
    assert (listed["name"], listed["recipeArn"]) == (name, POPULARITY)
    message = fails(
        "ResourceAlreadyExistsException",
        personalize.create_solution,
        name=name,
        datasetGroupArn=group,
        recipeArn=POPULARITY,
    )
    assert message == f"Another resource with Arn {arn} already exists."


def test_configuration_comes_back_as_sent(personalize: Any, group: str, name: str) -> None:
    config = {
        "algorithmHyperParameters": {"hidden_dimension": "64", "recency_mask": "true"},
        "featureTransformationParameters": {"max_user_history_length_percentile": "0.95"},
        "eventValueThreshold": "0.5",
        "autoTrainingConfig": {"schedulingExpression": "rate(1 day)"},
        "trainingDataConfig": {"excludedDatasetColumns": {"Items": ["COLOUR"]}},
    }
    arn = personalize.create_solution(
        name=name,
        datasetGroupArn=group,
        recipeArn=PERSONAL,
        eventType="click",
        performAutoTraining=False,
        solutionConfig=config,
    )["solutionArn"]
    described = personalize.describe_solution(solutionArn=arn)["solution"]
    assert described["solutionConfig"] == config
    assert described["eventType"] == "click"
    assert described["performAutoTraining"] is False


def test_tuned_names_carry_a_prefix(personalize: Any, group: str, name: str) -> None:
    ranges = {
        "integerHyperParameterRanges": [{"name": "bptt", "minValue": 2, "maxValue": 8}],
        "categoricalHyperParameterRanges": [{"name": "recency_mask", "values": ["true", "false"]}],
    }
    arn = personalize.create_solution(
        name=name,
        datasetGroupArn=group,
        recipeArn=PERSONAL,
        performHPO=True,
        solutionConfig={"hpoConfig": {"algorithmHyperParameterRanges": ranges}},
    )["solutionArn"]
    config = personalize.describe_solution(solutionArn=arn)["solution"]["solutionConfig"]
    shown = config["hpoConfig"]["algorithmHyperParameterRanges"]
    assert shown["integerHyperParameterRanges"][0]["name"] == "training.bptt"
    assert shown["categoricalHyperParameterRanges"][0]["name"] == "data.recency_mask"


@pytest.mark.parametrize("rate", ["rate(31 days)", "rate(0 days)", "rate(1 hour)"])
def test_bad_schedule(personalize: Any, group: str, name: str, rate: str) -> None:
    message = fails(
        "InvalidInputException",
        personalize.create_solution,
        name=name,
        datasetGroupArn=group,
        recipeArn=POPULARITY,
        solutionConfig={"autoTrainingConfig": {"schedulingExpression": rate}},
    )
    assert "schedulingExpression" in message


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"recipeArn": f"{RECIPE}none"}, "ResourceNotFoundException", f"{RECIPE}none does not exist"),
        ({"recipeArn": f"{RECIPE}aws-vod-top-picks"}, "InvalidInputException", "VIDEO_ON_DEMAND"),
        ({"recipeArn": f"{RECIPE}aws-hrnn"}, "InvalidInputException", "no longer supported"),
        ({"performAutoML": True}, "InvalidInputException", "recipeArn must be absent"),
        ({"recipeArn": None}, "InvalidInputException", "recipeArn is required"),
        ({"performIncrementalUpdate": True}, "InvalidInputException", "performIncrementalUpdate"),
        ({"performHPO": True}, "InvalidInputException", "performHPO"),
        ({"eventType": "x" * 257}, "InvalidInputException", "eventType"),
        (
            {"solutionConfig": {"eventsConfig": {"eventParametersList": [{"eventType": "a"}]}}},
            "InvalidInputException",
            "eventsConfig",
        ),
        ({"datasetGroupArn": "arn:aws:personalize:x:y:dataset-group/n"}, "ResourceNotFoundException", "/n "),
    ],
)
def test_refused(
    personalize: Any, group: str, name: str, change: dict[str, Any], code: str, words: str
) -> None:
    request = {"name": name, "datasetGroupArn": group, "recipeArn": POPULARITY} | change
    request = {key: value for key, value in request.items() if value is not None}
    assert words in fails(code, personalize.create_solution, **request)


def test_event_type_needs_the_column(
    personalize: Any, wait: Wait, make_schema: Callable[..., str], name: str
) -> None:
    group = personalize.create_dataset_group(name=name)["datasetGroupArn"]
    wait.active(group)
    text = shop.schema(
        "Interactions", shop.field("USER_ID"), shop.field("ITEM_ID"), shop.field("TIMESTAMP", "long")
    )
    early = personalize.create_solution(
        name=f"{name}-early", datasetGroupArn=group, recipeArn=POPULARITY, eventType="click"
    )["solutionArn"]
    personalize.create_dataset(
        name=name, datasetGroupArn=group, datasetType="Interactions", schemaArn=make_schema(text)
    )
    for call, request in (
        (
            personalize.create_solution,
            {"name": name, "datasetGroupArn": group, "recipeArn": POPULARITY, "eventType": "click"},
        ),
        (personalize.create_solution_version, {"solutionArn": early}),
    ):
        assert "EVENT_TYPE" in fails("InvalidInputException", call, **request)


def test_update(personalize: Any, wait: Wait, group: str, name: str) -> None:
    config = {
        "algorithmHyperParameters": {"apply_recency_bias": "false"},
        "autoTrainingConfig": {"schedulingExpression": "rate(2 days)"},
    }
    arn = personalize.create_solution(
        name=name,
        datasetGroupArn=group,
        recipeArn=f"{RECIPE}aws-user-personalization-v2",
        solutionConfig=config,
    )["solutionArn"]
    weights = {"eventParametersList": [{"eventType": "click", "weight": 0.5, "eventValueThreshold": 1.0}]}
    changed = {"eventsConfig": weights, "autoTrainingConfig": {"schedulingExpression": "rate(30 days)"}}
    personalize.update_solution(solutionArn=arn, performAutoTraining=False, solutionUpdateConfig=changed)
    described = wait.updated(arn, "latestSolutionUpdate")
    update = described["latestSolutionUpdate"]
    assert update["solutionUpdateConfig"] == changed
    assert update["performAutoTraining"] is False
    assert "performIncrementalUpdate" not in update
    assert described["performAutoTraining"] is False
    assert described["solutionConfig"] == config | changed
    assert described["status"] == "ACTIVE"


def test_update_refused(personalize: Any, group: str, name: str) -> None:
    arn = personalize.create_solution(name=name, datasetGroupArn=group, recipeArn=POPULARITY)["solutionArn"]
    for request, words in (
        ({}, "at least one"),
        ({"solutionUpdateConfig": {}}, "at least one"),
        ({"performIncrementalUpdate": True}, "performIncrementalUpdate"),
        (
            {"solutionUpdateConfig": {"autoTrainingConfig": {"schedulingExpression": "rate(99 days)"}}},
            "schedulingExpression",
        ),
    ):
        message = fails("InvalidInputException", personalize.update_solution, solutionArn=arn, **request)
        assert words in message
    fails(
        "ResourceNotFoundException",
        personalize.update_solution,
        solutionArn=f"{arn}-none",
        performAutoTraining=True,
    )


def test_eleventh_solution(personalize: Any, wait: Wait, name: str) -> None:
    group = personalize.create_dataset_group(name=name)["datasetGroupArn"]
    wait.active(group)
    for number in range(10):
        personalize.create_solution(name=f"{name}-{number}", datasetGroupArn=group, recipeArn=POPULARITY)
    message = fails(
        "LimitExceededException",
        personalize.create_solution,
        name=f"{name}-more",
        datasetGroupArn=group,
        recipeArn=POPULARITY,
    )
    assert message == (
        "Cannot create a solution. More than 10 resources in ACTIVE state. Please delete some and try again."
        " (Server setting quota_solutions: openpersonalize serve --quota-solutions NUMBER.)"
    )
    assert len(personalize.list_solutions(datasetGroupArn=group)["solutions"]) == 10
    personalize.delete_solution(solutionArn=f"{group.rsplit(':', 1)[0]}:solution/{name}-0")
    personalize.create_solution(name=f"{name}-more", datasetGroupArn=group, recipeArn=POPULARITY)


def test_missing_dataset(personalize: Any, wait: Wait, name: str) -> None:
    group = personalize.create_dataset_group(name=name)["datasetGroupArn"]
    wait.active(group)
    arn = personalize.create_solution(name=name, datasetGroupArn=group, recipeArn=POPULARITY)["solutionArn"]
    message = fails("InvalidInputException", personalize.create_solution_version, solutionArn=arn)
    assert "INTERACTIONS" in message


def test_bad_arn_and_bad_name_in_one_message(personalize: Any) -> None:
    raw = make_clients(personalize.meta.endpoint_url, personalize.meta.region_name, checked=False)
    message = fails(
        "InvalidInputException", raw.personalize.create_solution, name="-", datasetGroupArn="no arn"
    )
    assert message.startswith("2 validation errors detected: ")
    assert "'name'" in message
    assert "'datasetGroupArn'" in message
