"""Batch segment jobs: files of items or attributes in, files of the users who are drawn to them out."""

from __future__ import annotations

from ..errors import InvalidInput
from ..recipes.facts import Task
from ..resources.quotas import check_quota
from .batch_inference import check_paths, filter_of, refuse_filter
from .campaigns import usable_version
from .context import Answer, Context, Request, given
from .listing import listed
from .recipes import named_recipe
from .states import require_free

MOST_USERS = 5_000_000
"""``numResults`` at most: users of a segment."""

MEMBERS = ("jobName", "solutionVersionArn", "filterArn", "numResults", "jobInput", "jobOutput", "roleArn")


def create_batch_segment_job(context: Context, request: Request) -> Answer:
    """CreateBatchSegmentJob: the segments are those of the version, its filter sees the data of the moment
    the job begins."""
    check_paths(request)
    if not 1 <= request.get("numResults", 1) <= MOST_USERS:
        raise InvalidInput(f"numResults must be from 1 to {MOST_USERS}.")
    arn = context.scope.arn(f"batch-segment-job/{request['jobName']}")
    with context.scope.write() as tx:
        version = tx.require(request["solutionVersionArn"], "solution-version")
        chosen = request.get("filterArn")
        filtered = None if chosen is None else tx.require(chosen, "filter")
        require_free(tx, arn)
        usable_version(tx, version)
        recipe = named_recipe(version.attributes["recipeArn"])
        if recipe.task is not Task.SEGMENT:
            raise InvalidInput(f"Recipe {recipe.name} is not supported by CreateBatchSegmentJob.")
        if filtered is not None:
            compiled = filter_of(tx, filtered, version, "UserID")
            if compiled.reads_interactions and recipe.needs_attribute:
                refuse_filter(filtered, f"recipe {recipe.name} takes no filter on Interactions")
        check_quota(tx, context.installation.settings, "batch-segment-job")
        tx.add(
            "batch-segment-job",
            arn,
            request["jobName"],
            group_arn=version.group_arn,
            parent_arn=version.arn,
            status="CREATE PENDING",
            attributes=given(request, *MEMBERS),
            tags=request.get("tags"),
        )
        tx.enqueue("batch-segment", arn, {})
    return {"batchSegmentJobArn": arn}


def describe_batch_segment_job(context: Context, request: Request) -> Answer:
    """DescribeBatchSegmentJob."""
    with context.scope.read() as tx:
        job = tx.require(request["batchSegmentJobArn"], "batch-segment-job")
    return {"batchSegmentJob": job.described("batchSegmentJobArn")}


def list_batch_segment_jobs(context: Context, request: Request) -> Answer:
    """ListBatchSegmentJobs."""
    return listed(context, request, "ListBatchSegmentJobs", "batch-segment-job")
