"""How much a campaign explores, the ``itemExplorationConfig``: `Exploration`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DEFAULT_EXPLORATION_WEIGHT, DEFAULT_AGE_CUT_OFF_DAYS = 0.3, 30.0
FIELDS = {
    "explorationWeight": "weight",
    "exploration_weight": "weight",
    "explorationItemAgeCutOff": "cut_off_days",
    "exploration_item_age_cut_off": "cut_off_days",
}
"""Keys of ``itemExplorationConfig``, in both spellings, and the fields they fill."""


MANAGED_SHARE = 0.001
"""Share of recommended items that are new ones where the recipe itself decides how much to explore: 0.1 per
cent, as Amazon says of aws-user-personalization-v2."""


@dataclass(frozen=True)
class Exploration:
    """How much to explore: `weight` 0 (never) to 1; only items at most `cut_off_days` old.

    `share`: not by weight, but so that new items are this share of what is recommended.
    """

    weight: float = DEFAULT_EXPLORATION_WEIGHT
    cut_off_days: float = DEFAULT_AGE_CUT_OFF_DAYS
    share: float | None = None


def read_exploration(config: Mapping[str, Any] | None) -> Exploration:
    """``itemExplorationConfig`` of a checked campaign, defaults where nothing was sent."""
    sent = (config or {}).get("itemExplorationConfig") or {}
    return Exploration(**{FIELDS[name]: float(text) for name, text in sent.items()})
