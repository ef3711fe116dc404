"""Importing files into a dataset: read, checked and published as a new snapshot, or not at all.

The files are read by a process of their own. Its result is an immutable snapshot that nobody knows yet; one
commit then makes the dataset point at it and the job ACTIVE, so that a reader sees all of the new data or
all of the old, whatever crashes.
"""

from __future__ import annotations

from ..engine.workflow import Job
from ..resources.internals import DatasetInternal
from ..resources.store import Transaction
from ..storage.keys import parts_key, snapshot_key
from .exclusion import wait_for_deletions
from .retention import retire_snapshot


class Import:
    """CREATE PENDING > CREATE IN_PROGRESS > ACTIVE or CREATE FAILED. Jobs of one dataset share a queue.

    Payload: ``position``, the place in the live log that the imported rows count as written at.
    """

    kind = "import"
    heavy = True

    def run(self, job: Job) -> None:
        with job.scope.write() as tx:
            wait_for_deletions(tx, tx.require(job.resource_arn))
            row = tx.update(job.resource_arn, status="CREATE IN_PROGRESS")
            dataset = tx.require(row.attributes["datasetArn"], "dataset")
            schema = tx.require(dataset.attributes["schemaArn"], "schema")
        old = DatasetInternal.of(dataset).snapshot
        made = job.heavy(
            "openpersonalize.workflows.import_step:run",
            dataset_type=dataset.attributes["datasetType"],
            schema=schema.attributes["schema"],
            location=row.attributes["dataSource"]["dataLocation"],
            mode=row.attributes["importMode"],
            previous=old,
            position=job.payload["position"],
            minimum_data=job.installation.settings.minimum_data,
        )
        with job.commit() as tx:
            tx.update(dataset.arn, internal={"snapshot": made["snapshot"]}, touch=False)
            tx.update(row.arn, status="ACTIVE", internal={"rows": made["rows"], "bytes": made["bytes"]})
            retire_snapshot(tx, old, job.installation.clock.now())

    def failed(self, job: Job, tx: Transaction, reason: str) -> None:
        made = snapshot_key(job.id)
        for key in (made, parts_key(made)):  # published, and never named
            job.installation.objects.remove(key)
        tx.update(job.resource_arn, status="CREATE FAILED", set={"failureReason": reason})

    def stopped(self, job: Job, tx: Transaction) -> None:
        self.failed(job, tx, "The import was stopped.")
