"""Dataset export jobs: the data of a dataset as CSV files in a bucket."""

from __future__ import annotations

from ..resources.quotas import check_quota
from ..storage.buckets import check_location
from .context import Answer, Context, Request, given
from .describing import described
from .listing import listed
from .states import require_active, require_free


def create_dataset_export_job(context: Context, request: Request) -> Answer:
    """CreateDatasetExportJob: writes the bulk layer, what was put and streamed, or all of it together, as it
    is when the job begins."""
    check_location(request["jobOutput"].get("s3DataDestination", {}).get("path", ""))
    arn = context.scope.arn(f"dataset-export-job/{request['jobName']}")
    with context.scope.write() as tx:
        dataset = tx.require(request["datasetArn"], "dataset")
        require_free(tx, arn)
        require_active(dataset)
        check_quota(tx, context.installation.settings, "dataset-export-job")
        tx.add(
            "dataset-export-job",
            arn,
            request["jobName"],
            group_arn=dataset.group_arn,
            parent_arn=dataset.arn,
            status="CREATE PENDING",
            attributes={
                "ingestionMode": request.get("ingestionMode", "PUT"),
                **given(request, "jobName", "datasetArn", "roleArn", "jobOutput"),
            },
            tags=request.get("tags"),
        )
        tx.enqueue("export", arn, {})
    return {"datasetExportJobArn": arn}


def describe_dataset_export_job(context: Context, request: Request) -> Answer:
    """DescribeDatasetExportJob."""
    return described(context, request, "dataset-export-job")


def list_dataset_export_jobs(context: Context, request: Request) -> Answer:
    """ListDatasetExportJobs."""
    return listed(context, request, "ListDatasetExportJobs", "dataset-export-job")
