"""Deleting resources: what belongs to them goes first, the row last, so that an interrupted deletion goes on.

A deletion that meets an error (a full or read-only disk) is tried again a minute later; the resource stays
in DELETE IN_PROGRESS until it is gone.
"""

from __future__ import annotations

import logging

from ..engine.workflow import Job
from ..errors import JobPostponed
from ..exploration.checkpoint import remove_checkpoints
from ..resources.internals import DatasetInternal, RecommenderInternal, VersionInternal
from ..resources.store import Resource, Transaction
from .retention import remove_snapshot, retire_models, snapshots_in_use

log = logging.getLogger(__name__)
RETRY_SECONDS = 60.0
PAUSE_SECONDS = 0.2
HELD_BY_GROUP = ("event-tracker", "solution", "recommender", "dataset")
"""What a dataset group is deleted without only: the rest goes with it."""


class Deletion:
    """DELETE PENDING > DELETE IN_PROGRESS > gone. Nothing but the row belongs to the resource."""

    heavy = False

    def __init__(self, resource_kind: str) -> None:
        self.resource_kind = resource_kind
        self.kind = f"delete-{resource_kind}"

    def run(self, job: Job) -> None:
        with job.scope.write() as tx:
            self.wait(tx, job.resource_arn)
            resource = self._begun(tx, job.resource_arn)
        if resource is not None:
            self.clean(job, resource)
        with job.commit() as tx:
            if resource is not None:
                self.remove(tx, resource)

    def _begun(self, tx: Transaction, arn: str) -> Resource | None:
        """The resource, now DELETE IN_PROGRESS. None when it went with its dataset group meanwhile; what has
        its name now is another."""
        resource = tx.get(arn)
        if resource is None or not (resource.status or "").startswith("DELETE"):
            return None
        return tx.update(resource, status="DELETE IN_PROGRESS")

    def wait(self, tx: Transaction, arn: str) -> None:
        """Raises JobPostponed while something that the resource holds is still being deleted."""

    def clean(self, job: Job, resource: Resource) -> None:
        """Removes data outside the metadata store; may run more than once."""

    def remove(self, tx: Transaction, resource: Resource) -> None:
        """Removes the resource's row, and rows that go with it."""
        tx.remove(resource.arn)

    def failed(self, job: Job, tx: Transaction, reason: str) -> None:
        log.error("Deleting %s failed and is tried again in a minute: %s", job.resource_arn, reason)
        again = job.installation.clock.now() + RETRY_SECONDS
        tx.enqueue(self.kind, job.resource_arn, job.payload, not_before=again)

    def stopped(self, job: Job, tx: Transaction) -> None:
        self.failed(job, tx, "stopped")


class DatasetDeletion(Deletion):
    """With the dataset goes its data: the imported snapshot and what was streamed into it."""

    def __init__(self) -> None:
        super().__init__("dataset")

    def clean(self, job: Job, resource: Resource) -> None:
        key = DatasetInternal.of(resource).snapshot
        if key is not None:
            with job.scope.read() as tx:
                in_use = snapshots_in_use(tx)
            remove_snapshot(job.installation.objects, key, in_use)
        job.installation.log.forget(resource.arn)

    def remove(self, tx: Transaction, resource: Resource) -> None:
        """Its jobs stay, but are no jobs of whichever dataset has the name next."""
        for kind in ("dataset-import-job", "dataset-export-job"):
            for one in tx.find(kind, parent_arn=resource.arn):
                tx.update(one, parent_arn=None, touch=False)
        super().remove(tx, resource)


class CampaignDeletion(Deletion):
    """With the campaign goes what is remembered of whom it showed what, and what kept the model of an older
    version, see `retention`."""

    def __init__(self) -> None:
        super().__init__("campaign")

    def clean(self, job: Job, resource: Resource) -> None:
        job.installation.recommendations.forget(resource.arn)

    def remove(self, tx: Transaction, resource: Resource) -> None:
        super().remove(tx, resource)
        if resource.parent_arn is not None:
            retire_models(tx, resource.parent_arn, resource.updated_at)


class RecommenderDeletion(Deletion):
    """With the recommender go its model and what is remembered of whom it showed what."""

    def __init__(self) -> None:
        super().__init__("recommender")

    def clean(self, job: Job, resource: Resource) -> None:
        installation = job.installation
        installation.recommendations.forget(resource.arn)
        artifact = RecommenderInternal.of(resource).artifact
        if artifact is not None:
            installation.objects.remove(artifact)
            remove_checkpoints(installation.objects, installation.settings.data, artifact)


class SolutionDeletion(Deletion):
    """With the solution go all its versions and their models."""

    def __init__(self) -> None:
        super().__init__("solution")

    def wait(self, tx: Transaction, arn: str) -> None:
        if tx.count("campaign", parent_arn=arn):
            raise JobPostponed(PAUSE_SECONDS)

    def clean(self, job: Job, resource: Resource) -> None:
        with job.scope.read() as tx:
            versions = tx.find("solution-version", parent_arn=resource.arn)
        for version in versions:
            artifact = VersionInternal.of(version).artifact
            if artifact is not None:
                job.installation.objects.remove(artifact)
                settings = job.installation.settings
                remove_checkpoints(job.installation.objects, settings.data, artifact)

    def remove(self, tx: Transaction, resource: Resource) -> None:
        for version in tx.find("solution-version", parent_arn=resource.arn):
            tx.remove(version.arn)
        tx.remove(resource.arn)


class DatasetGroupDeletion(Deletion):
    """With the group go its filters and its metric attribution. A group has no DELETE IN_PROGRESS."""

    def __init__(self) -> None:
        super().__init__("dataset-group")

    def wait(self, tx: Transaction, arn: str) -> None:
        if any(tx.count(kind, group_arn=arn) for kind in HELD_BY_GROUP):
            raise JobPostponed(PAUSE_SECONDS)

    def run(self, job: Job) -> None:
        with job.commit() as tx:
            self.wait(tx, job.resource_arn)
            for kind in ("filter", "metric-attribution"):
                for resource in tx.find(kind, group_arn=job.resource_arn):
                    tx.remove(resource.arn)
            tx.remove(job.resource_arn)
