"""Campaigns: a deployed solution version, and how it answers."""

from __future__ import annotations

from typing import Any

from ..errors import InvalidInput, ResourceInUse
from ..recipes.configuration import check_campaign
from ..resources.internals import CampaignInternal, VersionInternal
from ..resources.quotas import check_quota
from ..resources.store import Resource, Transaction
from ..resources.versions import newest_full_version
from ..workflows.deployments import request_update
from .context import Answer, Context, Request, given
from .deleting import begin_deletion
from .describing import described
from .listing import listed
from .recipes import named_recipe
from .states import busy, require_active, require_deletable, require_free, require_no_update

LATEST = "/$LATEST"
CHANGES = ("solutionVersionArn", "minProvisionedTPS", "campaignConfig")


def create_campaign(context: Context, request: Request) -> Answer:
    """CreateCampaign: deploys an ACTIVE version, or with ``<solutionArn>/$LATEST`` the newest full one."""
    config = request.get("campaignConfig", {})
    latest = request["solutionVersionArn"].endswith(LATEST)
    _check_sync(config, latest)
    arn = context.scope.arn(f"campaign/{request['name']}")
    with context.scope.write() as tx:
        referred = _require_reference(tx, request["solutionVersionArn"])
        require_free(tx, arn)
        version = usable_version(tx, referred)
        check_campaign(named_recipe(version.attributes["recipeArn"]), config)
        check_quota(tx, context.installation.settings, "campaign", version.attributes["datasetGroupArn"])
        tx.add(
            "campaign",
            arn,
            request["name"],
            group_arn=version.group_arn,
            parent_arn=version.parent_arn,
            status="CREATE PENDING",
            attributes={
                "solutionVersionArn": version.arn,
                "minProvisionedTPS": request.get("minProvisionedTPS", 1),
                "campaignConfig": config,
            },
            internal={"latest": latest},
            tags=request.get("tags"),
        )
        tx.enqueue("deploy", arn, {})
    return {"campaignArn": arn}


def describe_campaign(context: Context, request: Request) -> Answer:
    """DescribeCampaign: what serves now, and under `latestCampaignUpdate` what is to serve next."""
    return described(context, request, "campaign")


def list_campaigns(context: Context, request: Request) -> Answer:
    """ListCampaigns."""
    return listed(context, request, "ListCampaigns", "campaign")


def update_campaign(context: Context, request: Request) -> Answer:
    """UpdateCampaign: the old version and configuration serve until the new ones are ready."""
    changes = given(request, *CHANGES)
    if not changes:
        raise InvalidInput(f"Give at least one of {', '.join(CHANGES)}.")
    asked = changes.get("solutionVersionArn")
    if asked is not None:
        _check_sync(changes.get("campaignConfig", {}), asked.endswith(LATEST))
    with context.scope.write() as tx:
        campaign = tx.require(request["campaignArn"], "campaign")
        referred = tx.require(campaign.attributes["solutionVersionArn"], "solution-version")
        if asked is not None:
            referred = _require_reference(tx, asked)
        if campaign.status not in ("ACTIVE", "CREATE FAILED"):
            raise ResourceInUse(busy(campaign))
        require_no_update(campaign)
        version = usable_version(tx, referred)
        if version.group_arn != campaign.group_arn:
            raise InvalidInput(f"{version.arn} belongs to another dataset group than {campaign.arn}.")
        config = changes.get("campaignConfig", campaign.attributes["campaignConfig"])
        latest = asked.endswith(LATEST) if asked is not None else CampaignInternal.of(campaign).latest
        _check_sync(config, latest)
        check_campaign(named_recipe(version.attributes["recipeArn"]), config)
        request_update(
            tx,
            campaign,
            context.now,
            version_arn=version.arn,
            tps=changes.get("minProvisionedTPS", campaign.attributes["minProvisionedTPS"]),
            config=config,
            latest=latest,
        )
    return {"campaignArn": campaign.arn}


def delete_campaign(context: Context, request: Request) -> Answer:
    """DeleteCampaign: the solution and its versions stay."""
    with context.scope.write() as tx:
        campaign = tx.require(request["campaignArn"], "campaign")
        require_deletable(campaign)
        require_no_update(campaign)
        begin_deletion(tx, campaign)
    return {}


def _check_sync(config: dict[str, Any], latest: bool) -> None:
    if config.get("syncWithLatestSolutionVersion") and not latest:
        raise InvalidInput(
            "syncWithLatestSolutionVersion needs a solutionVersionArn of the form <solutionArn>/$LATEST."
        )


def _require_reference(tx: Transaction, arn: str) -> Resource:
    """The version that `arn` names, or the solution of ``<solutionArn>/$LATEST``."""
    if arn.endswith(LATEST):
        return tx.require(arn.removesuffix(LATEST), "solution")
    return tx.require(arn, "solution-version")


def usable_version(tx: Transaction, referred: Resource) -> Resource:
    """The ACTIVE version behind a reference; its solution must not be on its way out."""
    if referred.kind == "solution":
        require_active(referred)
        version = newest_full_version(tx, referred.arn)
        if version is None:
            raise InvalidInput(
                f"{referred.arn} has no ACTIVE version with trainingMode FULL; train one first."
            )
        return version
    require_active(tx.require(referred.attributes["solutionArn"], "solution"))
    require_active(referred)
    if VersionInternal.of(referred).retired:
        raise InvalidInput(
            f"The model of {referred.arn} was removed, because its solution has newer versions and nothing"
            " used it (setting kept_models); train a new version with CreateSolutionVersion."
        )
    return referred
