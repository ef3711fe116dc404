"""What a runtime request is sent to, a campaign (a recommender later), loaded and ready to answer."""

from __future__ import annotations

from ...errors import InvalidInput, ResourceNotFound
from ...serving.endpoint import Endpoint
from ..context import Context, Request


def named_endpoint(request: Request) -> str:
    """The ARN of the campaign asked; no recommender exists in this version.

    Raises:
        InvalidInput: both or neither are named. ResourceNotFound: a recommender is.
    """
    campaign, recommender = request.get("campaignArn"), request.get("recommenderArn")
    if (campaign is None) == (recommender is None):
        raise InvalidInput("Provide either campaignArn or recommenderArn.")
    if campaign is None:
        raise ResourceNotFound(f"Recommender not found: {recommender}")
    return str(campaign)


async def endpoint(context: Context, arn: str) -> Endpoint:
    """The campaign of an ARN.

    Raises:
        ResourceNotFound, InvalidInput: see `Endpoints.load_endpoint`.
    """
    found = context.endpoints.endpoint(context.scope, arn)
    return found if found is not None else await context.endpoints.load_endpoint(context.scope, arn)
