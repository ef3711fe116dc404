"""Dataset groups: the container of everything that belongs to one application."""

from __future__ import annotations

import logging

from ..errors import InvalidInput
from ..resources.quotas import check_quota
from ..workflows.deletions import HELD_BY_GROUP
from .context import Answer, Context, Request, given
from .deleting import begin_deletion
from .describing import described
from .listing import listed
from .states import require_deletable, require_free, require_unused, staying

log = logging.getLogger(__name__)

VISIBLE_SECONDS = 1.0
"""How long a group is DELETE PENDING at least. Its rows go in one transaction: without this a program that
looks once whether the deletion has begun, as Amazon's own notebooks do, would find nothing to look at."""


def create_dataset_group(context: Context, request: Request) -> Answer:
    """CreateDatasetGroup: with a domain it is a Domain dataset group for life, else a Custom one."""
    if ("roleArn" in request) != ("kmsKeyArn" in request):
        raise InvalidInput("roleArn and kmsKeyArn must be given together.")
    arn = context.scope.arn(f"dataset-group/{request['name']}")
    with context.scope.write() as tx:
        require_free(tx, arn)
        check_quota(tx, context.installation.settings, "dataset-group")
        tx.add(
            "dataset-group",
            arn,
            request["name"],
            status="CREATE PENDING",
            attributes=given(request, "roleArn", "kmsKeyArn", "domain"),
            tags=request.get("tags"),
        )
        tx.enqueue("create-dataset-group", arn, {})
    if "kmsKeyArn" in request:
        log.warning("%s names a KMS key; it is stored, but nothing here is encrypted by it.", arn)
    return {"datasetGroupArn": arn, **given(request, "domain")}


def describe_dataset_group(context: Context, request: Request) -> Answer:
    """DescribeDatasetGroup."""
    return described(context, request, "dataset-group")


def list_dataset_groups(context: Context, request: Request) -> Answer:
    """ListDatasetGroups."""
    return listed(context, request, "ListDatasetGroups", "dataset-group")


def delete_dataset_group(context: Context, request: Request) -> Answer:
    """DeleteDatasetGroup: refused while it holds trackers, solutions, recommenders or datasets, unless these
    are being deleted already: then it waits for them.

    Filters and a metric attribution go with it.
    """
    with context.scope.write() as tx:
        group = tx.require(request["datasetGroupArn"], "dataset-group")
        require_deletable(group)
        for kind in HELD_BY_GROUP:
            require_unused(group, staying(tx.find(kind, group_arn=group.arn)))
        begin_deletion(tx, group, not_before=context.now + VISIBLE_SECONDS)
    return {}
