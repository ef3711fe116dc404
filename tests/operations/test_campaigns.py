"""Campaigns over the wire: deploying, updating, following the newest version, deleting."""

from __future__ import annotations

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


@pytest.fixture(scope="module")
def version(personalize: Any, wait: Wait, solution: str) -> str:
    return train(personalize, wait, solution)


def train(personalize: Any, wait: Wait, solution: str) -> str:
    arn = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    wait.active(arn, 120)
    return str(arn)


def test_life(
    clients: Clients, wait: Wait, stocked: shop.SmallShop, solution: str, version: str, name: str
) -> None:
    personalize = clients.personalize
    made = personalize.create_campaign(name=name, solutionVersionArn=version)
    assert set(made) == {"campaignArn", "ResponseMetadata"}
    arn = made["campaignArn"]
    assert arn.endswith(f":campaign/{name}")
    described = wait.active(arn)
    assert described["solutionVersionArn"] == version
    assert described["minProvisionedTPS"] == 1
    assert described["campaignConfig"] == {}
    assert "latestCampaignUpdate" not in described
    items = clients.runtime.get_recommendations(campaignArn=arn, userId="user-01", numResults=3)["itemList"]
    assert items[0]["itemId"] == shop.FAVOURITE
    assert [c["campaignArn"] for c in personalize.list_campaigns(solutionArn=solution)["campaigns"]] == [arn]
    nobody = f"{solution}-none"
    assert personalize.list_campaigns(solutionArn=nobody)["campaigns"] == []
    fails("InvalidInputException", personalize.list_campaigns, solutionArn=stocked.group)
    message = fails("ResourceInUseException", personalize.delete_solution, solutionArn=solution)
    assert message == f"Resource {solution} cannot be deleted because it is used by {arn}."
    message = fails(
        "ResourceAlreadyExistsException", personalize.create_campaign, name=name, solutionVersionArn=version
    )
    assert message == f"Another resource with Arn {arn} already exists."
    personalize.delete_campaign(campaignArn=arn)
    wait.gone(arn)
    fails(
        "ResourceNotFoundException",
        clients.runtime.get_recommendations,
        campaignArn=arn,
        userId="user-01",
    )


def test_references(
    personalize: Any, wait: Wait, stocked: shop.SmallShop, solution: str, version: str, name: str
) -> None:
    for arn in (solution, f"{solution}/none", stocked.group, f"{solution}-none/$LATEST"):
        fails("ResourceNotFoundException", personalize.create_campaign, name=name, solutionVersionArn=arn)
    message = fails(
        "InvalidInputException",
        personalize.create_campaign,
        name=name,
        solutionVersionArn=version,
        campaignConfig={"syncWithLatestSolutionVersion": True},
    )
    assert "$LATEST" in message
    message = fails(
        "InvalidInputException",
        personalize.create_campaign,
        name=name,
        solutionVersionArn=version,
        campaignConfig={"itemExplorationConfig": {"explorationWeight": "0.5"}},
    )
    assert "does not support itemExplorationConfig" in message


def test_update(clients: Clients, wait: Wait, solution: str, version: str, name: str) -> None:
    personalize = clients.personalize
    arn = personalize.create_campaign(name=name, solutionVersionArn=version)["campaignArn"]
    wait.active(arn)
    assert "at least one" in fails("InvalidInputException", personalize.update_campaign, campaignArn=arn)
    newer = train(personalize, wait, solution)
    config = {"enableMetadataWithRecommendations": True}
    personalize.update_campaign(campaignArn=arn, solutionVersionArn=newer, campaignConfig=config)
    during = wait.describe(arn)
    if during["latestCampaignUpdate"]["status"] != "ACTIVE":
        assert during["status"] == "ACTIVE"
        assert during["solutionVersionArn"] == version
        assert during["campaignConfig"] == {}
    assert clients.runtime.get_recommendations(campaignArn=arn, userId="user-01")["itemList"]
    described = wait.updated(arn, "latestCampaignUpdate")
    assert described["solutionVersionArn"] == newer
    assert described["campaignConfig"] == config
    assert described["minProvisionedTPS"] == 1
    update = described["latestCampaignUpdate"]
    assert (update["solutionVersionArn"], update["campaignConfig"]) == (newer, config)
    assert update["minProvisionedTPS"] == 1
    personalize.update_campaign(campaignArn=arn, minProvisionedTPS=7)
    described = wait.updated(arn, "latestCampaignUpdate")
    assert described["minProvisionedTPS"] == 7
    assert described["campaignConfig"] == config
    personalize.delete_campaign(campaignArn=arn)
    wait.gone(arn)


def test_follows_the_newest_version(
    personalize: Any, wait: Wait, solution: str, version: str, name: str
) -> None:
    config = {"syncWithLatestSolutionVersion": True}
    arn = personalize.create_campaign(
        name=name, solutionVersionArn=f"{solution}/$LATEST", campaignConfig=config
    )["campaignArn"]
    described = wait.active(arn)
    assert described["campaignConfig"] == config
    assert described["solutionVersionArn"].startswith(f"{solution}/")
    assert not described["solutionVersionArn"].endswith("$LATEST")
    still = personalize.create_campaign(name=f"{name}-still", solutionVersionArn=f"{solution}/$LATEST")
    wait.active(still["campaignArn"])
    newer = train(personalize, wait, solution)
    followed = wait.until(arn, lambda d: d["solutionVersionArn"] == newer)
    assert followed["latestCampaignUpdate"]["solutionVersionArn"] == newer
    assert followed["campaignConfig"] == config
    assert wait.describe(still["campaignArn"])["solutionVersionArn"] == described["solutionVersionArn"]
    fails(
        "InvalidInputException",
        personalize.update_campaign,
        campaignArn=arn,
        solutionVersionArn=version,
    )
    for campaign in (arn, still["campaignArn"]):
        personalize.delete_campaign(campaignArn=campaign)
        wait.gone(campaign)


def test_sixth_campaign(personalize: Any, wait: Wait, version: str, name: str) -> None:
    campaigns = [
        personalize.create_campaign(name=f"{name}-{number}", solutionVersionArn=version)["campaignArn"]
        for number in range(5)
    ]
    message = fails(
        "LimitExceededException",
        personalize.create_campaign,
        name=f"{name}-more",
        solutionVersionArn=version,
    )
    assert message == (
        "Cannot create a campaign. More than 5 resources in ACTIVE state. Please delete some and try again."
        " (Server setting quota_campaigns: openpersonalize serve --quota-campaigns NUMBER.)"
    )
    for campaign in campaigns:
        wait.active(campaign)
        personalize.delete_campaign(campaignArn=campaign)
    for campaign in campaigns:
        wait.gone(campaign)


def test_everything_is_deleted_in_the_usual_order(
    personalize: Any, wait: Wait, server: Server, stocked: shop.SmallShop, solution: str, version: str
) -> None:
    artifacts = server.data / "artifacts"
    before = len(list(artifacts.iterdir()))
    versions = personalize.list_solution_versions(solutionArn=solution)["solutionVersions"]
    personalize.delete_solution(solutionArn=solution)
    wait.gone(solution)
    for entry in versions:
        fails(
            "ResourceNotFoundException",
            personalize.describe_solution_version,
            solutionVersionArn=entry["solutionVersionArn"],
        )
    assert len(list(artifacts.iterdir())) == before - len(versions)
    schemas = [wait.describe(dataset)["schemaArn"] for dataset in stocked.datasets.values()]
    for dataset in stocked.datasets.values():
        personalize.delete_dataset(datasetArn=dataset)
    for dataset in stocked.datasets.values():
        wait.gone(dataset)
    for schema in schemas:
        personalize.delete_schema(schemaArn=schema)
    personalize.delete_dataset_group(datasetGroupArn=stocked.group)
    wait.gone(stocked.group)
