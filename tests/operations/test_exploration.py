"""Exploration over the wire: put an item, see it appear; weights that change; impressions that count."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

import shop
from live import Clients, Server, Wait, fails, make_clients

from .test_runtime import ITEMS, V1, V2, aisle, deploy, ids, interactions

REGION = "exploration-region-1"
LONG_AGO = 1_000_000_000
PATIENCE = 60
CALLS = 150


@dataclass(frozen=True)
class Store:
    """A group whose items are all old, a campaign of each personal recipe, and its clients."""

    clients: Clients
    wait: Wait
    items: str
    tracker: str
    campaigns: dict[str, str]
    versions: dict[str, str]

    def ask(self, recipe: str = V1, user: str = "u01", **more: Any) -> dict[str, Any]:
        return self.clients.runtime.get_recommendations(
            campaignArn=self.campaigns[recipe], userId=user, numResults=10, **more
        )

    def recommend(self, recipe: str = V1, **more: Any) -> list[dict[str, Any]]:
        return list(self.ask(recipe, **more)["itemList"])

    def put(self, item: str, **properties: Any) -> None:
        self.clients.events.put_items(
            datasetArn=self.items, items=[{"itemId": item, "properties": json.dumps(properties)}]
        )

    def event(self, item: str, user: str = "u40", **more: Any) -> None:
        event = {"eventType": "click", "itemId": item, "sentAt": time.time(), **more}
        self.clients.events.put_events(
            trackingId=self.tracker, userId=user, sessionId=f"s-{user}", eventList=[event]
        )

    def until(self, happened: Callable[[], Any]) -> Any:
        end = time.monotonic() + PATIENCE
        while not (found := happened()):
            assert time.monotonic() < end, "it never happened"
        return found

    def times(self, item: str, recipe: str = V1, calls: int = CALLS) -> int:
        return sum(item in ids(self.recommend(recipe)) for _ in range(calls))

    def weigh(self, weight: str, recipe: str = V1) -> None:
        self.clients.personalize.update_campaign(
            campaignArn=self.campaigns[recipe],
            campaignConfig={
                "itemExplorationConfig": {"explorationWeight": weight},
                "enableMetadataWithRecommendations": True,
            },
        )
        self.wait.updated(self.campaigns[recipe], "latestCampaignUpdate")


@pytest.fixture(scope="module")
def store(server: Server) -> Store:
    clients = make_clients(server.endpoint, REGION)
    personalize, wait = clients.personalize, Wait(clients.personalize)
    group = personalize.create_dataset_group(name="store")["datasetGroupArn"]
    wait.active(group)
    records = ["ITEM_ID,DEPARTMENT,PRICE,COLOUR,CREATION_TIMESTAMP"]
    records += [f"{item},aisle {aisle(item)},1.5,red,{LONG_AGO}" for item in ITEMS]
    datasets = {}
    for kind, text in (("Interactions", interactions()), ("Items", "\n".join(records) + "\n")):
        schema = personalize.create_schema(name=f"store-{kind}", schema=shop.SCHEMAS[kind])["schemaArn"]
        datasets[kind] = personalize.create_dataset(
            name=kind, datasetGroupArn=group, datasetType=kind, schemaArn=schema
        )["datasetArn"]
        location = server.put(f"s3://store/{kind}.csv", text)
        job = personalize.create_dataset_import_job(
            jobName=f"store-{kind}", datasetArn=datasets[kind], dataSource={"dataLocation": location}
        )["datasetImportJobArn"]
        wait.active(job)
    full = {"itemExplorationConfig": {"explorationWeight": "1"}, "enableMetadataWithRecommendations": True}
    made = {
        recipe: deploy(clients, wait, group, recipe, f"store-{recipe[4:]}", **full) for recipe in (V1, V2)
    }
    tracker = personalize.create_event_tracker(name="store", datasetGroupArn=group)["trackingId"]
    return Store(
        clients,
        wait,
        datasets["Items"],
        tracker,
        {recipe: campaign for recipe, (campaign, _) in made.items()},
        {recipe: version for recipe, (_, version) in made.items()},
    )


def test_without_new_items_there_is_nothing_to_explore(store: Store) -> None:
    for recipe in (V1, V2):
        first = store.recommend(recipe)
        assert all(store.recommend(recipe) == first for _ in range(10))


def test_a_put_item_appears_with_its_metadata_and_goes_with_weight_zero(store: Store) -> None:
    store.put("antique", department="aisle 1", price=9.5, creationTimestamp=LONG_AGO)
    store.put("novelty", department="aisle 1", price=9.5, creationTimestamp=int(time.time()))
    store.until(lambda: "novelty" in ids(store.recommend()))
    columns = {"ITEMS": ["DEPARTMENT", "PRICE"]}
    shown = store.until(
        lambda: [e for e in store.recommend(metadataColumns=columns) if e["itemId"] == "novelty"]
    )
    assert shown[0]["metadata"] == {"DEPARTMENT": "aisle 1", "PRICE": "9.5"}
    assert "reason" not in shown[0]
    assert store.times("antique") == 0
    store.weigh("0")
    described = store.clients.personalize.describe_campaign(campaignArn=store.campaigns[V1])["campaign"]
    assert described["campaignConfig"]["itemExplorationConfig"] == {"explorationWeight": "0"}
    first = store.recommend()
    assert all(store.recommend() == first for _ in range(30))
    store.weigh("1")
    assert store.times("novelty") > 0


def test_the_second_version_says_what_it_explores(store: Store) -> None:
    store.put("second", department="aisle 1", price=2.0, creationTimestamp=int(time.time()))
    shown = store.until(lambda: [e for e in store.recommend(V2) if e["itemId"] == "second"])
    assert shown[0]["reason"] == ["Exploration"]
    assert 0 <= shown[0]["score"] <= 1
    assert all(entry["reason"] == [] for entry in store.recommend(V2) if entry["itemId"] in ITEMS)


def test_a_filter_can_ask_for_put_items_alone(store: Store) -> None:
    group = store.items.removesuffix("/ITEMS").replace(":dataset/", ":dataset-group/")
    chosen = store.clients.personalize.create_filter(
        name="back-room",
        datasetGroupArn=group,
        filterExpression='INCLUDE ItemID WHERE Items.DEPARTMENT IN ("back room")',
    )["filterArn"]
    store.wait.active(chosen)
    assert store.recommend(filterArn=chosen) == []
    store.put("hidden", department="back room", price=2.0, creationTimestamp=int(time.time()))
    assert store.until(lambda: ids(store.recommend(filterArn=chosen))) == ["hidden"]


@pytest.mark.parametrize("explicit", [True, False])
def test_what_is_shown_and_not_chosen_is_explored_less(store: Store, explicit: bool) -> None:
    ignored = f"ignored-{explicit}"
    store.put(ignored, department="aisle 1", price=2.0, creationTimestamp=int(time.time()))
    store.until(lambda: ignored in ids(store.recommend()))
    before = store.times(ignored)
    assert before > 5
    answer = store.ask()
    while ignored not in ids(answer["itemList"]):
        answer = store.ask()
    for number in range(60):  # of different users: a person counts once a day for an item
        user, at = f"visitor-{explicit}-{number}", time.time() - 10 * number
        if explicit:
            store.event("i04", user, sentAt=at, impression=[ignored, "i04"])
        else:
            store.event("i04", user, sentAt=at, recommendationId=answer["recommendationId"])
    store.until(lambda: store.times(ignored) < before / 2)


def test_what_a_campaign_refuses(store: Store) -> None:
    for config, told in (
        ({"explorationWeight": "1.5"}, "from 0 to 1"),
        ({"explorationWeight": "-0.1"}, "from 0 to 1"),
        ({"explorationWeight": "nan"}, "from 0 to 1"),
        ({"explorationItemAgeCutOff": "0"}, "positive"),
        ({"explorationItemAgeCutOff": "a month"}, "positive"),
    ):
        campaign_config = {"itemExplorationConfig": config}
        personalize = store.clients.personalize
        for call, named in (
            (personalize.create_campaign, {"name": "refused", "solutionVersionArn": store.versions[V1]}),
            (personalize.update_campaign, {"campaignArn": store.campaigns[V1]}),
        ):
            assert told in fails("InvalidInputException", call, campaignConfig=campaign_config, **named)


def test_updates_end_for_the_older_version_and_go_on_with_the_newer(store: Store) -> None:
    solution = store.versions[V1].rpartition("/")[0]
    newer = store.clients.personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    store.wait.active(newer, 180)
    store.put("too-late", department="aisle 1", price=2.0, creationTimestamp=int(time.time()))
    assert store.times("too-late") == 0
    store.clients.personalize.update_campaign(campaignArn=store.campaigns[V1], solutionVersionArn=newer)
    store.wait.updated(store.campaigns[V1], "latestCampaignUpdate")
    store.until(lambda: "too-late" in ids(store.recommend()))
