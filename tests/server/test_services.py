from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from openpersonalize.server.services import Services

from .wire import open_metadata_only, settings_for

REGION = "us-east-1"


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    found = open_metadata_only(settings_for(tmp_path, account="123456789012"))
    yield found
    found.close()


def test_a_scope_is_the_installations_account_in_a_region(services: Services) -> None:
    scope = services.scope("eu-north-1")
    assert (scope.account, scope.region) == ("123456789012", "eu-north-1")
    assert services.scope("eu-north-1") is scope


def test_made_up_regions_do_not_grow_it(services: Services) -> None:
    for number in range(1000):
        services.scope(f"region-{number}")
    assert len(services._scopes) <= 256


def test_the_group_of_a_tracker(services: Services) -> None:
    scope = services.scope(REGION)
    group, tracker = scope.arn("dataset-group/films"), scope.arn("event-tracker/0a1b2c3d")
    with scope.write() as tx:
        tx.add("dataset-group", group, "films", status="ACTIVE")
        tx.add(
            "event-tracker", tracker, "t", group_arn=group, status="ACTIVE", attributes={"trackingId": "id-1"}
        )

    async def look() -> None:
        for _ in range(2):
            assert await services.group_of_tracker(REGION, "id-1") == "films"
        assert await services.group_of_tracker(REGION, "id-2") is None
        assert await services.group_of_tracker("eu-west-1", "id-1") is None
        with scope.write() as tx:
            tx.remove(tracker)
        assert await services.group_of_tracker(REGION, "id-1") is None

    asyncio.run(look())


def test_the_provisioned_rate(services: Services) -> None:
    scope = services.scope(REGION)
    campaign, recommender = scope.arn("campaign/a"), scope.arn("recommender/b")
    with scope.write() as tx:
        tx.add("campaign", campaign, "a", status="ACTIVE", attributes={"minProvisionedTPS": 700})
        config = {"recommenderConfig": {"minRecommendationRequestsPerSecond": 900}}
        tx.add("recommender", recommender, "b", status="ACTIVE", attributes=config)
    assert services.provisioned_rate(campaign) == 700
    assert services.provisioned_rate(recommender) == 900
    for unknown in (scope.arn("campaign/none"), "nonsense", ""):
        assert services.provisioned_rate(unknown) == 0
