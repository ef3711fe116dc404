"""Endpoints as rows, campaigns and recommenders: an update of one that is under way, as Describe shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .store import Resource

LATEST_UPDATE: Mapping[str, str] = {
    "campaign": "latestCampaignUpdate",
    "recommender": "latestRecommenderUpdate",
}
"""By kind, the attribute that shows the latest update."""

_UNDER_WAY = ("CREATE PENDING", "CREATE IN_PROGRESS")


def update_under_way(endpoint: Resource) -> dict[str, Any] | None:
    """The update of a campaign or recommender that was asked for and is not done; None: there is none."""
    update: dict[str, Any] = endpoint.attributes.get(LATEST_UPDATE[endpoint.kind]) or {}
    return update if update.get("status") in _UNDER_WAY else None


def marked_update(
    endpoint: Resource, status: str, now: float, failure: str | None = None
) -> dict[str, dict[str, Any]]:
    """The attribute that shows the latest update, with its status moved on and, of one that failed, why."""
    member = LATEST_UPDATE[endpoint.kind]
    reason = {} if failure is None else {"failureReason": failure}
    return {member: {**endpoint.attributes[member], "status": status, "lastUpdatedDateTime": now, **reason}}
