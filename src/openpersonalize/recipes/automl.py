"""AutoML: which recipes it compares, and by which metric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import InvalidInput
from .facts import Facts, Task
from .registry import facts_of, nearest

DEFAULT_RECIPES = ("aws-user-personalization", "aws-user-personalization-v2", "aws-popularity-count")
DEFAULT_METRIC = "normalized_discounted_cumulative_gain_at_25"


def read_automl(config: Mapping[str, Any] | None) -> tuple[list[Facts], str]:
    """The recipes and the metric of ``autoMLConfig``; AutoML ignores the rest of ``solutionConfig``.

    Legacy recipes in the list are skipped.

    Raises:
        InvalidInput: an unknown or unsuitable recipe, or nothing left to compare.
    """
    sent = (config or {}).get("autoMLConfig") or {}
    names = sent.get("recipeList") or [f"arn:aws:personalize:::recipe/{name}" for name in DEFAULT_RECIPES]
    chosen: list[Facts] = []
    problems: list[str] = []
    for name in names:
        found = facts_of(name)
        if found is None:
            problems.append(f"Recipe {name} in recipeList does not exist. {nearest(name)}")
        elif found.domain or found.type is not Task.PERSONALISE:
            problems.append(f"AutoML compares USER_PERSONALIZATION recipes; {name} is none.")
        elif found.listed:
            chosen.append(found)
    if not chosen and not problems:
        problems.append("recipeList of autoMLConfig names no recipe that can be trained.")
    if problems:
        raise InvalidInput(" ".join(problems))
    return chosen, sent.get("metricName") or DEFAULT_METRIC
