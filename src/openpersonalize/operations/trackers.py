"""Event trackers: the key under which an application streams events into a dataset group."""

from __future__ import annotations

import secrets
import uuid

from .context import Answer, Context, Request, given
from .deleting import deleted
from .describing import described
from .listing import listed
from .states import require_active, require_none_yet


def create_event_tracker(context: Context, request: Request) -> Answer:
    """CreateEventTracker: ACTIVE at return; the group's Interactions dataset may come later."""
    tracking_id = str(uuid.uuid4())
    with context.scope.write() as tx:
        group = tx.require(request["datasetGroupArn"], "dataset-group")
        require_none_yet(tx, "event-tracker", group)
        require_active(group)
        arn = context.scope.arn(f"event-tracker/{secrets.token_hex(4)}")
        while tx.get(arn) is not None:
            arn = context.scope.arn(f"event-tracker/{secrets.token_hex(4)}")
        tx.add(
            "event-tracker",
            arn,
            request["name"],
            group_arn=group.arn,
            status="ACTIVE",
            attributes={
                "accountId": context.scope.account,
                "trackingId": tracking_id,
                **given(request, "datasetGroupArn"),
            },
            tags=request.get("tags"),
        )
    return {"eventTrackerArn": arn, "trackingId": tracking_id}


def describe_event_tracker(context: Context, request: Request) -> Answer:
    """DescribeEventTracker."""
    return described(context, request, "event-tracker")


def list_event_trackers(context: Context, request: Request) -> Answer:
    """ListEventTrackers."""
    return listed(context, request, "ListEventTrackers", "event-tracker")


def delete_event_tracker(context: Context, request: Request) -> Answer:
    """DeleteEventTracker: the dataset and its events stay; the tracking id is worth nothing from now on."""
    return deleted(context, request, "event-tracker")
