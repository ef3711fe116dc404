"""Deploying and updating campaigns: the artifact is verified first, then everything switches in one commit.

Until that commit a campaign serves what it served before, so an update never costs a call.
"""

from __future__ import annotations

from typing import Any

from ..engine.workflow import Job
from ..errors import JobFailed
from ..recipes.artifact import Artifact
from ..resources.endpoints import LATEST_UPDATE, marked_update, update_under_way
from ..resources.internals import CampaignInternal, VersionInternal
from ..resources.store import Resource, Transaction
from ..resources.versions import newest_full_version
from .retention import retire_models

UPDATE = LATEST_UPDATE["campaign"]


def request_update(
    tx: Transaction,
    campaign: Resource,
    now: float,
    *,
    version_arn: str,
    tps: int,
    config: dict[str, Any],
    latest: bool,
) -> None:
    """Records the wanted state of `campaign` and the job that brings it about.

    Args:
        tx: a write transaction.
        campaign: a campaign without an update in progress.
        now: seconds since the epoch.
        version_arn: the version to deploy.
        tps: minProvisionedTPS from then on.
        config: the whole campaignConfig from then on.
        latest: whether the version was asked for as ``$LATEST``, which lets the campaign follow newer ones.
    """
    update = {
        "solutionVersionArn": version_arn,
        "minProvisionedTPS": tps,
        "campaignConfig": config,
        "status": "CREATE PENDING",
        "creationDateTime": now,
        "lastUpdatedDateTime": now,
    }
    tx.update(campaign, set={UPDATE: update}, internal={"latest_asked": latest})
    tx.enqueue("update-campaign", campaign.arn, {})


def follow_latest(tx: Transaction, solution_arn: str, now: float) -> None:
    """Updates the campaigns that follow the solution to its newest full version, if they serve an older one.

    A campaign that is being created or updated is looked at again when that is done.
    """
    newest = newest_full_version(tx, solution_arn)
    if newest is None:
        return
    for campaign in tx.find("campaign", parent_arn=solution_arn, statuses=("ACTIVE",)):
        if update_under_way(campaign) is not None or not _follows(campaign):
            continue
        serving = tx.require(campaign.attributes["solutionVersionArn"], "solution-version")
        if (newest.created_at, newest.arn) > (serving.created_at, serving.arn):
            request_update(
                tx,
                campaign,
                now,
                version_arn=newest.arn,
                tps=campaign.attributes["minProvisionedTPS"],
                config=campaign.attributes["campaignConfig"],
                latest=True,
            )


class Deploy:
    """A new campaign: CREATE PENDING > CREATE IN_PROGRESS > ACTIVE or CREATE FAILED."""

    kind = "deploy"
    heavy = False

    def run(self, job: Job) -> None:
        with job.scope.write() as tx:
            campaign = tx.update(job.resource_arn, status="CREATE IN_PROGRESS")
            version = tx.require(campaign.attributes["solutionVersionArn"], "solution-version")
        _verify(job, version)
        with job.commit() as tx:
            tx.update(campaign.arn, status="ACTIVE")
            follow_latest(tx, version.attributes["solutionArn"], job.installation.clock.now())

    def failed(self, job: Job, tx: Transaction, reason: str) -> None:
        tx.update(job.resource_arn, status="CREATE FAILED", set={"failureReason": reason})

    def stopped(self, job: Job, tx: Transaction) -> None:
        self.failed(job, tx, "The deployment was stopped.")


class UpdateCampaign:
    """An update of a campaign; its progress shows in `latestCampaignUpdate`, the campaign's status stays."""

    kind = "update-campaign"
    heavy = False

    def run(self, job: Job) -> None:
        with job.scope.write() as tx:
            campaign = _mark(tx, job, "CREATE IN_PROGRESS")
            wanted = campaign.attributes[UPDATE]
            version = tx.require(wanted["solutionVersionArn"], "solution-version")
        _verify(job, version)
        with job.commit() as tx:
            campaign = _mark(tx, job, "ACTIVE")
            now = job.installation.clock.now()
            if campaign.parent_arn is not None:
                retire_models(tx, campaign.parent_arn, now)
            tx.update(
                campaign,
                status="ACTIVE",
                parent_arn=version.attributes["solutionArn"],
                set={
                    member: wanted[member]
                    for member in ("solutionVersionArn", "minProvisionedTPS", "campaignConfig")
                },
                unset=("failureReason",),
                internal={"latest": CampaignInternal.of(campaign).latest_asked},
            )
            follow_latest(tx, version.attributes["solutionArn"], job.installation.clock.now())

    def failed(self, job: Job, tx: Transaction, reason: str) -> None:
        _mark(tx, job, "CREATE FAILED", reason)

    def stopped(self, job: Job, tx: Transaction) -> None:
        self.failed(job, tx, "The update was stopped.")


def _follows(campaign: Resource) -> bool:
    config = campaign.attributes["campaignConfig"]
    return bool(CampaignInternal.of(campaign).latest and config.get("syncWithLatestSolutionVersion"))


def _mark(tx: Transaction, job: Job, status: str, failure: str | None = None) -> Resource:
    """The campaign with the status of its latest update moved on."""
    campaign = tx.require(job.resource_arn, "campaign")
    now = job.installation.clock.now()
    return tx.update(campaign, set=marked_update(campaign, status, now, failure))


def _verify(job: Job, version: Resource) -> None:
    verify_artifact(job, version.arn, VersionInternal.of(version).artifact, "train a new solution version")


def verify_artifact(job: Job, arn: str, key: str | None, mend: str) -> None:
    """The model of a version or recommender is there, whole, and of a recipe that this installation has.

    Args:
        arn: whose it is. key: where it lies. mend: what its owner can do if it is not.

    Raises:
        JobFailed: it is not.
    """
    if key is None:
        raise JobFailed(f"The model of {arn} is gone; {mend}.")
    try:
        artifact = Artifact.open(job.installation.objects.fetch(key))
        damaged = artifact.verify()
    except (OSError, ValueError, KeyError) as error:
        raise JobFailed(f"The model of {arn} is missing or unreadable; {mend}.") from error
    if damaged:
        raise JobFailed(f"The model of {arn} is damaged ({', '.join(damaged[:5])}); {mend}.")
    job.line(f"{arn}: a model of recipe {artifact.recipe.name}, whole")
