"""Importing files into a dataset: read, checked and published as a new snapshot, or not at all.

The files are read by a process of their own. Its result is an immutable snapshot that nobody knows yet; one
commit then makes the dataset point at it and the job ACTIVE, so that a reader sees all of the new data or
all of the old, whatever crashes.
"""

from __future__ import annotations

from typing import Any

from ..engine.workflow import Job
from ..errors import JobFailed
from ..resources.internals import DatasetInternal
from ..resources.store import Transaction
from ..storage.keys import parts_key, snapshot_key
from .attributions import report_of_import
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
            siblings = tx.find("dataset", group_arn=dataset.group_arn)
            attribution = report_of_import(tx, row, int(job.installation.clock.now()))
        old = DatasetInternal.of(dataset).snapshot
        known = {
            one.attributes["datasetType"]: DatasetInternal.of(one).snapshot
            for one in siblings
            if one.arn != dataset.arn
        }
        made = job.heavy(
            "openpersonalize.workflows.import_step:run",
            dataset_type=dataset.attributes["datasetType"],
            schema=schema.attributes["schema"],
            location=row.attributes["dataSource"]["dataLocation"],
            mode=row.attributes["importMode"],
            previous=old,
            position=job.payload["position"],
            minimum_data=job.installation.settings.minimum_data,
            others={kind: key for kind, key in known.items() if key is not None},
        )
        if attribution is not None:
            _report(job, {**attribution, "snapshot": made["snapshot"]})
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


def _report(job: Job, arguments: dict[str, Any]) -> None:
    """The metrics of an attribution. The data is there, so a report that cannot be written is told only."""
    try:
        job.heavy("openpersonalize.workflows.attribution_step:run", **arguments)
        if arguments["report"] is not None:
            job.line(f"metrics of the metric attribution: {arguments['report']}")
    except JobFailed as error:
        job.line(f"no report of the metric attribution: {error.message}")
