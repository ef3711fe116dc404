"""Dataset export jobs: pins the layers of the moment a job begins, and has another process write them."""

from __future__ import annotations

from ..engine.workflow import Job
from ..resources.internals import DataJobInternal, DatasetInternal
from ..resources.store import Transaction
from ..storage.workfolder import remove_work_folder
from .exclusion import wait_for_deletions
from .retention import release_snapshots


class Export:
    """CREATE PENDING > CREATE IN_PROGRESS > ACTIVE or CREATE FAILED."""

    kind = "export"
    heavy = True

    def run(self, job: Job) -> None:
        with job.scope.write() as tx:
            row = tx.require(job.resource_arn, "dataset-export-job")
            wait_for_deletions(tx, row)
            dataset = tx.require(row.attributes["datasetArn"], "dataset")
            schema = tx.require(dataset.attributes["schemaArn"], "schema")
            kind = dataset.attributes["datasetType"]
            if DataJobInternal.of(row).snapshots is None:
                pinned = {
                    "snapshots": {kind: DatasetInternal.of(dataset).snapshot},
                    "position": job.installation.log.position(),
                    "moment": job.installation.clock.now(),
                }
                row = tx.update(row, status="CREATE IN_PROGRESS", internal=pinned)
        internal = DataJobInternal.of(row)
        made = job.heavy(
            "openpersonalize.workflows.export_step:run",
            dataset=dataset.arn,
            dataset_type=kind,
            schema=schema.attributes["schema"],
            mode=row.attributes["ingestionMode"],
            snapshot=(internal.snapshots or {}).get(kind),
            position=internal.position,
            destination=row.attributes["jobOutput"]["s3DataDestination"]["path"],
            name=row.attributes["jobName"],
        )
        with job.commit() as tx:
            tx.update(row.arn, status="ACTIVE", internal={"rows": made["rows"]})
            self._release(job, tx)
        remove_work_folder(job.installation.settings, job.id)

    def failed(self, job: Job, tx: Transaction, reason: str) -> None:
        tx.update(job.resource_arn, status="CREATE FAILED", set={"failureReason": reason})
        self._release(job, tx)
        remove_work_folder(job.installation.settings, job.id)

    def stopped(self, job: Job, tx: Transaction) -> None:
        self.failed(job, tx, "The job was stopped.")

    def _release(self, job: Job, tx: Transaction) -> None:
        row = tx.require(job.resource_arn)
        now = job.installation.clock.now()
        release_snapshots(tx, row.group_arn, DataJobInternal.of(row).snapshots, now)
