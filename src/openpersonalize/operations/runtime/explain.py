"""Explanations: why an answer is as it is. Not one of Amazon's operations; the page ``/v1/explain`` asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ...errors import InvalidInput, ResourceNotFound
from ...events.recommendations import Issued
from ...recipes.facts import Task
from ...resources.arns import kind_of, parse_arn
from ...serving.answer import Question
from ...serving.evidence import FIRST_ITEMS, evidence
from ...serving.explanation import Explanation, explanation
from ..context import Context, Request
from .checks import MOST_RESULTS, check_task, requested_id
from .endpoint import endpoint, named_endpoint
from .filters import filter_of, promotion_of
from .recommend import RESULTS

TASKS = frozenset({Task.PERSONALISE, Task.RELATED, Task.POPULAR, Task.RERANK})

OffLoop = Callable[..., Awaitable[Any]]
"""Calls a function with its arguments in another thread than the event loop's."""

_Id = Annotated[str, Meta(min_length=1, max_length=256)]
_Text = Annotated[str, Meta(max_length=1000)]
_Values = Annotated[dict[_Text, _Text], Meta(max_length=150)]


class _Promotion(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    name: Annotated[str, Meta(min_length=1, max_length=63)]
    percent_promoted_items: Annotated[int, Meta(ge=1, le=100)]
    filter_arn: _Id
    filter_values: _Values | None = None


class ExplainRequest(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """The members of GetRecommendations (of GetPersonalizedRanking: ``inputList``), and beside them
    ``explainItemId``, the item in question, and ``recommendationId``, an answer that was given."""

    campaign_arn: _Id | None = None
    recommender_arn: _Id | None = None
    recommendation_id: _Id | None = None
    user_id: _Id | None = None
    item_id: _Id | None = None
    explain_item_id: _Id | None = None
    num_results: Annotated[int, Meta(ge=1, le=MOST_RESULTS)] | None = None
    input_list: Annotated[list[_Id], Meta(min_length=1, max_length=MOST_RESULTS)] | None = None
    filter_arn: _Id | None = None
    filter_values: _Values | None = None
    context: _Values | None = None
    promotions: Annotated[list[_Promotion], Meta(max_length=1)] | None = None


class _Shown(msgspec.Struct, rename="camel"):
    """An answer that was given: when, and what."""

    recommendation_id: str
    time: float
    items: tuple[str, ...]


class _Answer(msgspec.Struct, rename="camel", omit_defaults=True):
    arn: str
    recipe: str
    explanation: Explanation
    user_id: str | None = None
    shown: _Shown | None = None


_decode = msgspec.json.Decoder(ExplainRequest).decode
_encode = msgspec.json.Encoder().encode


def explain_request(body: bytes) -> Request:
    """The checked request.

    Raises:
        InvalidInput: it is not as `ExplainRequest` has it.
    """
    try:
        request: Request = msgspec.to_builtins(_decode(body or b"{}"))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"The request of /v1/explain is wrong: {error}.") from error
    return request


async def explain(context: Context, request: Request, off_loop: OffLoop) -> bytes:
    """JSON: an answer as it would be given now, and why it is so.

    Raises:
        InvalidInput, ResourceNotFound: as GetRecommendations does; the recommendationId is not known.
    """
    shown: Issued | None = None
    identifier = request.get("recommendationId")
    if identifier is not None:
        shown = await off_loop(context.installation.recommendations.find, identifier)
        request = _of_shown(request, identifier, shown)
    arn = named_endpoint(request)
    context = _in_region_of(context, arn)
    campaign = await endpoint(context, arn)
    recipe = campaign.recipe
    check_task(campaign, TASKS, "explanations")
    ranks = recipe.task is Task.RERANK
    user = requested_id(request, "userId", campaign, ranks or recipe.asks_for_user)
    item = requested_id(request, "itemId", campaign, recipe.task.anchored)
    inputs = request.get("inputList")
    if ranks and inputs is None and shown is not None:
        inputs = list(shown.items) or None
    if ranks != (inputs is not None):
        raise InvalidInput(f"inputList is {'required' if ranks else 'not taken'} for recipe {recipe.name}.")
    if ranks and request.get("promotions"):
        raise InvalidInput(f"Promotions are not supported by recipe {recipe.name}.")
    promotion = await promotion_of(context, campaign, request, user)
    asked = await filter_of(context, campaign, request, user)
    named = (
        None
        if asked is None
        else context.endpoints.filter(context.scope, request["filterArn"], campaign.version)
    )
    question = Question(
        user,
        request.get("numResults") or RESULTS,
        campaign.filtered(asked),
        promotion,
        None,
        identifier or "",
        request.get("context") or {},
        campaign.exploration,
        item,
        campaign.config.get("rankingInfluence") or {},
    )
    await context.endpoints.ready(
        campaign.deployment,
        user,
        question.context,
        item,
        records=True,
        chosen=question.chosen,
        influence=question.influence,
    )
    wanted = request.get("explainItemId")
    items = [wanted] if wanted else [] if shown is None else list(shown.items[:FIRST_ITEMS])
    known = evidence(campaign.deployment, question, items, asked=asked, rule=campaign.hidden, inputs=inputs)
    expression = None if named is None else named.compiled.expression

    def made() -> bytes:
        answer = _Answer(campaign.arn, recipe.name, explanation(known, recipe, expression), user)
        if shown is not None:
            answer.shown = _Shown(shown.id, shown.time, shown.items)
        return _encode(answer)

    found: bytes = await off_loop(made)
    return found


def _in_region_of(context: Context, arn: str) -> Context:
    """The context in the region that an ARN names: a request to a page need not be signed for one."""
    named = parse_arn(arn)
    if named is None or not named.region or named.region == context.scope.region:
        return context
    scope = context.installation.metadata.scope(context.scope.account, named.region)
    return replace(context, scope=scope)


def _of_shown(request: Request, identifier: str, shown: Issued | None) -> Request:
    """The request with what the recommendation log says of an answer."""
    if shown is None:
        raise ResourceNotFound(
            f"The recommendation log has no answer {identifier} (any more): ask by campaign and user."
        )
    member = "recommenderArn" if kind_of(shown.arn) == "recommender" else "campaignArn"
    said = {member: shown.arn, "userId": shown.user}
    for name in ("campaignArn", "recommenderArn", "userId"):
        if name in request and request[name] != said.get(name):
            raise InvalidInput(f"{name} is not that of the answer {identifier}.")
    more = {name: value for name, value in said.items() if value is not None}
    return {"numResults": max(1, len(shown.items)), **more, **request}
