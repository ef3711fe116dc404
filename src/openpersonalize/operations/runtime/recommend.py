"""GetRecommendations: items for a user, related to an item, or popular."""

from __future__ import annotations

import msgspec

from ...errors import InvalidInput
from ...recipes.facts import Task
from ...serving.answer import Entry, Question, answer, subject
from ..context import Context, Request
from .checks import check_task, most_entries, requested_id, shown_columns, why_most
from .endpoint import endpoint, named_endpoint
from .filters import filter_of, promotion_of
from .issued import new_recommendation_id, remember

RESULTS = 25
"""Entries of an answer when the request does not say."""

TASKS = frozenset({Task.PERSONALISE, Task.RELATED, Task.POPULAR})

_encode = msgspec.json.Encoder().encode


class _Recommendations(msgspec.Struct, rename="camel"):
    item_list: list[Entry]
    recommendation_id: str


async def get_recommendations(context: Context, request: Request) -> bytes:
    """GetRecommendations: the items that answer the task of the recipe of a campaign or recommender."""
    campaign = await endpoint(context, named_endpoint(request))
    recipe = campaign.recipe
    check_task(campaign, TASKS, "GetRecommendations")
    user = requested_id(request, "userId", campaign, recipe.asks_for_user)
    item = requested_id(request, "itemId", campaign, recipe.task.anchored)
    count, most = request.get("numResults") or RESULTS, most_entries(request)
    if count > most:
        raise InvalidInput(f"numResults must be at most {most}.{why_most(request)}")
    columns = shown_columns(campaign, request)
    promotion = await promotion_of(context, campaign, request, user)
    chosen = campaign.filtered(await filter_of(context, campaign, request, user))
    identifier = new_recommendation_id()
    sent = request.get("context") or {}
    influence = campaign.config.get("rankingInfluence") or {}
    question = Question(
        user, count, chosen, promotion, columns, identifier, sent, campaign.exploration, item, influence
    )
    about = subject(campaign.deployment, question)
    await context.endpoints.ready(
        campaign.deployment,
        about,
        sent,
        item,
        records=question.reads_records,
        chosen=chosen,
        influence=influence,
    )
    entries = answer(campaign.deployment, question)
    remember(context, identifier, campaign, [entry.item_id for entry in entries], user)
    return _encode(_Recommendations(entries, identifier))
