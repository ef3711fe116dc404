"""Streamed writes: PutEvents, PutActionInteractions, PutItems, PutUsers, PutActions. Accepted means on disk,
and visible to the next answer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from .. import telemetry
from ..datasets.schemas import parse_schema
from ..errors import InvalidInput, ResourceNotFound
from ..events.payload import ActionInteractionReader, EventReader, RecordReader
from ..resources.store import Resource, Transaction
from .context import Answer, Context, Request
from .states import first, require_active

LABELS = {
    "ITEMS": ("PutItems", "Item", "itemId"),
    "USERS": ("PutUsers", "User", "userId"),
    "ACTIONS": ("PutActions", "Action", "actionId"),
}
"""By dataset type: the operation that writes its records, how messages call one, the member with its id."""


@dataclass(frozen=True)
class _EventTarget:
    """Where the events of one tracker go, and how they are read."""

    stream: str
    reader: EventReader | ActionInteractionReader


@dataclass(frozen=True)
class _RecordTarget:
    """Where the records of one dataset go, and how they are read."""

    stream: str
    reader: RecordReader


async def put_events(context: Context, request: Request) -> Answer:
    """PutEvents: all events of the call are stored, or it is refused with every reason."""
    tracking_id = request["trackingId"]
    key = (context.scope.account, context.scope.region, tracking_id)
    target = await context.installation.metadata_cache.get(key, lambda: _tracked(context, tracking_id))
    events = target.reader.read(request)
    await context.installation.log.appended(target.stream, events)
    telemetry.EVENTS.labels("PutEvents").inc(len(events))
    return {}


async def put_action_interactions(context: Context, request: Request) -> Answer:
    """PutActionInteractions: all of the call are stored, or it is refused with every reason. The tracking id
    is the Action_Interactions dataset's own, from DescribeDataset."""
    tracking_id = request["trackingId"]
    key = (context.scope.account, context.scope.region, tracking_id, "ACTION_INTERACTIONS")
    target = await context.installation.metadata_cache.get(key, lambda: _action_tracked(context, tracking_id))
    events = target.reader.read(request)
    await context.installation.log.appended(target.stream, events)
    telemetry.EVENTS.labels("PutActionInteractions").inc(len(events))
    return {}


async def put_items(context: Context, request: Request) -> Answer:
    """PutItems: each record replaces the one of the same id as a whole."""
    return await _put(context, request["datasetArn"], "ITEMS", request["items"])


async def put_users(context: Context, request: Request) -> Answer:
    """PutUsers: each record replaces the one of the same id as a whole."""
    return await _put(context, request["datasetArn"], "USERS", request["users"])


async def put_actions(context: Context, request: Request) -> Answer:
    """PutActions: each record replaces the one of the same id as a whole."""
    return await _put(context, request["datasetArn"], "ACTIONS", request["actions"])


async def _put(context: Context, dataset_arn: str, kind: str, records: list[Request]) -> Answer:
    key = (context.scope.account, context.scope.region, dataset_arn, kind)
    target = await context.installation.metadata_cache.get(key, lambda: _dataset(context, dataset_arn, kind))
    await context.installation.log.appended(target.stream, target.reader.read(records))
    telemetry.EVENTS.labels(LABELS[kind][0]).inc(len(records))
    return {}


def _tracked(context: Context, tracking_id: str) -> _EventTarget:
    """The Interactions dataset behind a tracking id."""
    with context.scope.read() as tx:
        trackers = tx.find("event-tracker", statuses=["ACTIVE"])
        tracker = first([t for t in trackers if t.attributes["trackingId"] == tracking_id])
        if tracker is None:
            raise InvalidInput(
                f"Invalid trackingId: {tracking_id}. No event tracker of region {context.scope.region} has"
                " it: CreateEventTracker answers with the right one, DescribeEventTracker says it again."
            )
        datasets = tx.find("dataset", group_arn=tracker.group_arn)
        dataset = first([d for d in datasets if d.attributes["datasetType"] == "INTERACTIONS"])
        if dataset is None:
            raise InvalidInput("The dataset group has no Interactions dataset.")
        if dataset.status != "ACTIVE":
            raise InvalidInput("The Interactions dataset is not active.")
        return _EventTarget(dataset.arn, _event_reader(*_schema_of(tx, dataset)))


def _action_tracked(context: Context, tracking_id: str) -> _EventTarget:
    """The Action_Interactions dataset that has a tracking id."""
    with context.scope.read() as tx:
        datasets = tx.find("dataset")
        dataset = first([one for one in datasets if one.attributes.get("trackingId") == tracking_id])
        if dataset is None:
            raise ResourceNotFound(
                f"Invalid trackingId: {tracking_id}."
                " DescribeDataset of the Action_Interactions dataset says the right one."
            )
        require_active(dataset)
        return _EventTarget(dataset.arn, _action_interaction_reader(*_schema_of(tx, dataset)))


def _dataset(context: Context, arn: str, kind: str) -> _RecordTarget:
    """The dataset of type `kind` that `arn` names."""
    operation, label, member = LABELS[kind]
    with context.scope.read() as tx:
        dataset = tx.require(arn, "dataset")
        found = dataset.attributes["datasetType"]
        if found != kind:
            raise InvalidInput(f"{operation} needs a dataset of type {kind}; {arn} has type {found}.")
        require_active(dataset)
        return _RecordTarget(arn, _record_reader(*_schema_of(tx, dataset), label, member))


def _schema_of(tx: Transaction, dataset: Resource) -> tuple[str, str | None]:
    schema = tx.require(dataset.attributes["schemaArn"], "schema")
    return schema.attributes["schema"], schema.attributes.get("domain")


@lru_cache(256)
def _event_reader(text: str, domain: str | None) -> EventReader:
    return EventReader(parse_schema(text, domain))


@lru_cache(256)
def _action_interaction_reader(text: str, domain: str | None) -> ActionInteractionReader:
    return ActionInteractionReader(parse_schema(text, domain))


@lru_cache(256)
def _record_reader(text: str, domain: str | None, label: str, member: str) -> RecordReader:
    return RecordReader(parse_schema(text, domain), label, member)
