"""Which models a solution keeps, and what is said of those that went."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from openpersonalize.installation import Installation
from openpersonalize.resources.internals import VersionInternal
from openpersonalize.resources.store import Resource, Scope
from openpersonalize.workflows.deletions import CampaignDeletion
from openpersonalize.workflows.retention import RetireModels, retire_models, superseded
from workflows.rehearsal import Rehearsal, moments


class House:
    """A solution with versions and their models."""

    def __init__(self, installation: Installation, scope: Scope, name: str = "shop") -> None:
        self.installation, self.scope = installation, scope
        self.group = scope.arn(f"dataset-group/{name}")
        self.solution = scope.arn(f"solution/{name}")
        with scope.write() as tx:
            tx.add("solution", self.solution, name, group_arn=self.group, status="ACTIVE")

    def version(self, name: str, status: str = "ACTIVE", mode: str = "FULL", **internal: Any) -> str:
        """A version; an ACTIVE one has a model."""
        if status == "ACTIVE":
            staged = self.installation.objects.stage()
            (staged / "model").write_text(name)
            internal["artifact"] = f"artifacts/{self.solution.rpartition('/')[2]}-{name}"
            self.installation.objects.publish(staged, internal["artifact"])
        with self.scope.write() as tx:
            return tx.add(
                "solution-version",
                f"{self.solution}/{name}",
                name,
                group_arn=self.group,
                parent_arn=self.solution,
                status=status,
                attributes={"trainingMode": mode, "solutionArn": self.solution},
                internal=internal,
            ).arn

    def campaign(self, name: str, version: str, **attributes: Any) -> str:
        with self.scope.write() as tx:
            return tx.add(
                "campaign",
                self.scope.arn(f"campaign/{name}"),
                name,
                group_arn=self.group,
                parent_arn=self.solution,
                status="ACTIVE",
                attributes={"solutionVersionArn": version, **attributes},
            ).arn

    def rehearse(self, **options: Any) -> Rehearsal:
        with self.scope.write() as tx:
            retire_models(tx, self.solution, self.installation.clock.now())
        return Rehearsal(self.installation, self.scope, "retire-models", self.solution, **options)

    def kept(self) -> list[str]:
        """Names of the versions whose models are there."""
        with self.scope.read() as tx:
            versions: list[Resource] = tx.find("solution-version", parent_arn=self.solution)
        return [
            one.name
            for one in versions
            if (key := VersionInternal.of(one).artifact) is not None and self.installation.objects.exists(key)
        ]


@pytest.fixture
def house(installation: Installation, scope: Scope) -> House:
    return House(installation, scope)


def test_the_newest_three_keep_their_models(house: House) -> None:
    other = House(house.installation, house.scope, "other")
    for n in range(6):
        house.version(f"v{n}")
        other.version(f"v{n}")
    house.version("failed", "CREATE FAILED")
    RetireModels().run(house.rehearse())
    assert house.kept() == ["v3", "v4", "v5"]
    assert other.kept() == [f"v{n}" for n in range(6)]


def test_what_is_in_use_is_kept(house: House) -> None:
    versions = [house.version(f"v{n}", metrics={"coverage": 0.5}) for n in range(8)]
    house.campaign("serves", versions[0])
    update = {"solutionVersionArn": versions[1], "status": "CREATE IN_PROGRESS"}
    house.campaign("changes", versions[7], latestCampaignUpdate=update)
    done = {"solutionVersionArn": versions[2], "status": "ACTIVE"}
    house.campaign("changed", versions[7], latestCampaignUpdate=done)
    house.version("training", "CREATE IN_PROGRESS", "UPDATE", base_artifact="artifacts/shop-v3")
    RetireModels().run(house.rehearse())
    assert house.kept() == ["v0", "v1", "v3", "v5", "v6", "v7"]
    with house.scope.read() as tx:
        gone = VersionInternal.of(tx.require(versions[4]))
    assert (gone.retired, gone.metrics) == (True, {"coverage": 0.5})


def test_the_newest_full_version_is_kept_however_many_updates_follow(house: House) -> None:
    house.version("old")
    house.version("full")
    for n in range(5):
        house.version(f"u{n}", mode="UPDATE", full_version=f"{house.solution}/full")
    RetireModels().run(house.rehearse())
    assert house.kept() == ["full", "u2", "u3", "u4"]


def test_all_are_kept_when_the_setting_says_so(house: House) -> None:
    for n in range(5):
        house.version(f"v{n}")
    with house.scope.read() as tx:
        assert superseded(tx, house.solution, 0) == []
        assert [one.name for one in superseded(tx, house.solution, 4)] == ["v0"]


def test_it_ends_well_wherever_it_is_cut_short(installation: Installation, scope: Scope) -> None:
    houses: list[House] = []

    def stage() -> Callable[..., Rehearsal]:
        houses.append(House(installation, scope, f"shop-{len(houses)}"))
        for n in range(5):
            houses[-1].version(f"v{n}")
        return houses[-1].rehearse

    for _ in moments(RetireModels(), stage):
        assert houses[-1].kept() == ["v2", "v3", "v4"]
    assert len(houses) > 1


def test_a_solution_that_went_meanwhile_is_no_matter(house: House) -> None:
    job = house.rehearse()
    with house.scope.write() as tx:
        tx.remove(house.solution)
    RetireModels().run(job)


def test_with_a_campaign_goes_what_kept_its_model(house: House) -> None:
    campaign = house.campaign("serves", house.version("v0"))
    with house.scope.write() as tx:
        tx.update(campaign, status="DELETE PENDING")
    CampaignDeletion().run(Rehearsal(house.installation, house.scope, "delete-campaign", campaign))
    with house.scope.read() as tx:
        job = tx.job(house.solution)
    assert job is not None
    assert job.kind == "retire-models"
