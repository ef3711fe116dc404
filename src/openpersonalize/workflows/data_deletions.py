"""Data deletion jobs: everything that is kept of some users of a dataset group is removed (`DataDeletion`).

Nobody reads the group's data meanwhile, see `exclusion`. The bulk layers and models are written anew beside
the old ones; one transaction puts them in force; then the live log, the log of recommendations and what
imports told of their files forget, and what was replaced is removed at once, without the usual grace. Run
again from any moment, it ends the same.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from ..engine.workflow import Job
from ..errors import ResourceNotFound
from ..events.livelog import stream_of
from ..exploration.checkpoint import remove_checkpoints
from ..resources.endpoints import update_under_way
from ..resources.internals import DataDeletionInternal, DatasetInternal, RecommenderInternal, VersionInternal
from ..resources.jobrows import OPEN, waiting_jobs
from ..resources.lifecycle import AT_WORK
from ..resources.quotas import check_quota
from ..resources.store import Resource, Scope, Transaction
from ..settings import Settings
from ..storage.keys import erased_artifact_key, erased_snapshot_key, erasure_key, parts_key
from .exclusion import wait_for_readers
from .quotations import forget_quotations
from .recommendertraining import RETRAIN, train_again
from .retention import RemoveArtifact, RemoveSnapshot, remove_snapshot, snapshots_in_use
from .trainings import free_suffix, start_training

log = logging.getLogger(__name__)

RETRY_SECONDS = 60.0
STEPS = "openpersonalize.workflows.erasure_step"
OF_USERS = ("INTERACTIONS", "USERS", "ACTION_INTERACTIONS")
"""Types of datasets whose rows belong to users."""


class DataDeletion:
    """PENDING > IN_PROGRESS > COMPLETED or FAILED. Jobs of one dataset group share a queue.

    Payload: ``erasure``, which names what it publishes.
    """

    kind = "data-deletion"
    heavy = True

    def run(self, job: Job) -> None:
        erasure = job.payload["erasure"]
        with job.scope.write() as tx:
            row = _begin(tx, job)
            group = row.attributes["datasetGroupArn"]
            internal = DataDeletionInternal.of(row)
            inputs, endpoints = _inputs(tx, group), _endpoints(tx, group)
        if not internal.switched:
            location = row.attributes["dataSource"]["dataLocation"]
            found = job.heavy(f"{STEPS}:read_users", erasure=erasure, location=location)
            job.line(f"{found['users']} users are to be removed")
            made = job.heavy(f"{STEPS}:rewrite", erasure=erasure, **inputs)
            with job.scope.write() as tx:
                internal = _switch(tx, job, inputs, made)
        streams = sorted({*inputs["streams"].values(), stream_of(group)})
        job.installation.recommendations.flush()
        job.heavy(f"{STEPS}:forget", erasure=erasure, streams=streams, endpoints=endpoints)
        _remove_replaced(job, internal.replaced)
        with job.scope.write() as tx:
            forget_quotations(tx, group)
        job.installation.metadata.purge()
        for version in internal.versions:
            job.line(f"trained with data of users that are removed now: {version}")
        job.installation.objects.remove(erasure_key(erasure))  # the last: without it `forget` has been done
        with job.commit() as tx:
            tx.update(job.resource_arn, status="COMPLETED", set={"numDeleted": internal.rows})

    def failed(self, job: Job, tx: Transaction, reason: str) -> None:
        """Before anything is in force nothing has changed. Afterwards there is no way but to the end."""
        erasure = job.payload["erasure"]
        row = tx.require(job.resource_arn, "data-deletion-job")
        if DataDeletionInternal.of(row).switched:
            log.error("%s failed and is tried again in a minute: %s", row.arn, reason)
            again = job.installation.clock.now() + RETRY_SECONDS
            tx.enqueue(self.kind, row.arn, job.payload, not_before=again, queue=row.group_arn)
            return
        tx.update(row, status="FAILED", set={"failureReason": reason})
        inputs = _inputs(tx, row.attributes["datasetGroupArn"])
        unnamed = [erased_snapshot_key(erasure, kind) for kind in OF_USERS]
        unnamed += [parts_key(key) for key in unnamed]
        unnamed += [erased_artifact_key(key, erasure) for key in inputs["artifacts"].values()]
        for key in [*unnamed, erasure_key(erasure)]:
            job.installation.objects.remove(key)

    def stopped(self, job: Job, tx: Transaction) -> None:
        self.failed(job, tx, "The deletion was stopped.")


def deletion_report(scope: Scope, arn: str) -> dict[str, Any] | None:
    """What a data deletion job says beside Amazon's shape: ``versions``, the solution versions and
    recommenders that had been trained with the users' data, as far as they still exist; None when there is no
    such job."""
    with scope.read() as tx:
        row = tx.get(arn, "data-deletion-job")
        if row is None:
            return None
        return {"versions": [one for one in DataDeletionInternal.of(row).versions if tx.get(one) is not None]}


def retrain(scope: Scope, settings: Settings, arn: str) -> list[str]:
    """Train every solution and recommender anew whose models a finished data deletion job names; the ARNs of
    the new versions, and of the recommenders. What is not ACTIVE, or is being trained, is left out. All
    begin, or none does.

    Raises:
        ResourceNotFound: there is no such job.
        LimitExceeded: too many versions would be at work.
    """
    with scope.write() as tx:
        row = tx.get(arn, "data-deletion-job")
        if row is None:
            raise ResourceNotFound(f"There is no data deletion job {arn}.")
        versions = [tx.get(one, "solution-version") for one in DataDeletionInternal.of(row).versions]
        solutions = dict.fromkeys(one.attributes["solutionArn"] for one in versions if one is not None)
        started = []
        for solution_arn in solutions:
            solution = tx.get(solution_arn, "solution")
            if solution is None or solution.status != "ACTIVE":
                continue
            if tx.count("solution-version", parent_arn=solution_arn, statuses=AT_WORK):
                continue
            check_quota(tx, settings, "solution-version")
            suffix = free_suffix(tx, solution)
            version = start_training(tx, solution, suffix, training_mode="FULL", training_type="MANUAL")
            started.append(version.arn)
        for recommender in (tx.get(one, "recommender") for one in DataDeletionInternal.of(row).versions):
            if recommender is None or recommender.status != "ACTIVE":
                continue
            newest = tx.job(recommender.arn)
            if newest is not None and newest.state in OPEN:  # it may wait for its turn
                continue
            if RecommenderInternal.of(recommender).training is None and not update_under_way(recommender):
                train_again(tx, recommender, RETRAIN)
                started.append(recommender.arn)
    return started


def _begin(tx: Transaction, job: Job) -> Resource:
    """The job's row, in progress, once nothing of the group is under way that reads users' data."""
    row = tx.require(job.resource_arn, "data-deletion-job")
    if row.status == "PENDING":
        wait_for_readers(tx, row.attributes["datasetGroupArn"])
        row = tx.update(row, status="IN_PROGRESS")
    return row


def _inputs(tx: Transaction, group: str) -> dict[str, dict[str, str]]:
    """The arguments of the step `rewrite`."""
    inputs: dict[str, dict[str, str]] = {"snapshots": {}, "streams": {}, "schemas": {}, "artifacts": {}}
    for dataset in tx.find("dataset", group_arn=group):
        kind, snapshot = dataset.attributes["datasetType"], DatasetInternal.of(dataset).snapshot
        if kind in OF_USERS and not (dataset.status or "").startswith("DELETE"):
            inputs["streams"][kind] = dataset.arn
            schema = tx.require(dataset.attributes["schemaArn"], "schema")
            inputs["schemas"][kind] = schema.attributes["schema"]
            if snapshot is not None:
                inputs["snapshots"][kind] = snapshot
    for version in tx.find("solution-version", group_arn=group):
        artifact = VersionInternal.of(version).artifact
        if artifact is not None:
            inputs["artifacts"][version.arn] = artifact
    for recommender in tx.find("recommender", group_arn=group):
        artifact = RecommenderInternal.of(recommender).artifact
        if artifact is not None:
            inputs["artifacts"][recommender.arn] = artifact
    return inputs


def _endpoints(tx: Transaction, group: str) -> list[str]:
    return [one.arn for kind in ("campaign", "recommender") for one in tx.find(kind, group_arn=group)]


def _artifact_of(trained: Resource) -> str | None:
    """The key of the model of a version or recommender."""
    if trained.kind == "recommender":
        return RecommenderInternal.of(trained).artifact
    return VersionInternal.of(trained).artifact


def _switch(tx: Transaction, job: Job, inputs: dict[str, Any], made: dict[str, Any]) -> DataDeletionInternal:
    """Put what was written anew in force, and write down what it replaces."""
    replaced = []
    for kind, key in made["snapshots"].items():
        dataset = tx.update(inputs["streams"][kind], internal={"snapshot": key}, touch=False)
        assert dataset.attributes["datasetType"] == kind
        replaced.append(inputs["snapshots"][kind])
    for arn, key in made["artifacts"].items():
        old, trained = inputs["artifacts"][arn], tx.get(arn)
        if trained is not None and _artifact_of(trained) == old:
            tx.update(trained, internal={"artifact": key}, touch=False)
            replaced.append(old)
        else:  # it was deleted meanwhile
            replaced.append(key)
    row = tx.update(
        job.resource_arn,
        internal={
            "switched": True,
            "rows": made["rows"],
            "versions": list(made["artifacts"]),
            "replaced": replaced,
        },
    )
    return DataDeletionInternal.of(row)


def _remove_replaced(job: Job, replaced: Iterable[str]) -> None:
    """Remove what the new snapshots and artifacts replace, and older ones that wait for removal."""
    installation = job.installation
    with job.scope.read() as tx:
        in_use = snapshots_in_use(tx)
        scope = job.scope
        waiting = [
            one
            for kind in (RemoveSnapshot.kind, RemoveArtifact.kind)
            for one in waiting_jobs(tx.connection, scope.account, scope.region, kind)
        ]
    retired = [one.payload["key"] for one in waiting]
    for key in dict.fromkeys([*replaced, *retired]):
        if key.startswith("artifacts/"):
            installation.objects.remove(key)
            remove_checkpoints(installation.objects, installation.settings.data, key)
        elif key not in in_use:
            remove_snapshot(installation.objects, key, in_use)
    installation.objects.sweep()
