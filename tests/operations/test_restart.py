"""A server that is killed at any moment and started again: nothing acknowledged is lost, all work goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import shop
from live import Server, Wait, make_clients, make_shop

RECIPE = "arn:aws:personalize:::recipe/"
REGION = "us-east-1"


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own."""
    started = Server(tmp_path / "data").start()
    yield started
    started.stop()


def test_an_import_is_taken_up_again(mortal: Server) -> None:
    stocked = make_shop(mortal, REGION)
    personalize = make_clients(mortal.endpoint, REGION).personalize
    jobs = []
    for number in range(3):
        location = mortal.put(f"s3://more/{number}.csv", shop.csv("Interactions", seed=number + 2))
        made = personalize.create_dataset_import_job(
            jobName=f"more-{number}",
            datasetArn=stocked.datasets["Interactions"],
            dataSource={"dataLocation": location},
        )
        jobs.append(made["datasetImportJobArn"])
    mortal.kill()
    mortal.start()
    wait = Wait(make_clients(mortal.endpoint, REGION).personalize)
    ends = [wait.active(job)["lastUpdatedDateTime"] for job in jobs]
    assert ends == sorted(ends), "one after the other, in order of creation"


def test_a_training_and_a_deletion_go_on(mortal: Server) -> None:
    stocked = make_shop(mortal, REGION)
    personalize = make_clients(mortal.endpoint, REGION).personalize
    solution = personalize.create_solution(
        name="s", datasetGroupArn=stocked.group, recipeArn=f"{RECIPE}aws-user-personalization"
    )["solutionArn"]
    other = personalize.create_solution(
        name="t", datasetGroupArn=stocked.group, recipeArn=f"{RECIPE}aws-popularity-count"
    )["solutionArn"]
    version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    wait = Wait(personalize)
    wait.until(version, lambda d: d["status"] != "CREATE PENDING")
    time.sleep(0.3)  # let the training's process get to work
    personalize.delete_solution(solutionArn=other)
    mortal.kill()
    mortal.start()
    clients = make_clients(mortal.endpoint, REGION)
    wait = Wait(clients.personalize)
    wait.gone(other)
    wait.active(version, 240)
    campaign = clients.personalize.create_campaign(name="c", solutionVersionArn=version)["campaignArn"]
    wait.active(campaign)
    mortal.kill()
    mortal.start()
    answer = make_clients(mortal.endpoint, REGION).runtime.get_recommendations(
        campaignArn=campaign, userId="user-01", numResults=5
    )
    assert len(answer["itemList"]) == 5
