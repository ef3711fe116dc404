"""Checks that the runtime operations share: the recipe's task, ids, sizes and metadata columns.

All raise InvalidInput.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from ...errors import InvalidInput
from ...recipes.facts import Offer, Task
from ...serving.endpoint import Endpoint
from ..context import Request

MOST_RESULTS, MOST_WITH_METADATA, MOST_COLUMNS = 500, 50, 10


def check_task(campaign: Endpoint, tasks: Set[Task], operation: str) -> None:
    """Raises InvalidInput where an operation does not answer the task of the campaign's recipe."""
    if campaign.recipe.task not in tasks:
        raise InvalidInput(f"Recipe {campaign.recipe.name} is not supported by {operation}.")


def most_entries(request: Request) -> int:
    """How many entries an answer to the request may hold."""
    return MOST_RESULTS if request.get("metadataColumns") is None else MOST_WITH_METADATA


def why_most(request: Request) -> str:
    """A sentence on `most_entries` where it is not the usual number."""
    if request.get("metadataColumns") is None:
        return ""
    return f" With metadataColumns an answer has at most {MOST_WITH_METADATA} items, else {MOST_RESULTS}."


def requested_id(request: Request, member: str, campaign: Endpoint, required: bool) -> str | None:
    """The id in a member of the request, None where it is left out and not required."""
    value: str | None = request.get(member)
    if value:
        return value
    if required:
        raise InvalidInput(f"{member} is required for recipe {campaign.recipe.name}.")
    if value is not None:
        raise InvalidInput(f"{member} must not be empty.")
    return None


def shown_columns(campaign: Endpoint, request: Request) -> list[str] | None:
    """The item columns to show, as the caller wrote them; None: the request asks for no metadata."""
    asked: Mapping[str, Sequence[str]] | None = request.get("metadataColumns")
    if asked is None:
        return None
    schema = campaign.deployment.items.schema
    always = Offer.METADATA in campaign.recipe.offers and len(schema.fields) > 1
    if not (always or campaign.config.get("enableMetadataWithRecommendations")):
        raise InvalidInput(f"Metadata with recommendations is not enabled for {campaign.arn}.")
    names: list[str] = []
    for dataset, columns in asked.items():
        if dataset.upper() != "ITEMS":
            raise InvalidInput(f"metadataColumns can name columns of ITEMS only, not of {dataset}.")
        names += columns
    if len(names) > MOST_COLUMNS:
        raise InvalidInput(f"metadataColumns must have at most {MOST_COLUMNS} columns.")
    unknown = [name for name in names if schema.field(name) is None]
    if unknown:
        raise InvalidInput(" ".join(f"Unknown column {name} in dataset ITEMS." for name in unknown))
    return names
