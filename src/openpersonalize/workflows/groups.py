"""Making a dataset group: there is nothing to build, so it is ACTIVE as soon as the job is reached."""

from __future__ import annotations

from ..engine.workflow import Job
from ..resources.store import Transaction


class CreateDatasetGroup:
    """CREATE PENDING > CREATE IN_PROGRESS > ACTIVE."""

    kind = "create-dataset-group"
    heavy = False

    def run(self, job: Job) -> None:
        with job.scope.write() as tx:
            tx.update(job.resource_arn, status="CREATE IN_PROGRESS")
        with job.commit() as tx:
            tx.update(job.resource_arn, status="ACTIVE")

    def failed(self, job: Job, tx: Transaction, reason: str) -> None:
        tx.update(job.resource_arn, status="CREATE FAILED", set={"failureReason": reason})

    def stopped(self, job: Job, tx: Transaction) -> None:
        self.failed(job, tx, "The creation was stopped.")
