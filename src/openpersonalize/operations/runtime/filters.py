"""The filters of a request, of its own and of its promotion, with their values."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from ...errors import InvalidInput
from ...filters.compiler import BoundFilter
from ...recipes.facts import Offer, Task
from ...serving.answer import Promotion
from ...serving.endpoint import Endpoint
from ...telemetry import UNKNOWN_FILTER_VALUES
from ..context import Context, Request

log = logging.getLogger(__name__)


async def promotion_of(
    context: Context, campaign: Endpoint, request: Request, user: str | None
) -> Promotion | None:
    """The promotion that a request carries; None: none."""
    promotions = request.get("promotions")
    if not promotions:
        return None
    if Offer.PROMOTIONS not in campaign.recipe.offers:
        raise InvalidInput(f"Promotions are not supported by recipe {campaign.recipe.name}.")
    sent = promotions[0]
    missing = [name for name in ("name", "percentPromotedItems", "filterArn") if sent.get(name) is None]
    if missing:
        raise InvalidInput(f"A promotion must have {' and '.join(missing)}.")
    chosen = campaign.filtered(await filter_of(context, campaign, sent, user))
    if chosen is None:
        raise AssertionError("a promotion's filterArn was checked")
    return Promotion(sent["name"], sent["percentPromotedItems"], chosen)


async def filter_of(
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
    target = "ActionID" if campaign.recipe.task is Task.ACTIONS else "ItemID"
    reason = ""
    if found.status != "ACTIVE":
        reason = f"its status is {found.status}"
    elif found.group != campaign.group:
        reason = "it belongs to another dataset group"
    elif compiled.target != target:
        reason = f"it filters {compiled.target}, not {target}"
    elif compiled.needs_current_item and not campaign.recipe.task.anchored:
        reason = f"CurrentItem has no meaning for recipe {campaign.recipe.name}"
    elif compiled.needs_user and user is None:
        reason = "it needs a userId"
    if reason:
        raise InvalidInput(f"Filter {arn} cannot be used with this request: {reason}.")
    values = source.get("filterValues")
    if isinstance(values, Mapping) and not compiled.parameters.issuperset(values):
        _unknown(context, arn, sorted(set(values) - compiled.parameters), compiled.parameters)
    return compiled.bind(values if isinstance(values, Mapping) else None)


def _unknown(context: Context, arn: str, keys: list[str], known: Collection[str]) -> None:
    """Values that nothing asks for: most often a name written otherwise, by which an EXCLUDE is off.

    Raises:
        InvalidInput: under the setting ``strict_filter_values``.
    """
    UNKNOWN_FILTER_VALUES.inc(len(keys))
    names = ", ".join(f"${name}" for name in sorted(known)) or "none"
    sentence = (
        f"Filter {arn} has no placeholder {', '.join(f'${key}' for key in keys)}; its placeholders: {names}."
    )
    if context.installation.settings.strict_filter_values:
        raise InvalidInput(sentence)
    log.warning(sentence, extra={"request_id": context.request_id})
