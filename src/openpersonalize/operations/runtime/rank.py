"""GetPersonalizedRanking: a list of items in the order for a user."""

from __future__ import annotations

import msgspec

from ...errors import InvalidInput
from ...recipes.facts import Task
from ...serving.answer import Entry
from ...serving.ranking import rank
from ..context import Context, Request
from .checks import check_task, most_entries, requested_id, shown_columns, why_most
from .endpoint import campaign_arn, endpoint
from .filters import filter_of
from .issued import new_recommendation_id, remember

TASKS = frozenset({Task.RERANK})

_encode = msgspec.json.Encoder().encode


class _Ranking(msgspec.Struct, rename="camel"):
    personalized_ranking: list[Entry]
    recommendation_id: str


async def get_personalized_ranking(context: Context, request: Request) -> bytes:
    """GetPersonalizedRanking: the given items in the order for a user."""
    campaign = await endpoint(context, campaign_arn(request["campaignArn"]))
    check_task(campaign, TASKS, "GetPersonalizedRanking")
    user = requested_id(request, "userId", campaign, required=True)
    items: list[str] = request["inputList"]
    most = most_entries(request)
    if not items:
        raise InvalidInput("inputList must have at least 1 item.")
    if len(items) > most:
        raise InvalidInput(f"inputList must have at most {most} items.{why_most(request)}")
    if "" in items:
        raise InvalidInput("inputList must not hold an empty id.")
    columns = shown_columns(campaign, request)
    chosen = await filter_of(context, campaign, request, user)
    identifier = new_recommendation_id()
    sent = request.get("context") or {}
    row_of = campaign.deployment.loaded.row_of
    reads_records = chosen is not None or columns is not None or any(row_of(item) is None for item in items)
    await context.endpoints.ready(campaign.deployment, user, sent, records=reads_records, chosen=chosen)
    entries = rank(campaign.deployment, user or "", items, chosen, columns, sent)
    remember(context, identifier, campaign, [entry.item_id for entry in entries], user)
    return _encode(_Ranking(entries, identifier))
