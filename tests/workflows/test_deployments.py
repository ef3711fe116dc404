"""Deploying and updating campaigns: nothing switches before the model is known to be whole."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl
import pytest

from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import build_sequences
from openpersonalize.errors import JobFailed
from openpersonalize.installation import Installation
from openpersonalize.recipes.artifact import write_artifact
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Configuration, Training, TrainingData
from openpersonalize.resources.store import Resource, Scope
from openpersonalize.workflows.deployments import Deploy, UpdateCampaign, follow_latest, request_update
from workflows.rehearsal import Rehearsal, moments

_numbers = itertools.count(1)
SYNC = {"syncWithLatestSolutionVersion": True}


class Shop:
    """A solution with versions whose models are real, and campaigns on them."""

    def __init__(self, installation: Installation, scope: Scope) -> None:
        self.installation, self.scope = installation, scope
        self.name = f"s{next(_numbers)}"
        self.solution = scope.arn(f"solution/{self.name}")
        with scope.write() as tx:
            tx.add("solution", self.solution, self.name, status="ACTIVE")

    def version(self, *, mode: str = "FULL", status: str = "ACTIVE") -> str:
        suffix = f"{next(_numbers)}"
        with self.scope.write() as tx:
            return tx.add(
                "solution-version",
                f"{self.solution}/{suffix}",
                f"{self.name}/{suffix}",
                parent_arn=self.solution,
                status=status,
                attributes={"trainingMode": mode, "solutionArn": self.solution},
                internal={"artifact": artifact(self.installation)},
            ).arn

    def campaign(
        self, version: str, *, status: str = "ACTIVE", config: Mapping[str, Any] | None = None
    ) -> str:
        name = f"c{next(_numbers)}"
        with self.scope.write() as tx:
            return tx.add(
                "campaign",
                self.scope.arn(f"campaign/{name}"),
                name,
                parent_arn=self.solution,
                status=status,
                attributes={
                    "solutionVersionArn": version,
                    "minProvisionedTPS": 1,
                    "campaignConfig": dict(config or {}),
                },
                internal={"latest": bool(config)},
            ).arn

    def update(self, campaign: str, version: str) -> None:
        with self.scope.write() as tx:
            request_update(
                tx,
                tx.require(campaign),
                self.installation.clock.now(),
                version_arn=version,
                tps=4,
                config={"enableMetadataWithRecommendations": True},
                latest=False,
            )

    def read(self, arn: str) -> Resource:
        with self.scope.read() as tx:
            return tx.require(arn)

    def rehearse(self, kind: str, campaign: str) -> Callable[..., Rehearsal]:
        return lambda die_at=None: Rehearsal(self.installation, self.scope, kind, campaign, die_at=die_at)


def artifact(installation: Installation) -> str:
    """Publishes a small model and returns its key."""
    events = pl.LazyFrame({"USER_ID": ["a", "a", "b"], "ITEM_ID": ["x", "y", "x"], "TIMESTAMP": [1, 2, 3]})
    selection = EventSelection.from_solution(None, {})
    sequences = build_sequences(events, None, selection)
    popularity = recipe("aws-popularity-count")
    assert popularity is not None
    model = popularity.fit(TrainingData.of(sequences), Configuration({}), Training())
    staged = installation.objects.stage()
    write_artifact(
        staged,
        model=model,
        recipe=popularity,
        data=TrainingData.of(sequences),
        selection=selection,
        position=0,
    )
    key = f"artifacts/{next(_numbers)}"
    installation.objects.publish(staged, key)
    return key


@pytest.fixture
def stocked(installation: Installation, scope: Scope) -> Shop:
    return Shop(installation, scope)


def test_deployed_whatever_crashes(stocked: Shop) -> None:
    version = stocked.version()
    campaigns: list[str] = []

    def stage() -> Callable[..., Rehearsal]:
        campaigns.append(stocked.campaign(version, status="CREATE PENDING"))
        return stocked.rehearse("deploy", campaigns[-1])

    for _ in moments(Deploy(), stage):
        assert stocked.read(campaigns[-1]).status == "ACTIVE"
    assert len(campaigns) > 3


def test_damaged_model_is_not_deployed(stocked: Shop) -> None:
    version = stocked.version()
    folder = stocked.installation.objects.fetch(stocked.read(version).internal.artifact)
    np.save(folder / "history.item.npy", np.array([7], dtype=np.int32))
    campaign = stocked.campaign(version, status="CREATE PENDING")
    with pytest.raises(JobFailed, match=r"is damaged \(history.item.npy\); train a new solution version"):
        Deploy().run(stocked.rehearse("deploy", campaign)())


def test_missing_model_is_not_deployed(stocked: Shop) -> None:
    version = stocked.version()
    stocked.installation.objects.remove(stocked.read(version).internal.artifact)
    campaign = stocked.campaign(version, status="CREATE PENDING")
    job = stocked.rehearse("deploy", campaign)()
    with pytest.raises(JobFailed, match="missing or unreadable"):
        Deploy().run(job)
    with stocked.scope.write() as tx:
        Deploy().failed(job, tx, "The model is missing.")
    row = stocked.read(campaign)
    assert (row.status, row.attributes["failureReason"]) == ("CREATE FAILED", "The model is missing.")


def test_update_switches_everything_at_once(stocked: Shop) -> None:
    old, new = stocked.version(), stocked.version()
    campaigns: list[str] = []

    def stage() -> Callable[..., Rehearsal]:
        campaigns.append(stocked.campaign(old))
        stocked.update(campaigns[-1], new)
        return stocked.rehearse("update-campaign", campaigns[-1])

    for _ in moments(UpdateCampaign(), stage):
        row = stocked.read(campaigns[-1])
        assert row.attributes["solutionVersionArn"] == new
        assert row.attributes["minProvisionedTPS"] == 4
        assert row.attributes["campaignConfig"] == {"enableMetadataWithRecommendations": True}
        assert row.attributes["latestCampaignUpdate"]["status"] == row.status == "ACTIVE"


def test_failed_update_leaves_the_old_version_serving(stocked: Shop) -> None:
    old, new = stocked.version(), stocked.version()
    campaign = stocked.campaign(old)
    stocked.update(campaign, new)
    job = stocked.rehearse("update-campaign", campaign)()
    with stocked.scope.write() as tx:
        UpdateCampaign().failed(job, tx, "No luck.")
    row = stocked.read(campaign)
    assert (row.status, row.attributes["solutionVersionArn"]) == ("ACTIVE", old)
    update = row.attributes["latestCampaignUpdate"]
    assert (update["status"], update["failureReason"]) == ("CREATE FAILED", "No luck.")
    assert "failureReason" not in row.attributes


def test_update_mends_a_failed_campaign(stocked: Shop) -> None:
    version = stocked.version()
    campaign = stocked.campaign(version, status="CREATE FAILED")
    with stocked.scope.write() as tx:
        tx.update(campaign, set={"failureReason": "No luck."})
    stocked.update(campaign, version)
    UpdateCampaign().run(stocked.rehearse("update-campaign", campaign)())
    row = stocked.read(campaign)
    assert row.status == "ACTIVE"
    assert "failureReason" not in row.attributes


def test_campaigns_that_follow(stocked: Shop) -> None:
    first = stocked.version()
    follower, stayer = stocked.campaign(first, config=SYNC), stocked.campaign(first)
    newer = stocked.version()
    stocked.version(mode="UPDATE")
    stocked.version(status="CREATE FAILED")
    with stocked.scope.write() as tx:
        follow_latest(tx, stocked.solution, 5.0)
    update = stocked.read(follower).attributes["latestCampaignUpdate"]
    assert (update["solutionVersionArn"], update["status"]) == (newer, "CREATE PENDING")
    assert update["campaignConfig"] == SYNC
    assert "latestCampaignUpdate" not in stocked.read(stayer).attributes


def test_a_version_that_comes_during_an_update_is_followed_afterwards(stocked: Shop) -> None:
    campaign = stocked.campaign(stocked.version(), config=SYNC)
    second = stocked.version()
    with stocked.scope.write() as tx:
        follow_latest(tx, stocked.solution, 5.0)
    third = stocked.version()
    with stocked.scope.write() as tx:
        follow_latest(tx, stocked.solution, 6.0)
    assert stocked.read(campaign).attributes["latestCampaignUpdate"]["solutionVersionArn"] == second
    UpdateCampaign().run(stocked.rehearse("update-campaign", campaign)())
    assert stocked.read(campaign).attributes["latestCampaignUpdate"]["solutionVersionArn"] == third
    UpdateCampaign().run(stocked.rehearse("update-campaign", campaign)())
    row = stocked.read(campaign)
    assert row.attributes["solutionVersionArn"] == third
    assert row.attributes["latestCampaignUpdate"]["status"] == "ACTIVE"


def test_an_older_version_that_finishes_late_is_not_followed(stocked: Shop) -> None:
    late = stocked.version(status="CREATE IN_PROGRESS")
    campaign = stocked.campaign(stocked.version(), config=SYNC)
    with stocked.scope.write() as tx:
        tx.update(late, status="ACTIVE")
        follow_latest(tx, stocked.solution, 5.0)
    assert "latestCampaignUpdate" not in stocked.read(campaign).attributes
