"""GetRecommendations and GetPersonalizedRanking: from a checked request to encoded JSON.

Both run in the event loop: when the campaign and the filter are loaded, nothing here waits. Only loading
does, in threads. The checks come in a fixed order, so that of several mistakes in one request the
same is reported every time: ARN, campaign, recipe, ids, sizes, metadata, promotion, filter, its values.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import msgspec

from ..errors import InvalidInput, ResourceNotFound
from ..filters.compiler import BoundFilter
from ..recipes.facts import Offer, Task
from ..serving.answer import Entry, Promotion, Question, answer, rank, subject
from ..serving.endpoint import Endpoint
from .context import Context, Request

RESULTS, MOST_RESULTS, MOST_WITH_METADATA, MOST_COLUMNS = 25, 500, 50, 10

RECOMMENDED = frozenset({Task.PERSONALISE, Task.RELATED, Task.POPULAR})
"""Tasks that GetRecommendations answers."""

_encode = msgspec.json.Encoder().encode
_names = random.Random()  # noqa: S311 - seeded by the system; what it draws names answers and guards nothing


class _Recommendations(msgspec.Struct, rename="camel"):
    item_list: list[Entry]
    recommendation_id: str


class _Ranking(msgspec.Struct, rename="camel"):
    personalized_ranking: list[Entry]
    recommendation_id: str


async def get_recommendations(context: Context, request: Request) -> bytes:
    """GetRecommendations: the items for a user, best first."""
    campaign = await _campaign(context, _arn(request))
    recipe = campaign.recipe
    if recipe.task not in RECOMMENDED:
        raise _not_supported(campaign, "GetRecommendations")
    user = _id(request, "userId", campaign, recipe.asks_for_user)
    _id(request, "itemId", campaign, recipe.task.anchored)
    columns = request.get("metadataColumns")
    count = request.get("numResults") or RESULTS
    most = MOST_RESULTS if columns is None else MOST_WITH_METADATA
    if count > most:
        raise InvalidInput(f"numResults must be at most {most}.")
    names = _columns(campaign, columns) if columns is not None else None
    promotion = await _promotion(context, campaign, request, user)
    chosen = await _filter(context, campaign, request, user)
    identifier = _new_id()
    sent = request.get("context") or {}
    question = Question(user, count, chosen, promotion, names, identifier, sent, campaign.exploration)
    await context.endpoints.ready(campaign.deployment, subject(campaign.deployment, question), sent)
    entries = answer(campaign.deployment, question)
    _remember(context, identifier, campaign, entries, user)
    return _encode(_Recommendations(entries, identifier))


async def get_personalized_ranking(context: Context, request: Request) -> bytes:
    """GetPersonalizedRanking: the given items in the order for a user."""
    campaign = await _campaign(context, request["campaignArn"])
    if campaign.recipe.task is not Task.RERANK:
        raise _not_supported(campaign, "GetPersonalizedRanking")
    user = _id(request, "userId", campaign, required=True)
    items: list[str] = request["inputList"]
    columns = request.get("metadataColumns")
    most = MOST_RESULTS if columns is None else MOST_WITH_METADATA
    if not items:
        raise InvalidInput("inputList must have at least 1 item.")
    if len(items) > most:
        raise InvalidInput(f"inputList must have at most {most} items.")
    if "" in items:
        raise InvalidInput("inputList must not hold an empty id.")
    names = _columns(campaign, columns) if columns is not None else None
    chosen = await _filter(context, campaign, request, user)
    identifier = _new_id()
    sent = request.get("context") or {}
    await context.endpoints.ready(campaign.deployment, user, sent)
    entries = rank(campaign.deployment, user or "", items, chosen, names, sent)
    _remember(context, identifier, campaign, entries, user)
    return _encode(_Ranking(entries, identifier))


def _arn(request: Request) -> str:
    """The campaign asked; no recommender exists in this version."""
    campaign, recommender = request.get("campaignArn"), request.get("recommenderArn")
    if (campaign is None) == (recommender is None):
        raise InvalidInput("Provide either campaignArn or recommenderArn.")
    if campaign is None:
        raise ResourceNotFound(f"Recommender not found: {recommender}")
    return str(campaign)


async def _campaign(context: Context, arn: str) -> Endpoint:
    found = context.endpoints.endpoint(context.scope, arn)
    return found if found is not None else await context.endpoints.load_endpoint(context.scope, arn)


def _not_supported(campaign: Endpoint, operation: str) -> InvalidInput:
    return InvalidInput(f"Recipe {campaign.recipe.name} is not supported by {operation}.")


def _id(request: Request, member: str, campaign: Endpoint, required: bool) -> str | None:
    value: str | None = request.get(member)
    if value:
        return value
    if required:
        raise InvalidInput(f"{member} is required for recipe {campaign.recipe.name}.")
    if value is not None:
        raise InvalidInput(f"{member} must not be empty.")
    return None


def _columns(campaign: Endpoint, asked: Mapping[str, Sequence[str]]) -> list[str]:
    """The item columns to show, as the caller wrote them."""
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


async def _promotion(
    context: Context, campaign: Endpoint, request: Request, user: str | None
) -> Promotion | None:
    promotions = request.get("promotions")
    if not promotions:
        return None
    if Offer.PROMOTIONS not in campaign.recipe.offers:
        raise InvalidInput(f"Promotions are not supported by recipe {campaign.recipe.name}.")
    sent = promotions[0]
    missing = [name for name in ("name", "percentPromotedItems", "filterArn") if sent.get(name) is None]
    if missing:
        raise InvalidInput(f"A promotion must have {' and '.join(missing)}.")
    chosen = await _filter(context, campaign, sent, user)
    if chosen is None:
        raise AssertionError("a promotion's filterArn was checked")
    return Promotion(sent["name"], sent["percentPromotedItems"], chosen)


async def _filter(
    context: Context, campaign: Endpoint, source: Mapping[str, object], user: str | None
) -> BoundFilter | None:
    """The filter that a request or a promotion names, with its values."""
    arn = source.get("filterArn")
    if arn is None:
        return None
    arn = str(arn)
    found = context.endpoints.filter(context.scope, arn, campaign.version)
    if found is None:
        found = await context.endpoints.load_filter(context.scope, arn)
    compiled = found.compiled
    reason = ""
    if found.status != "ACTIVE":
        reason = f"its status is {found.status}"
    elif found.group != campaign.group:
        reason = "it belongs to another dataset group"
    elif compiled.target != "ItemID":
        reason = f"it filters {compiled.target}, not ItemID"
    elif compiled.needs_current_item and not campaign.recipe.task.anchored:
        reason = f"CurrentItem has no meaning for recipe {campaign.recipe.name}"
    elif compiled.needs_user and user is None:
        reason = "it needs a userId"
    if reason:
        raise InvalidInput(f"Filter {arn} cannot be used with this request: {reason}.")
    values = source.get("filterValues")
    return compiled.bind(values if isinstance(values, Mapping) else None)


def _new_id() -> str:
    """A recommendationId: ``RID-`` and a random UUID (version 4)."""
    digits = f"{_names.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"RID-{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def _remember(
    context: Context, identifier: str, campaign: Endpoint, entries: list[Entry], user: str | None
) -> None:
    shown = [entry.item_id for entry in entries]
    context.installation.recommendations.add(identifier, campaign.arn, shown, user)
