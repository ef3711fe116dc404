"""Updates that change a resource in place: a dataset's schema, a solution's automatic training."""

from __future__ import annotations

from typing import Any

from ..engine.workflow import Job
from ..resources.store import Resource, Transaction
from .schedule import reschedule


class UpdateDataset:
    """UPDATE PENDING > UPDATE IN_PROGRESS > ACTIVE. Stored rows stay: a column they lack is null."""

    kind = "update-dataset"
    heavy = False
    member = "latestDatasetUpdate"

    def run(self, job: Job) -> None:
        with job.scope.write() as tx:
            dataset = _mark(tx, job, self.member, "UPDATE IN_PROGRESS")
            tx.update(dataset, status="UPDATE IN_PROGRESS")
        with job.commit() as tx:
            dataset = _mark(tx, job, self.member, "ACTIVE")
            schema_arn = dataset.attributes[self.member]["schemaArn"]
            tx.update(dataset, status="ACTIVE", parent_arn=schema_arn, set={"schemaArn": schema_arn})

    def failed(self, job: Job, tx: Transaction, reason: str) -> None:
        dataset = _mark(tx, job, self.member, "UPDATE FAILED", failureReason=reason)
        tx.update(dataset, status="ACTIVE")

    def stopped(self, job: Job, tx: Transaction) -> None:
        self.failed(job, tx, "The update was stopped.")


class UpdateSolution:
    """The update goes CREATE PENDING > CREATE IN_PROGRESS > ACTIVE; the solution itself stays ACTIVE."""

    kind = "update-solution"
    heavy = False
    member = "latestSolutionUpdate"

    def run(self, job: Job) -> None:
        with job.scope.write() as tx:
            _mark(tx, job, self.member, "CREATE IN_PROGRESS")
        with job.commit() as tx:
            solution = _mark(tx, job, self.member, "ACTIVE")
            update = solution.attributes[self.member]
            changed = {
                member: update[member]
                for member in ("performAutoTraining", "performIncrementalUpdate")
                if member in update
            }
            config = {**solution.attributes["solutionConfig"], **update.get("solutionUpdateConfig", {})}
            was_on = solution.attributes.get("performAutoTraining", False)
            solution = tx.update(solution, set={**changed, "solutionConfig": config})
            installation = job.installation
            minutes = installation.settings.first_automatic_training
            reschedule(tx, solution, was_on, installation.clock.now(), minutes)

    def failed(self, job: Job, tx: Transaction, reason: str) -> None:
        _mark(tx, job, self.member, "CREATE FAILED", failureReason=reason)

    def stopped(self, job: Job, tx: Transaction) -> None:
        self.failed(job, tx, "The update was stopped.")


def _mark(tx: Transaction, job: Job, member: str, status: str, **more: Any) -> Resource:
    """The resource with the status of its latest update moved on."""
    resource = tx.require(job.resource_arn, job.kind.removeprefix("update-"))
    update = {
        **resource.attributes[member],
        "status": status,
        "lastUpdatedDateTime": job.installation.clock.now(),
        **more,
    }
    return tx.update(resource, set={member: update})
