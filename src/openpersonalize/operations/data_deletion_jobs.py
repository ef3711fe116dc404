"""Data deletion jobs: everything that is kept of some users of a dataset group is removed."""

from __future__ import annotations

import uuid

from ..resources.quotas import check_quota
from ..storage.buckets import check_location
from .context import Answer, Context, Request, given
from .describing import described
from .listing import listed
from .states import require_active, require_free


def create_data_deletion_job(context: Context, request: Request) -> Answer:
    """CreateDataDeletionJob: whom to remove is read when the job runs. Jobs of one dataset group run one
    after the other, in order of creation."""
    check_location(request["dataSource"].get("dataLocation", ""))
    arn = context.scope.arn(f"data-deletion-job/{request['jobName']}")
    with context.scope.write() as tx:
        group = tx.require(request["datasetGroupArn"], "dataset-group")
        require_free(tx, arn)
        require_active(group)
        check_quota(tx, context.installation.settings, "data-deletion-job", group.arn)
        tx.add(
            "data-deletion-job",
            arn,
            request["jobName"],
            group_arn=group.arn,
            status="PENDING",
            attributes=given(request, "jobName", "datasetGroupArn", "dataSource", "roleArn"),
            tags=request.get("tags"),
        )
        tx.enqueue("data-deletion", arn, {"erasure": uuid.uuid4().hex}, queue=group.arn)
    return {"dataDeletionJobArn": arn}


def describe_data_deletion_job(context: Context, request: Request) -> Answer:
    """DescribeDataDeletionJob: with numDeleted once it is COMPLETED."""
    return described(context, request, "data-deletion-job")


def list_data_deletion_jobs(context: Context, request: Request) -> Answer:
    """ListDataDeletionJobs: the newest first."""
    return listed(context, request, "ListDataDeletionJobs", "data-deletion-job", newest_first=True)
