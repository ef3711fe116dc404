"""Records of one id from imports and from PutItems, over the wire: the newest write is what filters see."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

import shop
from live import Clients, Server, Wait, make_shop

HEADER = "ITEM_ID,DEPARTMENT,PRICE,COLOUR,CREATION_TIMESTAMP"


@dataclass(frozen=True)
class Shelf:
    """The Items dataset of a shop with a campaign, and a filter that shows which items have a colour."""

    clients: Clients
    wait: Wait
    server: Server
    items: str
    campaign: str
    filter: str

    def load(self, job: str, colours: dict[str, str], mode: str = "FULL") -> None:
        """Import items in these colours; returns when the job is ACTIVE."""
        lines = [f"{item},{shop.department(item)},1.5,{colour},1000" for item, colour in colours.items()]
        location = self.server.put(f"s3://records/{job}.csv", "\n".join([HEADER, *lines]) + "\n")
        made = self.clients.personalize.create_dataset_import_job(
            jobName=job, datasetArn=self.items, dataSource={"dataLocation": location}, importMode=mode
        )
        self.wait.active(made["datasetImportJobArn"])

    def put(self, item: str, colour: str) -> None:
        record = {
            "DEPARTMENT": shop.department(item),
            "PRICE": 2.5,
            "COLOUR": colour,
            "CREATION_TIMESTAMP": 1,
        }
        self.clients.events.put_items(
            datasetArn=self.items, items=[{"itemId": item, "properties": json.dumps(record)}]
        )

    def having(self, colour: str) -> set[str]:
        """The items that the filter lets through."""
        answer = self.clients.runtime.get_recommendations(
            campaignArn=self.campaign,
            filterArn=self.filter,
            filterValues={"COLOUR": json.dumps(colour)},
            numResults=100,
        )
        return {item["itemId"] for item in answer["itemList"]}


@pytest.fixture(scope="module")
def shelf(server: Server, region: str, clients: Clients, personalize: Any, wait: Wait) -> Shelf:
    made = make_shop(server, region, "records")
    solution = personalize.create_solution(
        name="records",
        datasetGroupArn=made.group,
        recipeArn="arn:aws:personalize:::recipe/aws-popularity-count",
    )["solutionArn"]
    wait.active(solution)
    version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    wait.active(version)
    campaign = personalize.create_campaign(name="records", solutionVersionArn=version)["campaignArn"]
    chosen = personalize.create_filter(
        name="records",
        datasetGroupArn=made.group,
        filterExpression="INCLUDE ItemID WHERE Items.COLOUR IN ($COLOUR)",
    )["filterArn"]
    wait.active(campaign)
    wait.active(chosen)
    return Shelf(clients, wait, server, made.datasets["Items"], campaign, chosen)


def test_the_newest_write_is_in_force(shelf: Shelf) -> None:
    shelf.load("base", dict.fromkeys(shop.ITEMS[:10], "blue"))
    assert shelf.having("blue") == set(shop.ITEMS[:10])
    a, b, absent = "item-01", "item-02", "item-30"
    for item in (a, b, absent):
        shelf.put(item, "gold")
    assert shelf.having("gold") == {a, b, absent}
    shelf.load("more", {b: "green", "item-03": "green"}, "INCREMENTAL")
    assert shelf.having("gold") == {a, absent}, "an import does not renew the rows that it lacks"
    assert shelf.having("green") == {b, "item-03"}
    shelf.put("item-03", "gold")
    assert shelf.having("gold") == {a, "item-03", absent}
    shelf.load("again", dict.fromkeys(shop.ITEMS[:3], "pink"))
    assert shelf.having("pink") == set(shop.ITEMS[:3])
    assert shelf.having("gold") == {"item-03", absent}, "no import takes a streamed record away"
    shelf.put(a, "gold")
    assert shelf.having("gold") == {a, "item-03", absent}


def test_a_record_streamed_while_the_import_waits_is_newer_than_its_files(shelf: Shelf) -> None:
    lines = [f"item-{number:02d},books,1.5,grey,1000" for number in range(60)]
    location = shelf.server.put("s3://records/grey.csv", "\n".join([HEADER, *lines]) + "\n")
    job = shelf.clients.personalize.create_dataset_import_job(
        jobName="grey", datasetArn=shelf.items, dataSource={"dataLocation": location}
    )["datasetImportJobArn"]
    shelf.put("item-07", "white")
    shelf.wait.active(job)
    assert shelf.having("white") == {"item-07"}
    assert shelf.having("grey") == set(shop.ITEMS) - {"item-07"}
