"""GetActionRecommendations: the actions that a user is most likely to take."""

from __future__ import annotations

import msgspec

from ...errors import InvalidInput
from ...recipes.facts import Task
from ...serving.next_actions import ActionEntry, ActionQuestion
from ..context import Context, Request
from .checks import check_task, requested_id
from .endpoint import campaign_arn, endpoint
from .filters import filter_of
from .issued import new_recommendation_id, remember

RESULTS, MOST_ACTIONS = 5, 100
"""Entries of an answer when the request does not say, and at most."""

TASKS = frozenset({Task.ACTIONS})

_encode = msgspec.json.Encoder().encode


class _Actions(msgspec.Struct, rename="camel"):
    action_list: list[ActionEntry]
    recommendation_id: str


async def get_action_recommendations(context: Context, request: Request) -> bytes:
    """GetActionRecommendations: actions with their probabilities, of a campaign that ranks actions."""
    arn = request.get("campaignArn")
    if arn is None:
        raise InvalidInput("campaignArn is required.")
    campaign = await endpoint(context, campaign_arn(arn))
    check_task(campaign, TASKS, "GetActionRecommendations")
    user = requested_id(request, "userId", campaign, required=True) or ""
    count = request.get("numResults") or RESULTS
    if count > MOST_ACTIONS:
        raise InvalidInput(f"numResults must be at most {MOST_ACTIONS}.")
    chosen = await filter_of(context, campaign, request, user)
    identifier = new_recommendation_id()
    await context.endpoints.ready(campaign.deployment, user, {}, records=True)
    question = ActionQuestion(user, count, chosen, campaign.exploration)
    entries = campaign.deployment.next_actions.answer(question)
    remember(context, identifier, campaign, [entry.action_id for entry in entries], user)
    return _encode(_Actions(entries, identifier))
