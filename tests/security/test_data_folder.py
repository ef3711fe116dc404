"""A data folder after a journey: every file is its owner's alone, and after everything was deleted nothing
in it names a person any more."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import shop
from live import Clients, Server, Wait, make_clients, make_shop
from openpersonalize.storage.privacy import LOCK_MODE

USER, ITEM = "MARKER-USER-77", "MARKER-ITEM-88"
POPULAR = "arn:aws:personalize:::recipe/aws-popularity-count"
REGION = "folder-region-1"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("folder") / "data").start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def made(running: Server) -> tuple[Clients, shop.SmallShop, dict[str, str]]:
    """A campaign that answered a user whose events were streamed; ARNs by kind."""
    small = make_shop(running, REGION)
    clients = make_clients(running.endpoint, REGION)
    personalize, wait = clients.personalize, Wait(clients.personalize)
    tracker = personalize.create_event_tracker(name="t", datasetGroupArn=small.group)
    solution = personalize.create_solution(name="s", datasetGroupArn=small.group, recipeArn=POPULAR)[
        "solutionArn"
    ]
    version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    wait.active(tracker["eventTrackerArn"])
    wait.active(version)
    campaign = personalize.create_campaign(name="c", solutionVersionArn=version)["campaignArn"]
    wait.active(campaign)
    clients.events.put_events(
        trackingId=tracker["trackingId"],
        userId=USER,
        sessionId="s",
        eventList=[{"eventType": "click", "sentAt": int(time.time()), "itemId": ITEM}],
    )
    clients.events.put_users(
        datasetArn=small.datasets["Users"],
        users=[{"userId": USER, "properties": '{"age": 7, "city": "MARKER-CITY"}'}],
    )
    clients.runtime.get_recommendations(campaignArn=campaign, userId=USER)
    time.sleep(0.5)  # what was shown is written beside the answers
    arns = {"campaign": campaign, "solution": solution, "event_tracker": tracker["eventTrackerArn"]}
    return clients, small, arns


def holding(folder: Path, text: str) -> list[str]:
    """The files in which a text stands."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and text.encode() in path.read_bytes()
    )


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")
def test_everything_is_its_owners(running: Server, made: object) -> None:
    wide = [str(path) for path in [running.data, *running.data.rglob("*")] if path.stat().st_mode & 0o077]
    assert [path for path in wide if "/buckets/" not in path] == []  # the tests put those themselves
    assert (running.data / "lock").stat().st_mode & 0o777 == LOCK_MODE


def test_deleted_people_are_gone_from_every_file(
    running: Server, made: tuple[Clients, shop.SmallShop, dict[str, str]]
) -> None:
    clients, small, arns = made
    personalize, wait = clients.personalize, Wait(clients.personalize)
    assert holding(running.data, USER)
    members = {"campaign": "campaignArn", "solution": "solutionArn", "event_tracker": "eventTrackerArn"}
    for kind, member in members.items():
        getattr(personalize, f"delete_{kind}")(**{member: arns[kind]})
        wait.gone(arns[kind])
    for arn in small.datasets.values():
        personalize.delete_dataset(datasetArn=arn)
        wait.gone(arn)
    personalize.delete_dataset_group(datasetGroupArn=small.group)
    wait.gone(small.group)
    for text in (USER, ITEM, "MARKER-CITY"):
        end = time.monotonic() + 10
        while holding(running.data, text) and time.monotonic() < end:
            time.sleep(0.2)
        assert holding(running.data, text) == [], text
