"""Batch inference and batch segment jobs, `BatchJob`: pins the version and the data of the moment a job
begins, answers the lines in a process of its own, and says so in one commit."""

from __future__ import annotations

from typing import Any

from ..engine.workflow import Job
from ..errors import JobFailed
from ..resources.internals import DataJobInternal, DatasetInternal, VersionInternal
from ..resources.store import Resource, Transaction
from ..resources.versions import updates_until
from ..storage.workfolder import remove_work_folder
from .exclusion import wait_for_deletions
from .retention import release_snapshots, retire_models

RESULTS = 25
"""Items or users of an answer when the job does not say."""


class BatchJob:
    """CREATE PENDING > CREATE IN_PROGRESS > ACTIVE or CREATE FAILED."""

    heavy = True

    def __init__(self, kind: str, step: str) -> None:
        """`kind`: with ``-job`` behind it that of the resource. `step`: what answers the lines."""
        self.kind, self._step = kind, step

    def run(self, job: Job) -> None:
        with job.scope.write() as tx:
            arguments = _begin(tx, job, f"{self.kind}-job")
        made = job.heavy(self._step, **arguments)
        with job.commit() as tx:
            row = tx.update(
                job.resource_arn,
                status="ACTIVE",
                internal={"lines": made["lines"], "answers": made["answers"]},
            )
            _release(tx, job, row)
        remove_work_folder(job.installation.settings, job.id)

    def failed(self, job: Job, tx: Transaction, reason: str) -> None:
        row = tx.update(job.resource_arn, status="CREATE FAILED", set={"failureReason": reason})
        _release(tx, job, row)
        remove_work_folder(job.installation.settings, job.id)

    def stopped(self, job: Job, tx: Transaction) -> None:
        self.failed(job, tx, "The job was stopped.")


def _begin(tx: Transaction, job: Job, kind: str) -> dict[str, Any]:
    """What the step is called with; the same again after a crash."""
    row = tx.require(job.resource_arn, kind)
    wait_for_deletions(tx, row)
    version = tx.get(row.attributes["solutionVersionArn"], "solution-version")
    internal = None if version is None else VersionInternal.of(version)
    if version is None or internal is None or internal.artifact is None or internal.retired:
        raise JobFailed(f"The model of {row.attributes['solutionVersionArn']} is gone.")
    datasets = {d.attributes["datasetType"]: d for d in tx.find("dataset", group_arn=row.group_arn)}
    if DataJobInternal.of(row).snapshots is None:
        row = tx.update(
            row,
            status="CREATE IN_PROGRESS",
            internal={
                "snapshots": {kind: DatasetInternal.of(one).snapshot for kind, one in datasets.items()},
                "position": job.installation.log.position(),
                "moment": job.installation.clock.now(),
            },
        )
    pinned = DataJobInternal.of(row)
    chosen = row.attributes.get("filterArn")
    themes = row.attributes.get("themeGenerationConfig")
    return {
        **({"item_name": themes["fieldsForThemeGeneration"]["itemName"]} if themes else {}),
        "entry": {
            "name": row.arn,
            "group": row.group_arn,
            "version": version.arn,
            "artifact": internal.artifact,
            "recipe": version.attributes["recipeArn"],
            "config": row.attributes.get("batchInferenceJobConfig") or {},
            "until": updates_until(tx, version),
            "datasets": {
                kind: _dataset(tx, datasets[kind], key)
                for kind, key in (pinned.snapshots or {}).items()
                if kind in datasets
            },
        },
        "expression": None if chosen is None else tx.require(chosen, "filter").attributes["filterExpression"],
        "count": row.attributes.get("numResults", RESULTS),
        "source": row.attributes["jobInput"]["s3DataSource"]["path"],
        "destination": row.attributes["jobOutput"]["s3DataDestination"]["path"],
        "position": pinned.position,
        "moment": pinned.moment,
    }


def _dataset(tx: Transaction, dataset: Resource, snapshot: str | None) -> list[str | None]:
    schema = tx.require(dataset.attributes["schemaArn"], "schema").attributes["schema"]
    return [dataset.arn, schema, snapshot]


def _release(tx: Transaction, job: Job, row: Resource) -> None:
    """Let go of the data, and of the model if newer ones have taken its place."""
    now = job.installation.clock.now()
    release_snapshots(tx, row.group_arn, DataJobInternal.of(row).snapshots, now)
    version = tx.get(row.attributes["solutionVersionArn"], "solution-version")
    if version is not None and version.parent_arn is not None:
        retire_models(tx, version.parent_arn, now)
