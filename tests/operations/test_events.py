"""Streamed writes over the wire, and what they leave on the disk."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import shop
from live import Server, Wait, fails, make_clients
from openpersonalize.clock import SystemClock
from openpersonalize.datasets.schemas import parse_schema
from openpersonalize.events.livelog import LiveLog
from openpersonalize.events.sqlitelog import SqliteLiveLog

CLICK = {"eventType": "click", "itemId": "item-00", "sentAt": 1_700_000_000}
UNKNOWN = "11111111-2222-3333-4444-555555555555"
SCHEMAS = {kind.upper(): parse_schema(text) for kind, text in shop.SCHEMAS.items()}


@pytest.fixture(scope="module")
def log(server: Server) -> Iterator[LiveLog]:
    """The server's live log, read by another process: this one."""
    log = SqliteLiveLog(server.data / "events.db", SystemClock())
    yield log
    log.close()


@pytest.fixture
def fresh_group(personalize: Any, wait: Wait, name: str) -> Iterator[str]:
    """A dataset group of the test's own; its contents go with it."""
    arn = personalize.create_dataset_group(name=name)["datasetGroupArn"]
    wait.active(arn)
    yield arn
    for tracker in personalize.list_event_trackers(datasetGroupArn=arn)["eventTrackers"]:
        personalize.delete_event_tracker(eventTrackerArn=tracker["eventTrackerArn"])
        wait.gone(tracker["eventTrackerArn"])
    for dataset in personalize.list_datasets(datasetGroupArn=arn)["datasets"]:
        personalize.delete_dataset(datasetArn=dataset["datasetArn"])
        wait.gone(dataset["datasetArn"])
    personalize.delete_dataset_group(datasetGroupArn=arn)
    wait.gone(arn)


@pytest.fixture
def tracking_id(personalize: Any, fresh_group: str, name: str, make_dataset: Callable[..., str]) -> str:
    make_dataset(fresh_group, "Interactions")
    return str(personalize.create_event_tracker(name=name, datasetGroupArn=fresh_group)["trackingId"])


@pytest.fixture
def put(clients: Any, tracking_id: str) -> Callable[..., Any]:
    """Sends events of user ann in session s1."""

    def put(*events: dict[str, Any], **members: Any) -> Any:
        request = {"trackingId": tracking_id, "sessionId": "s1", "userId": "ann", "eventList": list(events)}
        return clients.events.put_events(**request | members)

    return put


def refused(put: Callable[..., Any], *events: dict[str, Any], **members: Any) -> str:
    def call() -> Any:
        return put(*events, **members)

    return fails("InvalidInputException", call)


def rows(log: LiveLog, group: str) -> pl.DataFrame:
    return log.interactions_frame(group, SCHEMAS["INTERACTIONS"])


def test_an_acknowledged_event_is_a_row(put: Callable[..., Any], log: LiveLog, fresh_group: str) -> None:
    answer = put(
        CLICK | {"eventValue": 2.5, "eventId": "e1", "sentAt": 1_700_000_000.75},
        {
            "eventType": "watch",
            "sentAt": 1_600_000_000,
            "properties": '{"itemId": "new", "eventValue": "4", "x": 1}',
        },
        {"eventType": "EVENT_TYPE", "sentAt": time.time() + 600, "itemId": "a", "impression": ["a", "b"]},
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert rows(log, fresh_group).select(
        "USER_ID", "ITEM_ID", "EVENT_TYPE", "EVENT_VALUE", "#SESSION"
    ).rows() == [
        ("ann", "item-00", "click", 2.5, "s1"),
        ("ann", "new", "watch", 4.0, "s1"),
        ("ann", "a", "EVENT_TYPE", None, "s1"),
    ]
    assert rows(log, fresh_group)["TIMESTAMP"].to_list()[:2] == [1_700_000_000, 1_600_000_000]


def test_a_repeated_call_is_stored_once(put: Callable[..., Any], log: LiveLog, fresh_group: str) -> None:
    put(CLICK)
    put(CLICK)
    assert rows(log, fresh_group).height == 1


def test_limits_of_a_call(put: Callable[..., Any]) -> None:
    put(*[CLICK] * 10)
    for event in (
        CLICK | {"impression": ["i"] * 26},
        CLICK | {"recommendationId": "R" * 41},
        CLICK | {"properties": json.dumps({"x": "y" * 1016})},
        CLICK | {"sentAt": 0},
        CLICK | {"properties": '{"userid": "x"}'},
    ):
        refused(put, event)
    put(CLICK | {"properties": json.dumps({"x": "y" * 1015})})
    refused(put, *[CLICK] * 11)


def test_every_problem_is_told_and_nothing_is_stored(
    put: Callable[..., Any], log: LiveLog, fresh_group: str
) -> None:
    bad = {"eventType": "click", "sentAt": 5}
    message = refused(put, CLICK, bad, CLICK | {"properties": "[]"}, CLICK | {"eventValue": 1e39})
    assert message == (
        "Invalid Event at index 1: itemId is required."
        " Invalid Event at index 2: properties must hold a JSON object."
        " Invalid Event at index 3: eventValue must be a number of 32 bits."
    )
    assert rows(log, fresh_group).height == 0


def unknown(tracking_id: str, region: str) -> str:
    return (
        f"Invalid trackingId: {tracking_id}. No event tracker of region {region} has it: CreateEventTracker"
        " answers with the right one, DescribeEventTracker says it again."
    )


def test_tracking_ids_that_lead_nowhere(
    clients: Any,
    personalize: Any,
    wait: Wait,
    fresh_group: str,
    name: str,
    region: str,
    make_dataset: Callable[..., str],
) -> None:
    def put(tracking_id: str) -> Any:
        return clients.events.put_events(trackingId=tracking_id, sessionId="s", eventList=[CLICK])

    def message(tracking_id: str) -> str:
        return fails("InvalidInputException", put, tracking_id=tracking_id)

    assert message(UNKNOWN) == unknown(UNKNOWN, region)
    made = personalize.create_event_tracker(name=name, datasetGroupArn=fresh_group)
    assert message(made["trackingId"]) == "The dataset group has no Interactions dataset."
    make_dataset(fresh_group, "Interactions")
    put(made["trackingId"])
    personalize.delete_event_tracker(eventTrackerArn=made["eventTrackerArn"])
    assert message(made["trackingId"]) == unknown(made["trackingId"], region)
    wait.gone(made["eventTrackerArn"])
    assert message(made["trackingId"]) == unknown(made["trackingId"], region)


def test_a_tracking_id_belongs_to_its_region(server: Server, tracking_id: str) -> None:
    elsewhere = make_clients(server.endpoint, "another-region-1").events
    message = fails(
        "InvalidInputException",
        elsewhere.put_events,
        trackingId=tracking_id,
        sessionId="s",
        eventList=[CLICK],
    )
    assert message == unknown(tracking_id, "another-region-1")


def test_deleting_the_dataset_deletes_its_events(
    personalize: Any,
    wait: Wait,
    put: Callable[..., Any],
    log: LiveLog,
    fresh_group: str,
    make_dataset: Callable[..., str],
) -> None:
    put(CLICK)
    [dataset] = personalize.list_datasets(datasetGroupArn=fresh_group)["datasets"]
    personalize.delete_dataset(datasetArn=dataset["datasetArn"])
    wait.gone(dataset["datasetArn"])
    assert rows(log, fresh_group).height == 0
    assert refused(put, CLICK) == "The dataset group has no Interactions dataset."
    make_dataset(fresh_group, "Interactions")
    put(CLICK)
    assert rows(log, fresh_group).height == 1


def test_a_record_replaces_the_one_before_it(
    clients: Any, log: LiveLog, fresh_group: str, make_dataset: Callable[..., str]
) -> None:
    arn = make_dataset(fresh_group, "Items")

    def put(properties: dict[str, Any]) -> None:
        records = [{"itemId": "new", "properties": json.dumps(properties)}, {"itemId": "bare"}]
        clients.events.put_items(datasetArn=arn, items=records)

    put({"department": ["books", "games"], "price": "9.99", "creationTimestamp": 1_700_000_000})
    put({"price": 5, "itemId": "ignored", "unknown": [1]})
    frame = log.records_frame(arn, SCHEMAS["ITEMS"]).select(
        "ITEM_ID", "DEPARTMENT", "PRICE", "CREATION_TIMESTAMP"
    )
    assert frame.rows() == [("new", None, 5.0, None), ("bare", None, None, None)]
    versions = log.records_frame(arn, SCHEMAS["ITEMS"], versions=True)
    assert versions["DEPARTMENT"].to_list() == ["books|games", None, None, None]


def test_users_are_put_likewise(
    clients: Any, log: LiveLog, fresh_group: str, make_dataset: Callable[..., str]
) -> None:
    arn = make_dataset(fresh_group, "Users")
    users = [{"userId": "ann", "properties": '{"age": "30", "CITY": "Paris"}'}]
    answer = clients.events.put_users(datasetArn=arn, users=users)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert log.records_frame(arn, SCHEMAS["USERS"]).select("USER_ID", "AGE", "CITY").rows() == [
        ("ann", 30, "Paris")
    ]


def test_records_that_do_not_fit(clients: Any, fresh_group: str, make_dataset: Callable[..., str]) -> None:
    items, users = make_dataset(fresh_group, "Items"), make_dataset(fresh_group, "Users")

    def put_item(properties: str, arn: str = items) -> Any:
        return clients.events.put_items(datasetArn=arn, items=[{"itemId": "a", "properties": properties}])

    def put_user(properties: str, arn: str = users) -> Any:
        return clients.events.put_users(datasetArn=arn, users=[{"userId": "a", "properties": properties}])

    message = fails("InvalidInputException", put_item, properties='{"price": "x", "department": null}')
    assert message == (
        "Invalid Item at index 0: Invalid value for property price. It must be a number of 32 bits."
        " Invalid Item at index 0: Property department must not be null."
    )
    assert fails("InvalidInputException", put_user, properties="x").startswith("Invalid User at index 0: ")
    assert fails("InvalidInputException", put_item, properties="{}", arn=users).startswith("PutItems needs")
    assert fails("InvalidInputException", put_user, properties="{}", arn=items).startswith("PutUsers needs")
    missing = items.replace("ITEMS", "NONE")
    assert missing in fails("ResourceNotFoundException", put_item, properties="{}", arn=missing)
    for put, most in ((put_item, 32_000), (put_user, 24_000)):
        put(json.dumps({"x": "y" * (most - 9)}))
        fails("InvalidInputException", put, properties=json.dumps({"x": "y" * (most - 8)}))


def test_what_was_acknowledged_survives_the_death_of_the_server(tmp_path: Path) -> None:
    server = Server(tmp_path / "data").start()
    try:
        clients = make_clients(server.endpoint, "us-east-1")
        personalize, wait = clients.personalize, Wait(clients.personalize)
        group = personalize.create_dataset_group(name="g")["datasetGroupArn"]
        wait.active(group)
        schema = personalize.create_schema(name="s", schema=shop.SCHEMAS["Interactions"])["schemaArn"]
        personalize.create_dataset(
            name="d", datasetGroupArn=group, datasetType="Interactions", schemaArn=schema
        )
        tracking_id = personalize.create_event_tracker(name="t", datasetGroupArn=group)["trackingId"]
        for n in range(20):
            clients.events.put_events(
                trackingId=tracking_id, sessionId="s", eventList=[CLICK | {"itemId": f"i{n}"}]
            )
    finally:
        server.kill()
    log = SqliteLiveLog(tmp_path / "data" / "events.db", SystemClock())
    assert rows(log, group)["ITEM_ID"].to_list() == [f"i{n}" for n in range(20)]
    log.close()
