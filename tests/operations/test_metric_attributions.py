"""Metric attributions through the official client: counts of streamed events, reports of imports."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

import shop
from live import PATIENCE, Clients, Server, Wait, fails, make_clients, make_shop

REGION = "eu-south-1"
ROLE = "arn:aws:iam::000000000000:role/Personalize"
METRICS = [
    {"eventType": "Click", "metricName": "Clicks", "expression": "SAMPLECOUNT()"},
    {"eventType": "click", "metricName": "Turnover", "expression": "SUM(Items.PRICE)"},
    {"eventType": "purchase", "metricName": "Worth", "expression": "sum( INTERACTIONS.EVENT_VALUE )"},
]


class Shop:
    """A server of its own with the small shop and a tracker."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.clients: Clients = make_clients(server.endpoint, REGION)
        self.personalize = self.clients.personalize
        self.wait = Wait(self.personalize)
        made = make_shop(server, REGION)
        self.group, self.datasets = made.group, made.datasets
        tracker = self.personalize.create_event_tracker(name="tracker", datasetGroupArn=self.group)
        self.tracker = tracker["trackingId"]
        self.event("item-20", "click", "before it was created")  # not the same event as a later one
        self.arn = self.create("one")

    def create(self, name: str, **other: Any) -> str:
        request: dict[str, Any] = {
            "name": name,
            "datasetGroupArn": self.group,
            "metrics": METRICS,
            "metricsOutputConfig": {"roleArn": ROLE, "s3DataDestination": {"path": "s3://reports/here"}},
        }
        return str(self.personalize.create_metric_attribution(**request | other)["metricAttributionArn"])

    def event(self, item: str, kind: str, source: str | None, value: float | None = None) -> None:
        event: dict[str, Any] = {"eventType": kind, "itemId": item, "sentAt": time.time()}
        if source is not None:
            event["metricAttribution"] = {"eventAttributionSource": source}
        if value is not None:
            event["eventValue"] = value
        self.clients.events.put_events(
            trackingId=self.tracker, userId="user-01", sessionId="s", eventList=[event]
        )
        time.sleep(0.001)

    def attributed(self) -> dict[tuple[str, str], float]:
        """What ``/metrics`` says, by metric and source."""
        with urllib.request.urlopen(f"{self.server.endpoint}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        found = {}
        for line in lines:
            if line.startswith("openpersonalize_attributed{"):
                labels, _, value = line.partition("{")[2].rpartition("} ")
                parts = dict(one.split("=", 1) for one in labels.split('",'))
                named = {name: text.strip('"') for name, text in parts.items()}
                assert named["metric_attribution"] == self.arn
                found[named["metric"], named["event_attribution_source"]] = float(value)
        return found

    def until_attributed(self, wanted: dict[tuple[str, str], float]) -> None:
        end = time.monotonic() + 30 * PATIENCE
        while (found := self.attributed()) != wanted:
            assert time.monotonic() < end, found
            time.sleep(0.2)

    def import_rows(self, name: str, mode: str, rows: list[str], publish: bool = True) -> None:
        text = "\n".join(["USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE", *rows]) + "\n"
        location = self.server.put(f"s3://more/{name}.csv", text)
        job = self.personalize.create_dataset_import_job(
            jobName=name,
            datasetArn=self.datasets["Interactions"],
            dataSource={"dataLocation": location},
            importMode=mode,
            publishAttributionMetricsToS3=publish,
        )["datasetImportJobArn"]
        self.wait.active(job)

    def reports(self) -> list[str]:
        folder = self.server.data / "buckets" / "reports" / "here"
        return [
            path.read_text()
            for path in sorted(folder.glob("AggregatedAttributionMetrics - BulkImport - *.csv"))
        ]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    server = Server(tmp_path_factory.mktemp("attribution") / "data", ("--minimum-data", "off")).start()
    yield Shop(server)
    server.stop()


STREAMED = {
    ("CLICKS", "newsletter"): 2.0,
    ("CLICKS", "SOURCE_NAME_UNDEFINED"): 1.0,
    ("TURNOVER", "newsletter"): 5.25 + 6.25,
    ("TURNOVER", "SOURCE_NAME_UNDEFINED"): 7.25,
    ("WORTH", "newsletter"): 4.0,
}


def test_streamed_events_are_counted_by_source(house: Shop) -> None:
    house.event("item-00", "click", "newsletter")
    house.event("item-01", "CLICK", "newsletter")
    house.event("item-02", "click", None)
    house.event("item-02", "purchase", "newsletter", 2.5)
    house.event("item-03", "purchase", "newsletter", 1.5)
    house.event("item-03", "watch", "newsletter")
    house.until_attributed(STREAMED)


def test_imports_leave_reports_and_incremental_ones_count(house: Shop) -> None:
    recent = int(time.time()) // 900 * 900 - 1800
    old = recent - 30 * 86_400
    rows = [f"u1,item-00,{recent + 1},click,", f"u2,item-01,{recent + 2},click,", f"u1,item-00,{old},click,"]
    house.import_rows("first", "INCREMENTAL", rows)
    (report,) = house.reports()
    assert report.splitlines() == [
        "METRIC_NAME,EVENT_TYPE,VALUE,MATH_FUNCTION,EVENT_ATTRIBUTION_SOURCE,TIMESTAMP",
        f"CLICKS,CLICK,2.0,samplecount,SOURCE_NAME_UNDEFINED,{recent}",
        f"TURNOVER,CLICK,11.5,sum,SOURCE_NAME_UNDEFINED,{recent}",
        f"CLICKS,CLICK,1.0,samplecount,SOURCE_NAME_UNDEFINED,{old // 900 * 900}",
        f"TURNOVER,CLICK,5.25,sum,SOURCE_NAME_UNDEFINED,{old // 900 * 900}",
    ]
    more = {("CLICKS", "SOURCE_NAME_UNDEFINED"): 3.0, ("TURNOVER", "SOURCE_NAME_UNDEFINED"): 7.25 + 11.5}
    house.until_attributed(STREAMED | more)
    house.import_rows("second", "FULL", shop.csv("Interactions").splitlines()[1:])
    assert len(house.reports()) == 2
    assert house.reports()[1].startswith("METRIC_NAME,")
    house.import_rows("third", "INCREMENTAL", [f"u9,item-05,{recent},watch,"], publish=False)
    assert len(house.reports()) == 2
    assert house.attributed() == STREAMED | more


def test_it_is_described_listed_and_updated(house: Shop) -> None:
    personalize = house.personalize
    described = personalize.describe_metric_attribution(metricAttributionArn=house.arn)["metricAttribution"]
    assert described["status"] == "ACTIVE"
    assert described["metricsOutputConfig"]["s3DataDestination"] == {"path": "s3://reports/here"}
    (summary,) = personalize.list_metric_attributions(datasetGroupArn=house.group)["metricAttributions"]
    assert summary["metricAttributionArn"] == house.arn
    every = personalize.list_metric_attribution_metrics
    assert every(metricAttributionArn=house.arn)["metrics"] == METRICS
    page = every(metricAttributionArn=house.arn, maxResults=2)
    assert page["metrics"] == METRICS[:2]
    assert every(metricAttributionArn=house.arn, nextToken=page["nextToken"])["metrics"] == METRICS[2:]
    fails("InvalidInputException", every)
    fails("InvalidInputException", every, metricAttributionArn=f"{house.arn}x")
    fails("InvalidNextTokenException", every, metricAttributionArn=house.arn, nextToken="abc")
    update = personalize.update_metric_attribution
    added = {"eventType": "watch", "metricName": "Watched", "expression": "SAMPLECOUNT()"}
    update(metricAttributionArn=house.arn, addMetrics=[added], removeMetrics=["worth"])
    assert every(metricAttributionArn=house.arn)["metrics"] == [*METRICS[:2], added]
    config = {"roleArn": ROLE}
    update(metricAttributionArn=house.arn, metricsOutputConfig=config)
    described = personalize.describe_metric_attribution(metricAttributionArn=house.arn)["metricAttribution"]
    assert described["metricsOutputConfig"] == config
    fails("ResourceAlreadyExistsException", update, metricAttributionArn=house.arn, addMetrics=[added])
    fails("InvalidInputException", update, metricAttributionArn=house.arn, removeMetrics=["nothing"])
    fails("InvalidInputException", update, addMetrics=[added])
    fails("ResourceNotFoundException", update, metricAttributionArn=f"{house.arn}x", addMetrics=[added])
    ten = [{**added, "metricName": f"m{number}"} for number in range(8)]
    fails("InvalidInputException", update, metricAttributionArn=house.arn, addMetrics=ten)
    fails(
        "InvalidInputException",
        personalize.create_dataset_import_job,
        jobName="nowhere",
        datasetArn=house.datasets["Interactions"],
        dataSource={"dataLocation": "s3://more/first.csv"},
        publishAttributionMetricsToS3=True,
    )


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"expression": "SUM(Items.DEPARTMENT)"}, "no numeric column DEPARTMENT"),
    ({"expression": "SUM(Items.NONE)"}, "no column NONE"),
    ({"expression": "SUM(Users.AGE)"}, "Invalid expression"),
    ({"expression": "AVG(Items.PRICE)"}, "Invalid expression"),
    ({"eventType": "\x00"}, "eventType must have characters"),
    ({"eventType": ""}, "eventType must have characters"),
    ({"metricName": " "}, "metricName must have characters"),
]


@pytest.mark.parametrize(("change", "words"), REFUSED)
def test_metrics_that_are_refused(house: Shop, change: dict[str, Any], words: str) -> None:
    update = house.personalize.update_metric_attribution
    bad = {"eventType": "click", "metricName": "bad", "expression": "SAMPLECOUNT()"} | change
    assert words in fails("InvalidInputException", update, metricAttributionArn=house.arn, addMetrics=[bad])


def test_creations_that_are_refused_and_deletion(house: Shop) -> None:
    create = house.personalize.create_metric_attribution
    good: dict[str, Any] = {
        "name": "two",
        "datasetGroupArn": house.group,
        "metrics": METRICS,
        "metricsOutputConfig": {"roleArn": ROLE},
    }
    assert house.arn in fails("ResourceAlreadyExistsException", create, **good)
    fails("ResourceNotFoundException", create, **good | {"datasetGroupArn": f"{house.group}x"})
    fails("InvalidInputException", create, **good | {"metrics": []})
    fails("InvalidInputException", create, **good | {"metrics": METRICS * 4})
    elsewhere = {"roleArn": ROLE, "s3DataDestination": {"path": "http://here/"}}
    fails("InvalidInputException", create, **good | {"metricsOutputConfig": elsewhere})
    fails("InvalidInputException", house.personalize.list_tags_for_resource, resourceArn=house.arn)
    empty = house.personalize.create_dataset_group(name="empty")["datasetGroupArn"]
    house.wait.active(empty)
    message = fails("InvalidInputException", create, **good | {"datasetGroupArn": empty})
    assert "Interactions dataset" in message
    house.personalize.delete_metric_attribution(metricAttributionArn=house.arn)
    house.wait.gone(house.arn)
    fails(
        "ResourceNotFoundException",
        house.personalize.delete_metric_attribution,
        metricAttributionArn=house.arn,
    )
    house.until_attributed({})
    twice = [METRICS[0], METRICS[0] | {"metricName": "CLICKS"}]
    fails("InvalidInputException", create, **good | {"metrics": twice})
    again = create(**good | {"name": "one"})["metricAttributionArn"]
    assert again == house.arn
    assert json.dumps(
        house.personalize.list_metric_attribution_metrics(metricAttributionArn=again)["metrics"]
    )
