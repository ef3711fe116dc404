"""A campaign that is updated while it is asked: no call fails, and no answer goes back."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

import pytest

import shop
from durability.world import SOAK_ROUNDS, Crowd, World, rounds
from live import Wait

FAVOURITES = ["item-07"]
CLIENTS = 4


class Askers:
    """Clients that ask without a pause and note when they saw which first item."""

    def __init__(self, world: World, campaign: str) -> None:
        self.world = world
        self.campaign = campaign
        self.answers: list[tuple[float, float, str]] = []

    def work(self, index: int, stop: threading.Event) -> None:
        runtime = self.world.clients.runtime
        while not stop.is_set():
            sent = time.monotonic()
            answer = runtime.get_recommendations(
                campaignArn=self.campaign, userId=f"user-{index:02d}", numResults=3
            )
            self.answers.append((sent, time.monotonic(), answer["itemList"][0]["itemId"]))


def check_never_back(answers: list[tuple[float, float, str]], order: list[str]) -> None:
    """A call sent after some answer had arrived is answered by that version or a later one."""
    newest_known = 0
    arrivals = sorted((received, order.index(first)) for _, received, first in answers)
    position = 0
    for sent, _, first in sorted(answers):
        while position < len(arrivals) and arrivals[position][0] < sent:
            newest_known = max(newest_known, arrivals[position][1])
            position += 1
        assert order.index(first) >= newest_known, f"{first} after {order[newest_known]}"


def train_favourite(world: World, favourite: str, name: str) -> str:
    """A version of the popularity solution for which `favourite` comes first."""
    users = 300
    rows = [f"v{n},{favourite},{1_700_000_000 + n},click," for n in range(users)]
    rows += [f"v{n % 200},{shop.ITEMS[n % 60]},{1_690_000_000 + n},click," for n in range(1000)]
    text = "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE\n" + "\n".join(rows)
    personalize, wait = world.clients.personalize, Wait(world.clients.personalize)
    job = personalize.create_dataset_import_job(
        jobName=name,
        datasetArn=world.stock.datasets["Interactions"],
        dataSource={"dataLocation": world.server.put(f"s3://favourites/{name}.csv", text)},
    )["datasetImportJobArn"]
    wait.active(job)
    version = personalize.create_solution_version(name=name, solutionArn=world.solution)["solutionVersionArn"]
    wait.active(version)
    return str(version)


@pytest.fixture(scope="module")
def versions(world_of_module: World) -> dict[str, str]:
    """First item -> the version that says so."""
    made = {item: train_favourite(world_of_module, item, f"for-{item}") for item in FAVOURITES}
    return {shop.FAVOURITE: world_of_module.version, **made}


def update_under_traffic(world: World, versions: dict[str, str], chance: random.Random, updates: int) -> int:
    """Update a campaign again and again while it is asked; how many answers it gave."""
    personalize = world.clients.personalize
    total = 0
    before = world.recommend("user-00", 1)[0]["itemId"]
    for _ in range(updates):
        after = chance.choice([item for item in versions if item != before])
        askers = Askers(world, world.campaign)
        with Crowd(CLIENTS, askers.work) as crowd:
            while len(askers.answers) < CLIENTS and not crowd.stop.is_set():
                time.sleep(0.01)
            time.sleep(chance.uniform(0.0, 0.2))
            personalize.update_campaign(campaignArn=world.campaign, solutionVersionArn=versions[after])
            world.wait.updated(world.campaign, "latestCampaignUpdate")
            done = time.monotonic()
            while not any(sent > done for sent, _, _ in askers.answers) and not crowd.stop.is_set():
                time.sleep(0.01)
        check_never_back(askers.answers, [before, after])
        assert {first for sent, _, first in askers.answers if sent > done} <= {after}
        assert {before, after} == {first for _, _, first in askers.answers}
        before = after
        total += len(askers.answers)
    return total


@rounds
def test_an_update_under_traffic(
    world: World, versions: dict[str, str], chance: random.Random, rounds: int
) -> None:
    assert update_under_traffic(world, versions, chance, 2 * rounds) > 20


@pytest.fixture
def with_workers(world: World) -> Iterator[World]:
    """The module's world, for a while with two server processes."""
    world.server.stop()
    world.server.options = (*world.server.options, "--workers", "2")
    world.server.start()
    yield world
    world.server.stop()
    world.server.options = world.server.options[:-2]


@pytest.mark.soak
def test_an_update_under_traffic_of_two_workers(
    with_workers: World, versions: dict[str, str], chance: random.Random
) -> None:
    assert update_under_traffic(with_workers, versions, chance, 2 * SOAK_ROUNDS) > 20


@rounds
def test_an_update_whose_server_is_killed(
    world: World, versions: dict[str, str], chance: random.Random, rounds: int
) -> None:
    personalize = world.clients.personalize
    for _ in range(rounds):
        before = world.recommend("user-00", 1)[0]["itemId"]
        after = chance.choice([item for item in versions if item != before])
        personalize.update_campaign(campaignArn=world.campaign, solutionVersionArn=versions[after])
        time.sleep(chance.uniform(0.0, 0.05))
        world.restart()
        assert world.recommend("user-00", 1)[0]["itemId"] in (before, after)
        described = world.wait.updated(world.campaign, "latestCampaignUpdate")
        assert described["solutionVersionArn"] == versions[after]
        assert world.recommend("user-00", 1)[0]["itemId"] == after
