"""Campaigns as rows: an update that is under way, ``latestCampaignUpdate``, and what it will deploy."""

from __future__ import annotations

from typing import Any

from .store import Resource

UPDATE = "latestCampaignUpdate"
_UNDER_WAY = ("CREATE PENDING", "CREATE IN_PROGRESS")


def update_under_way(campaign: Resource) -> dict[str, Any] | None:
    """The update of the campaign that was asked for and is not done, as Describe shows it; None: there is
    none."""
    update: dict[str, Any] = campaign.attributes.get(UPDATE) or {}
    return update if update.get("status") in _UNDER_WAY else None
