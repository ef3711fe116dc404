"""Recommendations as issued: their ids, and what was shown under them."""

from __future__ import annotations

import random

from ...serving.endpoint import Endpoint
from ..context import Context

_names = random.Random()  # noqa: S311 - seeded by the system; what it draws names answers and guards nothing


def new_recommendation_id() -> str:
    """A recommendationId: ``RID-`` and a random UUID (version 4)."""
    digits = f"{_names.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"RID-{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def remember(
    context: Context, identifier: str, campaign: Endpoint, shown: list[str], user: str | None
) -> None:
    """Keep what was shown, ids of items or actions, for events that name the answer by its id."""
    context.installation.recommendations.add(identifier, campaign.arn, shown, user)
