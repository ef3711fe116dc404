"""Batch segment jobs: files of items or attributes in, files of the users who are drawn to them out."""

from __future__ import annotations

from ..errors import InvalidInput
from ..filters.compiler import CompiledFilter
from ..recipes.facts import Facts, Task
from ..resources.store import Resource, Transaction
from .batch_jobs import BatchKind, created
from .context import Answer, Context, Request
from .describing import described
from .listing import listed

MOST_USERS = 5_000_000
"""``numResults`` at most: users of a segment."""


def create_batch_segment_job(context: Context, request: Request) -> Answer:
    """CreateBatchSegmentJob: the segments are those of the version, its filter sees the data of the moment
    the job begins."""
    return created(context, request, _SEGMENTS)


def describe_batch_segment_job(context: Context, request: Request) -> Answer:
    """DescribeBatchSegmentJob."""
    return described(context, request, "batch-segment-job")


def list_batch_segment_jobs(context: Context, request: Request) -> Answer:
    """ListBatchSegmentJobs."""
    return listed(context, request, "ListBatchSegmentJobs", "batch-segment-job")


def _check(tx: Transaction, version: Resource, recipe: Facts, request: Request) -> None:
    if recipe.task is not Task.SEGMENT:
        raise InvalidInput(f"Recipe {recipe.name} is not supported by CreateBatchSegmentJob.")


def _against(compiled: CompiledFilter, recipe: Facts) -> str | None:
    if compiled.reads_interactions and recipe.needs_attribute:
        return f"recipe {recipe.name} takes no filter on Interactions"
    return None


_SEGMENTS = BatchKind("batch-segment", MOST_USERS, "UserID", _check, _against)
