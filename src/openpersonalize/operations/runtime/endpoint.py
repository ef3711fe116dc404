"""What a runtime request is sent to, a campaign or a recommender, loaded and ready to answer."""

from __future__ import annotations

from ...errors import InvalidInput, ResourceNotFound
from ...resources.arns import kind_of, other_kind
from ...serving.endpoint import Endpoint
from ..context import Context, Request


def named_endpoint(request: Request) -> str:
    """The ARN of the campaign or recommender asked.

    Raises:
        InvalidInput: both or neither are named. ResourceNotFound: the ARN is of another kind of resource.
    """
    campaign, recommender = request.get("campaignArn"), request.get("recommenderArn")
    if (campaign is None) == (recommender is None):
        raise InvalidInput("Provide either campaignArn or recommenderArn.")
    if campaign is not None:
        return campaign_arn(campaign)
    if kind_of(str(recommender)) != "recommender":
        raise ResourceNotFound(
            f"Recommender not found: {recommender}{other_kind(str(recommender), 'recommender')}"
        )
    return str(recommender)


def campaign_arn(arn: str) -> str:
    """The same.

    Raises:
        ResourceNotFound: it is of another kind of resource.
    """
    if kind_of(arn) != "campaign":
        raise ResourceNotFound(f"Campaign not found: {arn}{other_kind(arn, 'campaign')}")
    return arn


async def endpoint(context: Context, arn: str) -> Endpoint:
    """The campaign or recommender of an ARN.

    Raises:
        ResourceNotFound, InvalidInput: see `EndpointRegistry.load_endpoint`.
    """
    found = context.endpoints.endpoint(context.scope, arn)
    return found if found is not None else await context.endpoints.load_endpoint(context.scope, arn)
