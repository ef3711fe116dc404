"""Event trackers over the wire."""

from __future__ import annotations

import re
from typing import Any

from live import Wait, fails


def test_life(personalize: Any, wait: Wait, group: str, name: str) -> None:
    made = personalize.create_event_tracker(name=name, datasetGroupArn=group)
    arn, tracking_id = made["eventTrackerArn"], made["trackingId"]
    assert re.fullmatch(r"arn:aws:personalize:test-region-\d+:000000000000:event-tracker/[0-9a-f]{8}", arn)
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", tracking_id)
    described = personalize.describe_event_tracker(eventTrackerArn=arn)["eventTracker"]
    assert described["status"] == "ACTIVE"
    assert described["accountId"] == "000000000000"
    assert (described["trackingId"], described["name"]) == (tracking_id, name)
    assert described["datasetGroupArn"] == group
    [listed] = personalize.list_event_trackers(datasetGroupArn=group)["eventTrackers"]
    assert listed["eventTrackerArn"] == arn
    message = fails(
        "ResourceAlreadyExistsException",
        personalize.create_event_tracker,
        name="other",
        datasetGroupArn=group,
    )
    assert message == f"Another resource with Arn {arn} already exists."
    personalize.delete_event_tracker(eventTrackerArn=arn)
    wait.gone(arn)
    again = personalize.create_event_tracker(name=name, datasetGroupArn=group)
    assert again["eventTrackerArn"] != arn
    assert again["trackingId"] != tracking_id


def test_unknown_group(personalize: Any, group: str, name: str) -> None:
    fails(
        "ResourceNotFoundException",
        personalize.create_event_tracker,
        name=name,
        datasetGroupArn=group + "-none",
    )
