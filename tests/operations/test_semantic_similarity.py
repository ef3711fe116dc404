"""aws-semantic-similarity over the wire: a catalogue of texts without an interaction, items put later."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

import promises
import shop
from live import Clients, Server, Wait, fails

RECIPE = "arn:aws:personalize:::recipe/aws-semantic-similarity"
SCHEMA = shop.schema(
    "Items",
    shop.field("ITEM_ID"),
    shop.field("NAME", itemName=True),
    shop.field("TEXT", ["null", "string"], textual=True),
    shop.field("CREATION_TIMESTAMP", ["null", "long"]),
)
KINDS = {
    "tea": ("tea", "loose leaves from the hills, strong and malty"),
    "saw": ("saw", "cuts boards with a blade of hardened steel"),
    "rug": ("rug", "woven of wool by hand, warm underfoot"),
}


def rows() -> list[str]:
    """Twelve items of each kind, the later the newer."""
    return [
        f"{kind}-{k:02d},{('green', 'red', 'old')[k % 3]} {name},{text.split()[k % 5]} {text},{1000 + k}"
        for kind, (name, text) in KINDS.items()
        for k in range(12)
    ]


class Catalogue:
    """A group with an Items dataset only, and a campaign."""

    def __init__(self, server: Server, clients: Clients, wait: Wait, group: str) -> None:
        personalize = clients.personalize
        self.clients, self.wait, self.group = clients, wait, group
        schema = personalize.create_schema(name="texts", schema=SCHEMA)["schemaArn"]
        self.items = personalize.create_dataset(
            name="texts", datasetGroupArn=group, datasetType="Items", schemaArn=schema
        )["datasetArn"]
        text = "\n".join(["ITEM_ID,NAME,TEXT,CREATION_TIMESTAMP", *(_quoted(row) for row in rows())])
        job = personalize.create_dataset_import_job(
            jobName="texts",
            datasetArn=self.items,
            dataSource={"dataLocation": server.put("s3://texts/items.csv", text + "\n")},
        )["datasetImportJobArn"]
        wait.active(job)
        self.version, self.campaign = self.trained("by-meaning")

    def trained(self, name: str, config: dict[str, Any] | None = None, **more: Any) -> tuple[str, str]:
        """A version and its campaign."""
        personalize = self.clients.personalize
        solution = personalize.create_solution(
            name=name, datasetGroupArn=self.group, recipeArn=RECIPE, performAutoTraining=False, **more
        )["solutionArn"]
        version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
        self.wait.active(version)
        campaign = personalize.create_campaign(
            name=name, solutionVersionArn=version, campaignConfig=config or {}
        )["campaignArn"]
        self.wait.active(campaign)
        return version, campaign

    def put(self, item: str, name: str, text: str) -> None:
        record = {"NAME": name, "TEXT": text, "CREATION_TIMESTAMP": 2000}
        self.clients.events.put_items(
            datasetArn=self.items, items=[{"itemId": item, "properties": json.dumps(record)}]
        )

    def ids(self, item: str, count: int = 11, campaign: str = "") -> list[str]:
        answer = self.clients.runtime.get_recommendations(
            campaignArn=campaign or self.campaign, itemId=item, numResults=count
        )
        return [one["itemId"] for one in answer["itemList"]]


def _quoted(row: str) -> str:
    item, name, *text, created = row.split(",")
    return f'{item},{name},"{",".join(text)}",{created}'


@pytest.fixture(scope="module")
def catalogue(server: Server, clients: Clients, wait: Wait, group: str) -> Catalogue:
    return Catalogue(server, clients, wait, group)


def eventually(holds: Callable[[], bool], seconds: float = 20) -> None:
    """Asks again and again until it holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_items_of_the_same_meaning(catalogue: Catalogue) -> None:
    for kind in KINDS:
        found = catalogue.ids(f"{kind}-03")
        assert {one[:3] for one in found} == {kind}
        assert len(found) == 11
        assert f"{kind}-03" not in found


def test_metrics(catalogue: Catalogue) -> None:
    found = catalogue.clients.personalize.get_solution_metrics(solutionVersionArn=catalogue.version)
    without = {"item_popularity"}  # nobody interacted with anything
    assert set(found["metrics"]) == promises.metrics_of("aws-semantic-similarity") - without
    assert found["metrics"]["item_freshness"] == pytest.approx(0.5)


def test_freshness_counts_as_the_campaign_says(catalogue: Catalogue) -> None:
    _, fresh = catalogue.trained("fresh", {"rankingInfluence": {"FRESHNESS": 1.0}})
    plain, newer = (
        [int(one[4:]) for one in catalogue.ids("rug-03", 3, campaign)]
        for campaign in (catalogue.campaign, fresh)
    )
    assert min(newer) >= 9
    assert sum(newer) > sum(plain)
    message = fails(
        "InvalidInputException",
        catalogue.clients.personalize.create_campaign,
        name="wrong",
        solutionVersionArn=catalogue.version,
        campaignConfig={"rankingInfluence": {"FRESHNESS": 1.5}},
    )
    assert "rankingInfluence" in message


def test_an_item_put_after_training_is_asked_about_and_listed(catalogue: Catalogue) -> None:
    catalogue.put("saw-new", "green saw", "cuts trees with a blade of hardened steel")
    assert {one[:3] for one in catalogue.ids("saw-new")} == {"saw"}
    assert "saw-new" not in catalogue.ids("saw-new", 100)
    eventually(lambda: "saw-new" in catalogue.ids("saw-00", 12))
    assert {one[:3] for one in catalogue.ids("saw-00", 12)} == {"saw"}


def test_without_incremental_updates_nothing_joins(catalogue: Catalogue) -> None:
    _, still = catalogue.trained("still", performIncrementalUpdate=False)
    catalogue.put("rug-new", "red rug", "woven of wool by hand, warm underfoot")
    eventually(lambda: "rug-new" in catalogue.ids("rug-00", 12))
    assert "rug-new" not in catalogue.ids("rug-00", 100, still)


def test_an_unknown_item_has_the_newest(catalogue: Catalogue) -> None:
    assert {one[4:] for one in catalogue.ids("nothing", 3)} == {"11"}


def test_a_schema_without_names_or_texts_is_refused(
    clients: Clients, wait: Wait, make_schema: Callable[..., str], name: str
) -> None:
    personalize = clients.personalize
    group = personalize.create_dataset_group(name=name)["datasetGroupArn"]
    wait.active(group)
    personalize.create_dataset(
        name=name, datasetGroupArn=group, datasetType="Items", schemaArn=make_schema(shop.SCHEMAS["Items"])
    )
    message = fails(
        "InvalidInputException",
        personalize.create_solution,
        name=name,
        datasetGroupArn=group,
        recipeArn=RECIPE,
    )
    assert "itemName" in message
