"""What users are and where they ask from changes what they are recommended, from an import to the answer."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass
from typing import Any

import pytest

import shop
from live import Clients, Server, Wait, make_clients

V2, RANKING, POPULAR = "aws-user-personalization-v2", "aws-personalized-ranking-v2", "aws-popularity-count"
START = int(time.time()) - 10 * 86_400
SCHEMAS = {
    "Interactions": shop.schema(
        "Interactions",
        shop.field("USER_ID"),
        shop.field("ITEM_ID"),
        shop.field("TIMESTAMP", "long"),
        shop.field("DEVICE", ["null", "string"], categorical=True),
    ),
    "Users": shop.schema("Users", shop.field("USER_ID"), shop.field("TOWN", categorical=True)),
}


def interactions() -> str:
    """People of Oslo take o0..o9, those of Lyon l0..l9, now and then the other's; even numbers on a phone,
    odd ones on a tv."""
    draw = random.Random(5)
    lines = ["USER_ID,ITEM_ID,TIMESTAMP,DEVICE"]
    for user in range(480):
        for place in range(6):
            phone = draw.random() < 0.5
            own = (user % 2 == 0) == (draw.random() < 0.85)
            number = 2 * draw.randrange(5) + (draw.random() < (0.1 if phone else 0.9))
            device = "phone" if phone else "tv"
            lines.append(f"u{user:03},{'o' if own else 'l'}{number},{START + 900 * user + place},{device}")
    return "\n".join(lines) + "\n"


def users() -> str:
    lines = ["USER_ID,TOWN", "new in Oslo,Oslo", "new in Lyon,Lyon"]
    lines += [f"u{user:03},{'Lyon' if user % 2 else 'Oslo'}" for user in range(480)]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Towns:
    """The deployed data set."""

    clients: Clients
    wait: Wait
    group: str
    datasets: dict[str, str]
    campaigns: dict[str, str]

    def first(self, recipe: str, user: str, **more: Any) -> list[str]:
        """The six best items for a user."""
        answer = self.clients.runtime.get_recommendations(
            campaignArn=self.campaigns[recipe], userId=user, numResults=6, **more
        )
        return [entry["itemId"] for entry in answer["itemList"]]

    def rank(self, user: str, items: list[str], **more: Any) -> list[str]:
        answer = self.clients.runtime.get_personalized_ranking(
            campaignArn=self.campaigns[RANKING], userId=user, inputList=items, **more
        )
        return [entry["itemId"] for entry in answer["personalizedRanking"]]

    def put_user(self, user: str, **properties: str) -> None:
        self.clients.events.put_users(
            datasetArn=self.datasets["Users"], users=[{"userId": user, "properties": json.dumps(properties)}]
        )

    def deploy(self, recipe: str, name: str) -> str:
        personalize = self.clients.personalize
        solution = personalize.create_solution(
            name=name,
            datasetGroupArn=self.group,
            recipeArn=f"arn:aws:personalize:::recipe/{recipe}",
            performAutoTraining=False,
        )["solutionArn"]
        self.wait.active(solution)
        version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
        self.wait.active(version, 180)
        # All items are new here: an answer that explores now and then could not be compared with another.
        still = {"itemExplorationConfig": {"explorationWeight": "0"}} if recipe == V2 else {}
        campaign = personalize.create_campaign(name=name, solutionVersionArn=version, campaignConfig=still)[
            "campaignArn"
        ]
        self.wait.active(campaign)
        return str(campaign)


@pytest.fixture(scope="module")
def towns(server: Server, region: str) -> Towns:
    clients = make_clients(server.endpoint, region)
    personalize, wait = clients.personalize, Wait(clients.personalize)
    group = personalize.create_dataset_group(name="towns")["datasetGroupArn"]
    wait.active(group)
    datasets = {}
    for kind, text in (("Interactions", interactions()), ("Users", users())):
        schema = personalize.create_schema(name=f"towns-{kind}", schema=SCHEMAS[kind])["schemaArn"]
        datasets[kind] = personalize.create_dataset(
            name=kind, datasetGroupArn=group, datasetType=kind, schemaArn=schema
        )["datasetArn"]
        location = server.put(f"s3://towns/{kind}.csv", text)
        job = personalize.create_dataset_import_job(
            jobName=f"towns-{kind}", datasetArn=datasets[kind], dataSource={"dataLocation": location}
        )["datasetImportJobArn"]
        wait.active(job)
    made = Towns(clients, wait, group, datasets, {})
    made.put_user("put in Lyon", town="Lyon")
    made.campaigns.update({recipe: made.deploy(recipe, recipe) for recipe in (V2, RANKING, POPULAR)})
    return made


def sides(items: list[str]) -> set[str]:
    return {item[0] for item in items}


def parities(items: list[str]) -> set[int]:
    return {int(item[1:]) % 2 for item in items}


def test_newcomers_get_what_their_town_likes(towns: Towns) -> None:
    assert sides(towns.first(V2, "new in Oslo")) == {"o"}
    assert sides(towns.first(V2, "new in Lyon")) == {"l"}
    assert sides(towns.first(V2, "put in Lyon")) == {"l"}
    assert towns.first(POPULAR, "new in Oslo") == towns.first(POPULAR, "new in Lyon")


def test_a_user_put_later_waits_for_the_next_training(towns: Towns) -> None:
    before = towns.first(V2, "later")
    assert before == towns.first(V2, "somebody else")
    towns.put_user("later", town="Lyon")
    assert towns.first(V2, "later") == before
    towns.campaigns["again"] = towns.deploy(V2, "again")
    assert sides(towns.first("again", "later")) == {"l"}


def test_the_device_changes_the_answer(towns: Towns) -> None:
    assert parities(towns.first(V2, "somebody", context={"DEVICE": "phone"})) == {0}
    assert parities(towns.first(V2, "nobody", context={"device": "tv"})) == {1}
    oslo = towns.first(V2, "new in Oslo", context={"DEVICE": "tv"})[:4]
    assert (sides(oslo), parities(oslo)) == ({"o"}, {1})
    plain = towns.first(V2, "somebody")
    for context in ({"DEVICE": "fridge"}, {"COLOUR": "red"}, {"USER_ID": "new in Oslo", "TIMESTAMP": "1"}):
        assert towns.first(V2, "somebody", context=context) == plain


def test_a_ranking_for_a_newcomer_follows_both(towns: Towns) -> None:
    given = ["o1", "l1", "o2", "l2"]
    oslo = towns.rank("new in Oslo", given, context={"DEVICE": "phone"})
    lyon = towns.rank("new in Lyon", given, context={"DEVICE": "tv"})
    assert (oslo[0], lyon[0]) == ("o2", "l1")
    assert sides(towns.rank("new in Oslo", given)[:2]) == {"o"}
    assert parities(towns.rank("somebody", given, context={"DEVICE": "phone"})[:2]) == {0}


def test_an_event_makes_a_newcomer_personal(towns: Towns) -> None:
    tracker = towns.clients.personalize.create_event_tracker(name="towns", datasetGroupArn=towns.group)
    before = towns.first(V2, "new in Lyon")
    sent = {"eventType": "click", "sentAt": time.time()}
    towns.clients.events.put_events(
        trackingId=tracker["trackingId"],
        userId="new in Lyon",
        sessionId="s",
        eventList=[{**sent, "itemId": item} for item in ("o3", "o5")],
    )
    assert towns.first(V2, "new in Lyon") != before
    assert sides(towns.first(V2, "new in Lyon", context={"DEVICE": "tv"})) >= {"l"}
