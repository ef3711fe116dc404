"""Dataset export jobs over the wire: what each mode holds, and files that can be imported again."""

from __future__ import annotations

import csv
import itertools
import json
import time
from typing import Any

import pytest

import shop
from live import Clients, Server, Wait, fails, make_shop

ROLE = "arn:aws:iam::000000000000:role/Export"
_numbers = itertools.count(1)


class Exports:
    """The small shop of a module, with records and events that were put."""

    def __init__(self, server: Server, clients: Clients, wait: Wait, region: str) -> None:
        self.server, self.clients, self.wait = server, clients, wait
        self.stock = make_shop(server, region)

    def job(self, kind: str, **more: Any) -> tuple[str, str]:
        """ARN of a new export and the folder that it writes to."""
        name = f"export-{next(_numbers)}"
        made = self.clients.personalize.create_dataset_export_job(
            jobName=name,
            datasetArn=self.stock.datasets[kind],
            roleArn=ROLE,
            jobOutput={"s3DataDestination": {"path": f"s3://exports/{name}"}},
            **more,
        )
        return made["datasetExportJobArn"], f"exports/{name}"

    def text(self, kind: str, mode: str) -> str:
        """The one file of an export."""
        arn, folder = self.job(kind, ingestionMode=mode)
        self.wait.active(arn)
        [path] = (self.server.data / "buckets" / folder).iterdir()
        assert path.name == f"{folder.split('/')[1]}-part-00000.csv"
        return path.read_text("utf-8")

    def rows(self, kind: str, mode: str) -> list[list[str]]:
        header, *rows = csv.reader(
            self.text(kind, mode).splitlines(keepends=True), escapechar="\\", doublequote=False
        )
        assert header == [field["name"] for field in json.loads(shop.SCHEMAS[kind])["fields"]]
        return rows

    def put_item(self, item: str, department: str, price: float, **more: Any) -> None:
        said = {"department": department, "price": price, "creationTimestamp": shop.LAST, **more}
        self.clients.events.put_items(
            datasetArn=self.stock.datasets["Items"],
            items=[{"itemId": item, "properties": json.dumps(said)}],
        )


@pytest.fixture(scope="module")
def exports(server: Server, clients: Clients, wait: Wait, region: str) -> Exports:
    return Exports(server, clients, wait, region)


def test_life(exports: Exports) -> None:
    arn, folder = exports.job("Users", tags=[{"tagKey": "a", "tagValue": "b"}])
    assert arn.endswith(f":dataset-export-job/{folder.split('/')[1]}")
    described = exports.wait.active(arn)
    assert described["ingestionMode"] == "PUT"
    assert described["datasetArn"] == exports.stock.datasets["Users"]
    assert described["roleArn"] == ROLE
    assert described["jobOutput"] == {"s3DataDestination": {"path": f"s3://{folder}"}}
    assert "failureReason" not in described
    listed = exports.clients.personalize.list_dataset_export_jobs(datasetArn=exports.stock.datasets["Users"])
    assert arn in [job["datasetExportJobArn"] for job in listed["datasetExportJobs"]]
    tags = exports.clients.personalize.list_tags_for_resource(resourceArn=arn)["tags"]
    assert tags == [{"tagKey": "a", "tagValue": "b"}]
    path = exports.server.data / "buckets" / folder / f"{folder.split('/')[1]}-part-00000.csv"
    assert path.read_text() == "USER_ID,AGE,CITY\n"  # nobody was put
    fails(
        "ResourceAlreadyExistsException",
        exports.clients.personalize.create_dataset_export_job,
        jobName=folder.split("/")[1],
        datasetArn=exports.stock.datasets["Users"],
        roleArn=ROLE,
        jobOutput={"s3DataDestination": {"path": "s3://exports/"}},
    )


@pytest.mark.parametrize("kind", shop.TYPES)
def test_bulk_is_what_was_imported(exports: Exports, kind: str) -> None:
    found = sorted(exports.text(kind, "BULK").splitlines())
    assert found == sorted(shop.csv(kind).splitlines())


def test_records_of_each_mode(exports: Exports) -> None:
    exports.put_item("new-item", "toys", 1.5)
    exports.put_item("new-item", "toys", 2.5, colour='a "b", \\c')
    exports.put_item("new-item", "toys", 2.5, colour='a "b", \\c')
    exports.put_item("item-03", "moved", 9.25)
    put = exports.rows("Items", "PUT")
    last = ["new-item", "toys", "2.5", 'a "b", \\c', str(shop.LAST)]
    assert put == [
        ["new-item", "toys", "1.5", "", str(shop.LAST)],
        last,
        ["item-03", "moved", "9.25", "", str(shop.LAST)],
    ]
    everything = {row[0]: row for row in exports.rows("Items", "ALL")}
    assert set(everything) == {*shop.ITEMS, "new-item"}
    assert everything["new-item"] == last
    assert everything["item-03"][1] == "moved"
    assert everything["item-04"][1] == shop.department("item-04")
    assert len(exports.rows("Items", "ALL")) == 61
    assert {row[1] for row in exports.rows("Items", "BULK")} == set(shop.DEPARTMENTS)


def test_streamed_events(exports: Exports) -> None:
    tracker = exports.clients.personalize.create_event_tracker(
        name="tracker", datasetGroupArn=exports.stock.group
    )["trackingId"]
    now = int(time.time())
    sent = [
        {"eventType": "click", "itemId": "item-01", "sentAt": now, "eventId": "e1"},
        {"eventType": "click", "itemId": "item-02", "sentAt": now, "eventId": "e1"},
        {"eventType": "click", "itemId": "item-03", "sentAt": now, "properties": '{"shoe": "red"}'},
        {"eventType": "click", "itemId": "item-03", "sentAt": now},
        {"eventType": "buy, now", "itemId": "item-04", "sentAt": now, "eventValue": 2.0},
    ]
    exports.clients.events.put_events(trackingId=tracker, sessionId="lone", eventList=sent)
    expected = [
        ["lone", "item-01", str(now), "click", ""],
        ["lone", "item-02", str(now), "click", ""],
        ["lone", "item-03", str(now), "click", ""],
        ["lone", "item-04", str(now), "buy, now", "2.0"],
    ]
    assert exports.rows("Interactions", "PUT") == expected
    everything = exports.rows("Interactions", "ALL")
    assert everything[-4:] == expected
    assert len(everything) == len({tuple(row) for row in everything}) == 1440 + 4


def test_an_export_can_be_imported(exports: Exports) -> None:
    exports.put_item("twice", "toys", 2.5, colour='q" \\" \\ \n,')
    text = exports.text("Items", "ALL")
    arn = exports.clients.personalize.create_dataset_import_job(
        jobName="again",
        datasetArn=exports.stock.datasets["Items"],
        dataSource={"dataLocation": exports.server.put("s3://again/items.csv", text)},
    )["datasetImportJobArn"]
    exports.wait.active(arn)
    assert sorted(exports.text("Items", "BULK")) == sorted(text)


def test_refusals(exports: Exports) -> None:
    request = {
        "jobName": "refused",
        "datasetArn": exports.stock.datasets["Items"],
        "roleArn": ROLE,
        "jobOutput": {"s3DataDestination": {"path": "s3://exports/x/"}},
    }
    create = exports.clients.personalize.create_dataset_export_job
    bad = {"s3DataDestination": {"path": "https://elsewhere/x"}}
    assert fails("InvalidInputException", create, **request | {"jobOutput": bad}) == "Invalid Data location."
    missing = exports.stock.datasets["Items"].replace("ITEMS", "ACTIONS")
    fails("ResourceNotFoundException", create, **request | {"datasetArn": missing})
    tags = [{"tagKey": f"k{n}", "tagValue": ""} for n in range(60)]
    fails("TooManyTagsException", create, **request, tags=tags)
    fails(
        "ResourceNotFoundException",
        exports.clients.personalize.describe_dataset_export_job,
        datasetExportJobArn=f"arn:aws:personalize:{exports.stock.region}:000000000000:dataset-export-job/no",
    )
