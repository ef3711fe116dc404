"""Actions and action interactions over the wire: their datasets, imports, streamed writes, exports."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import shop
from live import Clients, Server, Wait, fails, make_clients

UNKNOWN = "11111111-2222-3333-4444-555555555555"
ROLE = "arn:aws:iam::000000000000:role/Personalize"
SCHEMAS = {
    "Actions": shop.schema(
        "Actions",
        shop.field("ACTION_ID"),
        shop.field("KIND", categorical=True),
        shop.field("VALUE", ["long", "null"]),
        shop.field("EXPIRATION_TIMESTAMP", ["long", "null"]),
        shop.field("REPEAT_FREQUENCY", ["long", "null"]),
        shop.field("CREATION_TIMESTAMP", "long"),
    ),
    "Action_Interactions": shop.schema(
        "ActionInteractions",
        shop.field("USER_ID"),
        shop.field("ACTION_ID"),
        shop.field("EVENT_TYPE"),
        shop.field("TIMESTAMP", "long"),
        shop.field("RECOMMENDATION_ID", ["string", "null"]),
        # A column of one's own, though an Interactions schema has one of that name.
        shop.field("ITEM_ID", ["string", "null"]),
    ),
}
TAKEN = {"actionId": "loyalty", "sessionId": "s1", "timestamp": 1_700_000_000, "eventType": "Taken"}


@dataclass(frozen=True)
class Datasets:
    """A dataset group with the two kinds of datasets."""

    server: Server
    clients: Clients
    wait: Wait
    name: str
    group: str
    actions: str
    interactions: str
    tracking_id: str

    def load(self, dataset: str, job: str, text: str, **more: str) -> dict[str, Any]:
        """Import rows; the finished job."""
        location = self.server.put(
            f"s3://actions/{self.clients.personalize.meta.region_name}/{job}.csv", text
        )
        arn = self.clients.personalize.create_dataset_import_job(
            jobName=f"{self.name}-{job}",
            datasetArn=dataset,
            dataSource={"dataLocation": location},
            **more,
        )["datasetImportJobArn"]
        self.wait.final(arn)
        return self.wait.describe(arn)

    def exported(self, dataset: str, job: str, mode: str = "ALL") -> list[str]:
        """The lines of an export, the header first."""
        path = f"s3://actions/out-{self.clients.personalize.meta.region_name}-{self.name}-{job}/"
        arn = self.clients.personalize.create_dataset_export_job(
            jobName=f"{self.name}-{job}",
            datasetArn=dataset,
            ingestionMode=mode,
            roleArn=ROLE,
            jobOutput={"s3DataDestination": {"path": path}},
        )["datasetExportJobArn"]
        self.wait.active(arn)
        folder = self.server.data / "buckets" / path.removeprefix("s3://")
        return [line for part in sorted(folder.iterdir()) for line in part.read_text().splitlines()]

    def put(self, *interactions: dict[str, Any], tracking_id: str | None = None) -> Any:
        return self.clients.events.put_action_interactions(
            trackingId=tracking_id or self.tracking_id, actionInteractions=list(interactions)
        )

    def put_action(self, action: str, **properties: Any) -> Any:
        record = {"actionId": action, "properties": json.dumps(properties)}
        return self.clients.events.put_actions(datasetArn=self.actions, actions=[record])


def make_datasets(server: Server, clients: Clients, name: str) -> Datasets:
    personalize, wait = clients.personalize, Wait(clients.personalize)
    group = personalize.create_dataset_group(name=name)["datasetGroupArn"]
    wait.active(group)
    arns = {}
    for kind, text in SCHEMAS.items():
        schema = personalize.create_schema(name=f"{name}-{kind}", schema=text)["schemaArn"]
        arns[kind] = personalize.create_dataset(
            name=kind, datasetGroupArn=group, datasetType=kind, schemaArn=schema
        )["datasetArn"]
    described = wait.describe(arns["Action_Interactions"])
    return Datasets(
        server,
        clients,
        wait,
        name,
        group,
        arns["Actions"],
        arns["Action_Interactions"],
        described["trackingId"],
    )


@pytest.fixture
def datasets(server: Server, clients: Clients, name: str) -> Iterator[Datasets]:
    made = make_datasets(server, clients, name)
    yield made
    for arn in (made.actions, made.interactions):
        clients.personalize.delete_dataset(datasetArn=arn)
        made.wait.gone(arn)
    clients.personalize.delete_dataset_group(datasetGroupArn=made.group)
    made.wait.gone(made.group)


def test_only_action_interactions_have_a_tracking_id(datasets: Datasets) -> None:
    assert "trackingId" not in datasets.wait.describe(datasets.actions)
    personalize = datasets.clients.personalize
    assert personalize.list_event_trackers(datasetGroupArn=datasets.group)["eventTrackers"] == []


def test_rows_are_imported_streamed_and_exported(datasets: Datasets) -> None:
    rows = "USER_ID,ACTION_ID,EVENT_TYPE,TIMESTAMP,RECOMMENDATION_ID,ITEM_ID\nann,loyalty,TAKEN,5,,\n"
    job = datasets.load(datasets.interactions, "one", rows + "bob,sale,Viewed,6,R,book\n")
    assert job["status"] == "ACTIVE", job
    answer = datasets.put(
        TAKEN | {"userId": "ann", "properties": json.dumps({"itemId": "pen", "unknown": 1, "action_id": 2})},
        TAKEN | {"recommendationId": "RID-1", "impression": ["loyalty", "sale"]},
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    datasets.put(TAKEN | {"userId": "ann", "properties": '{"itemId": "pen"}'})  # the same again: counted once
    header, *lines = datasets.exported(datasets.interactions, "all")
    assert header == "USER_ID,ACTION_ID,EVENT_TYPE,TIMESTAMP,RECOMMENDATION_ID,ITEM_ID"
    assert lines == [
        "ann,loyalty,TAKEN,5,,",
        "bob,sale,Viewed,6,R,book",
        "ann,loyalty,Taken,1700000000,,pen",
        "s1,loyalty,Taken,1700000000,RID-1,",
    ]
    assert datasets.exported(datasets.interactions, "put", "PUT")[1:] == lines[2:]


def test_actions_are_imported_put_and_exported(datasets: Datasets) -> None:
    header = "ACTION_ID,KIND,VALUE,EXPIRATION_TIMESTAMP,REPEAT_FREQUENCY,CREATION_TIMESTAMP"
    rows = f"{header}\nloyalty,club,8,,30,1000\nsale,offer,,2000000000,,1000\n"
    assert datasets.load(datasets.actions, "one", rows)["status"] == "ACTIVE"
    datasets.put_action("sale", kind="offer", value=3, creationTimestamp=2000)
    datasets.put_action("new", KIND=["club", "offer"], creation_timestamp="3000")
    assert datasets.exported(datasets.actions, "all") == [
        header,
        "loyalty,club,8,,30,1000",
        "sale,offer,3,,,2000",
        "new,club|offer,,,,3000",
    ]


def test_problems_of_an_import_name_file_line_and_column(datasets: Datasets) -> None:
    rows = "USER_ID,ACTION_ID,EVENT_TYPE,TIMESTAMP,RECOMMENDATION_ID,ITEM_ID\nann,,Taken,5,,\nbob,sale,,x,,\n"
    job = datasets.load(datasets.interactions, "wrong", rows)
    assert job["status"] == "CREATE FAILED"
    for place in ("line 2, column ACTION_ID", "line 3, column EVENT_TYPE", "line 3, column TIMESTAMP"):
        assert place in job["failureReason"]
    header = "ACTION_ID,KIND,VALUE,EXPIRATION_TIMESTAMP,REPEAT_FREQUENCY,CREATION_TIMESTAMP"
    job = datasets.load(datasets.actions, "wrong-too", f"{header}\na,club,1.5,1700000000000,,1\n")
    assert "line 2, column VALUE" in job["failureReason"]
    assert "EXPIRATION_TIMESTAMP" in job["failureReason"]
    job = datasets.load(datasets.actions, "short", "ACTION_ID,KIND\na,club\n")
    assert "missing the following columns:[VALUE, EXPIRATION_TIMESTAMP" in job["failureReason"]


def test_action_interactions_that_do_not_fit(datasets: Datasets) -> None:
    def put(*interactions: dict[str, Any], tracking_id: str | None = None) -> Any:
        return datasets.put(*interactions, tracking_id=tracking_id)

    def refused(*interactions: dict[str, Any]) -> str:
        return fails("InvalidInputException", lambda: put(*interactions))

    put(*[TAKEN] * 10)
    refused(*[TAKEN] * 11)
    refused(TAKEN | {"impression": ["a"] * 26})
    refused(TAKEN | {"recommendationId": "R" * 41})
    message = refused(
        TAKEN,
        TAKEN | {"timestamp": 0},
        TAKEN | {"properties": '{"userId": "x", "itemId": {"a": 1}}'},
        TAKEN | {"properties": "[]"},
    )
    assert message.startswith("Invalid ActionInteraction at index 1: timestamp must lie after")
    assert "index 2: Reserved keyword userId cannot be used in properties." in message
    assert "index 2: Invalid value for property itemId." in message
    assert "index 3: properties must hold a JSON object." in message
    rows = datasets.exported(datasets.interactions, "kept", "PUT")
    assert rows[1:] == ["s1,loyalty,Taken,1700000000,,"], "the first call's, once, and nothing of the others"
    assert UNKNOWN in fails("ResourceNotFoundException", lambda: put(TAKEN, tracking_id=UNKNOWN))


def test_the_two_kinds_of_tracking_ids_are_not_mistaken(datasets: Datasets, name: str) -> None:
    personalize = datasets.clients.personalize
    schema = personalize.create_schema(name=f"{name}-items", schema=shop.SCHEMAS["Interactions"])["schemaArn"]
    made = personalize.create_dataset(
        name="items", datasetGroupArn=datasets.group, datasetType="Interactions", schemaArn=schema
    )
    tracker = personalize.create_event_tracker(name=name, datasetGroupArn=datasets.group)

    def put_event(tracking_id: str) -> Any:
        event = {"eventType": "click", "itemId": "a", "sentAt": time.time()}
        return datasets.clients.events.put_events(
            trackingId=tracking_id, sessionId="s", userId="u", eventList=[event]
        )

    put_event(tracker["trackingId"])
    message = fails("InvalidInputException", lambda: put_event(datasets.tracking_id))
    assert message.startswith("Invalid trackingId")
    fails("ResourceNotFoundException", lambda: datasets.put(TAKEN, tracking_id=tracker["trackingId"]))
    for arn in (tracker["eventTrackerArn"], made["datasetArn"]):
        call = personalize.delete_event_tracker if "tracker" in arn else personalize.delete_dataset
        call(**{"eventTrackerArn" if "tracker" in arn else "datasetArn": arn})
        datasets.wait.gone(arn)


def test_records_that_do_not_fit(datasets: Datasets) -> None:
    message = fails(
        "InvalidInputException", datasets.put_action, action="a", value="x", creationTimestamp=None
    )
    assert "Invalid Action at index 0: Invalid value for property value." in message
    assert "Invalid Action at index 0: Property creationTimestamp must not be null." in message

    def put(arn: str) -> Any:
        return datasets.clients.events.put_actions(datasetArn=arn, actions=[{"actionId": "a"}])

    assert fails("InvalidInputException", put, arn=datasets.interactions).startswith("PutActions needs")
    missing = datasets.actions.replace("/ACTIONS", "/NONE")
    assert missing in fails("ResourceNotFoundException", put, arn=missing)


def test_what_was_acknowledged_survives_the_death_of_the_server(tmp_path: Path) -> None:
    server = Server(tmp_path / "data").start()
    try:
        made = make_datasets(server, make_clients(server.endpoint, "us-east-1"), "g")
        for n in range(20):
            made.put(TAKEN | {"actionId": f"a{n}", "userId": "ann"})
            made.put_action(f"a{n}", kind="club", creationTimestamp=n)
        server.kill()
        server.start()
        kept = make_clients(server.endpoint, "us-east-1")
        again = replace(made, clients=kept, wait=Wait(kept.personalize))
        lines = again.exported(made.interactions, "after")[1:]
        assert [line.split(",")[1] for line in lines] == [f"a{n}" for n in range(20)]
        assert len(again.exported(made.actions, "after-too")) == 21
    finally:
        server.stop()
