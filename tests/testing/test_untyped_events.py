"""Filters in a group whose events have no type: everything that a user met can be left out all the same."""

from __future__ import annotations

import time
from collections.abc import Callable

import polars as pl

from openpersonalize.testing.live import LiveCampaign, LiveServer

EXCLUDE = 'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("*")'


def test_what_a_user_met_is_left_out(
    live_server: LiveServer, live_campaign: Callable[..., LiveCampaign]
) -> None:
    users, items = range(20), range(10)
    rows = [
        (f"u{user}", f"i{item}", 1_700_000_000 + item) for user in users for item in items if item <= user % 8
    ]
    table = pl.DataFrame(rows, schema=["USER_ID", "ITEM_ID", "TIMESTAMP"], orient="row")
    campaign = live_campaign("aws-popularity-count", table)
    personalize = live_server.client("personalize")
    arn = personalize.create_filter(name="new", datasetGroupArn=campaign.group, filterExpression=EXCLUDE)[
        "filterArn"
    ]
    while personalize.describe_filter(filterArn=arn)["filter"]["status"] != "ACTIVE":
        time.sleep(0.02)
    runtime = live_server.client("personalize-runtime")

    def left(user: str) -> set[str]:
        answer = runtime.get_recommendations(campaignArn=campaign.arn, userId=user, filterArn=arn)
        return {entry["itemId"] for entry in answer["itemList"]}

    assert left("u2") == {f"i{item}" for item in range(3, 8)}
    assert left("nobody") == {f"i{item}" for item in range(8)}
    tracker = personalize.create_event_tracker(name="t", datasetGroupArn=campaign.group)["trackingId"]
    live_server.client("personalize-events").put_events(
        trackingId=tracker,
        userId="u2",
        sessionId="s",
        eventList=[{"eventType": "view", "itemId": "i5", "sentAt": time.time()}],
    )
    assert left("u2") == {f"i{item}" for item in (3, 4, 6, 7)}
