"""Dataset import jobs: files in a bucket become the bulk layer of a dataset, wholly or not at all."""

from __future__ import annotations

from ..errors import InvalidInput
from ..resources.internals import DatasetInternal
from ..resources.quotas import check_quota
from ..resources.store import Resource, Transaction
from ..storage.buckets import check_location
from .context import Answer, Context, Request, given
from .describing import described
from .listing import listed
from .states import require_active, require_free


def create_dataset_import_job(context: Context, request: Request) -> Answer:
    """CreateDatasetImportJob: jobs on one dataset run one after the other, in order of creation.

    The imported records count as written now, not when the job gets its turn: a record that the caller puts
    after this call is newer than the files. So the job is given today's place in the live log.
    """
    check_location(request["dataSource"].get("dataLocation", ""))
    arn = context.scope.arn(f"dataset-import-job/{request['jobName']}")
    mode = request.get("importMode", "FULL")
    with context.scope.write() as tx:
        dataset = tx.require(request["datasetArn"], "dataset")
        require_free(tx, arn)
        require_active(dataset)
        if mode == "INCREMENTAL" and DatasetInternal.of(dataset).snapshot is None:
            raise InvalidInput(
                f"importMode INCREMENTAL needs an earlier bulk import into {dataset.arn}; use FULL first."
            )
        if request.get("publishAttributionMetricsToS3"):
            _check_attribution(tx, dataset)
        check_quota(tx, context.installation.settings, "dataset-import-job")
        tx.add(
            "dataset-import-job",
            arn,
            request["jobName"],
            group_arn=dataset.group_arn,
            parent_arn=dataset.arn,
            status="CREATE PENDING",
            attributes={
                "jobName": request["jobName"],
                "importMode": mode,
                **given(request, "datasetArn", "dataSource", "roleArn", "publishAttributionMetricsToS3"),
            },
            tags=request.get("tags"),
        )
        position = context.installation.log.position()
        tx.enqueue("import", arn, {"position": position}, queue=dataset.arn)
    return {"datasetImportJobArn": arn}


def describe_dataset_import_job(context: Context, request: Request) -> Answer:
    """DescribeDatasetImportJob."""
    return described(context, request, "dataset-import-job")


def list_dataset_import_jobs(context: Context, request: Request) -> Answer:
    """ListDatasetImportJobs."""
    return listed(context, request, "ListDatasetImportJobs", "dataset-import-job")


def _check_attribution(tx: Transaction, dataset: Resource) -> None:
    """A report of metrics needs somebody who asked for metrics, a place to put it, and interactions."""
    if dataset.attributes["datasetType"] != "INTERACTIONS":
        raise InvalidInput("publishAttributionMetricsToS3 is allowed only for Interactions datasets.")
    attributions = tx.find("metric-attribution", group_arn=dataset.group_arn)
    if not any("s3DataDestination" in a.attributes["metricsOutputConfig"] for a in attributions):
        raise InvalidInput(
            "publishAttributionMetricsToS3 needs a metric attribution with an S3 destination in the"
            " dataset group; create one first."
        )
