"""Solution versions over the wire: training, stopping, metrics."""

from __future__ import annotations

import json
import re
import urllib.request
from typing import Any

import pytest

import shop
from live import Clients, Server, Wait, fails, make_shop

RECIPE = "arn:aws:personalize:::recipe/"


@pytest.fixture(scope="module")
def stocked(server: Server, region: str) -> shop.SmallShop:
    return make_shop(server, region)


@pytest.fixture(scope="module")
def solution(personalize: Any, stocked: shop.SmallShop) -> str:
    made = personalize.create_solution(
        name="popular", datasetGroupArn=stocked.group, recipeArn=f"{RECIPE}aws-popularity-count"
    )
    return str(made["solutionArn"])


def test_trained_in_the_second_the_solution_was_made(
    personalize: Any, wait: Wait, stocked: shop.SmallShop, name: str
) -> None:
    config = {"autoTrainingConfig": {"schedulingExpression": "rate(3 days)"}}
    solution = personalize.create_solution(
        name=name,
        datasetGroupArn=stocked.group,
        recipeArn=f"{RECIPE}aws-popularity-count",
        eventType="click",
        solutionConfig=config,
        performAutoTraining=False,
    )["solutionArn"]
    fails(
        "InvalidInputException",
        personalize.create_campaign,
        name=name,
        solutionVersionArn=f"{solution}/$LATEST",
    )
    made = personalize.create_solution_version(solutionArn=solution, tags=[{"tagKey": "a", "tagValue": "b"}])
    assert set(made) == {"solutionVersionArn", "ResponseMetadata"}
    arn = made["solutionVersionArn"]
    suffix = re.fullmatch(re.escape(solution) + r"/([0-9a-f]{8})", arn)
    assert suffix is not None
    described = wait.active(arn, 120)
    assert described["name"] == suffix[1]
    assert described["solutionArn"] == solution
    assert described["solutionConfig"] == config
    assert described["eventType"] == "click"
    assert (described["trainingMode"], described["trainingType"]) == ("FULL", "MANUAL")
    assert (described["performHPO"], described["performAutoML"]) == (False, False)
    assert described["recipeArn"] == f"{RECIPE}aws-popularity-count"
    assert described["datasetGroupArn"] == stocked.group
    assert 0 <= described["trainingHours"] < 1
    assert round(described["trainingHours"], 3) == described["trainingHours"]
    assert "tunedHPOParams" not in described
    latest = wait.describe(solution)["latestSolutionVersion"]
    assert latest["solutionVersionArn"] == arn
    assert latest["status"] == "ACTIVE"
    assert "name" not in latest
    metrics = personalize.get_solution_metrics(solutionVersionArn=arn)
    assert metrics["solutionVersionArn"] == arn
    expected = {"coverage", "mean_reciprocal_rank_at_25"} | {
        f"{metric}_at_{k}"
        for metric in ("normalized_discounted_cumulative_gain", "precision")
        for k in (5, 10, 25)
    }
    assert set(metrics["metrics"]) == expected
    assert all(0 <= value <= 1 and round(value, 4) == value for value in metrics["metrics"].values())
    assert personalize.list_tags_for_resource(resourceArn=arn)["tags"]


def test_versions_are_listed_oldest_first(personalize: Any, wait: Wait, solution: str) -> None:
    made = [personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"] for _ in range(3)]
    listed = personalize.list_solution_versions(solutionArn=solution)["solutionVersions"]
    assert [v["solutionVersionArn"] for v in listed][-3:] == made
    assert {v["trainingType"] for v in listed} == {"MANUAL"}
    assert wait.describe(solution)["latestSolutionVersion"]["solutionVersionArn"] == made[-1]
    for arn in made:
        wait.active(arn, 120)
    fails("ResourceNotFoundException", personalize.list_solution_versions, solutionArn=f"{solution}-none")
    fails("InvalidInputException", personalize.list_solution_versions, solutionArn=made[0])


def test_named_version(personalize: Any, wait: Wait, solution: str) -> None:
    arn = personalize.create_solution_version(solutionArn=solution, name="mine")["solutionVersionArn"]
    assert arn == f"{solution}/mine"
    assert wait.describe(arn)["name"] == "mine"
    message = fails(
        "ResourceAlreadyExistsException",
        personalize.create_solution_version,
        solutionArn=solution,
        name="mine",
    )
    assert message == f"Another resource with Arn {arn} already exists."
    wait.active(arn, 120)


@pytest.mark.parametrize(
    ("mode", "words"),
    [("AUTOTRAIN", "reserved for automatic training"), ("UPDATE", "not available with recipe")],
)
def test_modes_refused(personalize: Any, solution: str, mode: str, words: str) -> None:
    message = fails(
        "InvalidInputException",
        personalize.create_solution_version,
        solutionArn=solution,
        trainingMode=mode,
    )
    assert words in message


def test_update_mode_needs_a_full_version(personalize: Any, stocked: shop.SmallShop, name: str) -> None:
    solution = personalize.create_solution(
        name=name, datasetGroupArn=stocked.group, recipeArn=f"{RECIPE}aws-user-personalization"
    )["solutionArn"]
    message = fails(
        "InvalidInputException",
        personalize.create_solution_version,
        solutionArn=solution,
        trainingMode="UPDATE",
    )
    assert "needs an ACTIVE version" in message


def test_too_little_data_fails_the_version(
    personalize: Any, wait: Wait, stocked: shop.SmallShop, name: str
) -> None:
    solution = personalize.create_solution(
        name=name,
        datasetGroupArn=stocked.group,
        recipeArn=f"{RECIPE}aws-popularity-count",
        eventType="never",
    )["solutionArn"]
    version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    reason = wait.failed(version, 120)
    few = "Dataset has fewer than 1000 interactions after filtering by event type: never: there are 0."
    assert reason.startswith(few)
    summary = wait.describe(solution)["latestSolutionVersion"]
    assert (summary["status"], summary["failureReason"]) == ("CREATE FAILED", reason)
    message = fails("InvalidInputException", personalize.get_solution_metrics, solutionVersionArn=version)
    assert message == f"Resource {version} has status CREATE FAILED; expected ACTIVE."
    fails("InvalidInputException", personalize.create_campaign, name=name, solutionVersionArn=version)
    fails("InvalidInputException", personalize.stop_solution_version_creation, solutionVersionArn=version)
    personalize.delete_solution(solutionArn=solution)
    wait.gone(solution)
    fails("ResourceNotFoundException", personalize.describe_solution_version, solutionVersionArn=version)


def test_stopped_version(personalize: Any, wait: Wait, stocked: shop.SmallShop, name: str) -> None:
    solution = personalize.create_solution(
        name=name, datasetGroupArn=stocked.group, recipeArn=f"{RECIPE}aws-user-personalization"
    )["solutionArn"]
    version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    message = fails("ResourceInUseException", personalize.delete_solution, solutionArn=solution)
    assert message == f"Resource {solution} cannot be deleted because it is used by {version}."
    fails("ResourceInUseException", personalize.get_solution_metrics, solutionVersionArn=version)
    fails("ResourceInUseException", personalize.create_campaign, name=name, solutionVersionArn=version)
    fails("ResourceInUseException", personalize.delete_dataset, datasetArn=stocked.datasets["Users"])
    personalize.stop_solution_version_creation(solutionVersionArn=version)
    assert wait.describe(version)["status"] in ("CREATE STOPPING", "CREATE STOPPED")
    described = wait.final(version)
    assert described["status"] == "CREATE STOPPED"
    assert "failureReason" not in described
    for call in (personalize.stop_solution_version_creation, personalize.get_solution_metrics):
        fails("InvalidInputException", call, solutionVersionArn=version)
    personalize.delete_solution(solutionArn=solution)
    wait.gone(solution)


def test_stopping_what_is_done(personalize: Any, wait: Wait, solution: str) -> None:
    version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    wait.active(version, 120)
    message = fails(
        "InvalidInputException", personalize.stop_solution_version_creation, solutionVersionArn=version
    )
    assert "expected CREATE PENDING or CREATE IN_PROGRESS" in message


def test_tuned_version_tells_what_was_chosen(
    personalize: Any, wait: Wait, stocked: shop.SmallShop, name: str
) -> None:
    ranges = {"categoricalHyperParameterRanges": [{"name": "recency_mask", "values": ["true", "false"]}]}
    solution = personalize.create_solution(
        name=name,
        datasetGroupArn=stocked.group,
        recipeArn=f"{RECIPE}aws-user-personalization",
        performHPO=True,
        solutionConfig={"hpoConfig": {"algorithmHyperParameterRanges": ranges}},
    )["solutionArn"]
    version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    described = wait.active(version, 240)
    tuned = described["tunedHPOParams"]["algorithmHyperParameters"]
    assert tuned["recency_mask"] in ("true", "false")
    shown = described["solutionConfig"]["hpoConfig"]["algorithmHyperParameterRanges"]
    assert shown["categoricalHyperParameterRanges"][0]["name"] == "data.recency_mask"
    full = personalize.get_solution_metrics(solutionVersionArn=version)["metrics"]
    update = personalize.create_solution_version(solutionArn=solution, trainingMode="UPDATE")
    described = wait.active(update["solutionVersionArn"], 240)
    assert described["trainingMode"] == "UPDATE"
    assert personalize.get_solution_metrics(**_only_arn(update))["metrics"] == full
    campaign = personalize.create_campaign(name=name, solutionVersionArn=f"{solution}/$LATEST")
    assert wait.active(campaign["campaignArn"])["solutionVersionArn"] == version


def test_an_update_knows_what_was_streamed_since(
    server: Server, clients: Clients, wait: Wait, stocked: shop.SmallShop, name: str
) -> None:
    personalize = clients.personalize
    solution = personalize.create_solution(
        name=name,
        datasetGroupArn=stocked.group,
        recipeArn=f"{RECIPE}aws-user-personalization",
        performAutoTraining=False,
    )["solutionArn"]
    full = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    wait.active(full, 240)
    campaign = personalize.create_campaign(
        name=name,
        solutionVersionArn=full,
        campaignConfig={"itemExplorationConfig": {"explorationWeight": "0"}},
    )["campaignArn"]
    wait.active(campaign)
    tracker = personalize.create_event_tracker(name=name, datasetGroupArn=stocked.group)["trackingId"]
    for number in range(0, 39, 3):  # all of one department but user-39
        event = {"eventType": "click", "itemId": "item-99-new", "sentAt": shop.LAST + number}
        clients.events.put_events(
            trackingId=tracker, userId=f"user-{number:02}", sessionId="s", eventList=[event]
        )
    update = personalize.create_solution_version(solutionArn=solution, trainingMode="UPDATE")
    arn = update["solutionVersionArn"]
    described = wait.active(arn, 240)
    assert (described["trainingMode"], described["trainingType"]) == ("UPDATE", "MANUAL")
    assert described["trainingHours"] >= 0
    shown = [personalize.get_solution_metrics(solutionVersionArn=one)["metrics"] for one in (full, arn)]
    assert shown[0] == shown[1]
    both = f"{server.endpoint}/v1/versions/compare?version={full}&version={arn}"
    with urllib.request.urlopen(both) as answer:  # the questions, too, are those of the full version
        first, second = json.load(answer)["versions"]
    assert first["questions"] == second["questions"] > 0
    assert first["metrics"] == second["metrics"]
    assert wait.describe(solution)["latestSolutionVersion"]["solutionVersionArn"] == arn
    personalize.update_campaign(campaignArn=campaign, solutionVersionArn=arn)
    wait.updated(campaign, "latestCampaignUpdate")
    scores = []
    for user in ("user-39", "user-01"):  # neither met it; who did may be offered it less
        answer = clients.runtime.get_recommendations(campaignArn=campaign, userId=user, numResults=61)
        scores += [one["score"] for one in answer["itemList"] if one["itemId"] == "item-99-new"]
    assert scores[0] > scores[1] > 0, "it is sold in one department"


def test_automl_keeps_the_better_recipe(
    personalize: Any, wait: Wait, stocked: shop.SmallShop, name: str
) -> None:
    recipes = [f"{RECIPE}aws-user-personalization", f"{RECIPE}aws-popularity-count"]
    solution = personalize.create_solution(
        name=name,
        datasetGroupArn=stocked.group,
        performAutoML=True,
        solutionConfig={"autoMLConfig": {"recipeList": recipes}},
    )["solutionArn"]
    version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    described = wait.active(version, 240)
    assert described["recipeArn"] == recipes[0], "users keep to their departments"
    assert described["tunedHPOParams"]["algorithmHyperParameters"].keys() == {
        "hidden_dimension", "bptt", "recency_mask"
    }  # fmt: skip
    assert wait.describe(solution)["autoMLResult"] == {"bestRecipeArn": recipes[0]}
    campaign = personalize.create_campaign(name=name, solutionVersionArn=version)["campaignArn"]
    wait.active(campaign)


def test_automl_trains_on_the_event_type_of_the_solution(
    personalize: Any, wait: Wait, stocked: shop.SmallShop, name: str
) -> None:
    """eventType is no part of solutionConfig, of which AutoML reads nothing but autoMLConfig."""
    solution = personalize.create_solution(
        name=name, datasetGroupArn=stocked.group, performAutoML=True, eventType="purchase"
    )["solutionArn"]
    version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    few = "Dataset has fewer than 1000 interactions after filtering by event type: purchase"
    assert wait.failed(version).startswith(few)


def _only_arn(made: dict[str, Any]) -> dict[str, str]:
    return {"solutionVersionArn": made["solutionVersionArn"]}
