"""Which role may call what: one table, every operation named, and `Caller`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import AccessRefused
from .keys import ROLES

_ADMIN = frozenset({"admin"})
_READ = frozenset({"admin", "read"})
_BUCKETS = frozenset({"admin", "buckets"})
_BUCKET_NAMES = frozenset({"admin", "buckets", "read"})
_RUNTIME = frozenset({"admin", "runtime"})
_EVENTS = frozenset({"admin", "events", "ingest"})
_CATALOGUE = frozenset({"admin", "catalogue", "ingest"})

ALLOWED: dict[str, frozenset[str]] = {
    # what changes resources
    "CreateBatchInferenceJob": _ADMIN,
    "CreateBatchSegmentJob": _ADMIN,
    "CreateCampaign": _ADMIN,
    "CreateDataDeletionJob": _ADMIN,
    "CreateDataset": _ADMIN,
    "CreateDatasetExportJob": _ADMIN,
    "CreateDatasetGroup": _ADMIN,
    "CreateDatasetImportJob": _ADMIN,
    "CreateEventTracker": _ADMIN,
    "CreateFilter": _ADMIN,
    "CreateMetricAttribution": _ADMIN,
    "CreateRecommender": _ADMIN,
    "CreateSchema": _ADMIN,
    "CreateSolution": _ADMIN,
    "CreateSolutionVersion": _ADMIN,
    "DeleteCampaign": _ADMIN,
    "DeleteDataset": _ADMIN,
    "DeleteDatasetGroup": _ADMIN,
    "DeleteEventTracker": _ADMIN,
    "DeleteFilter": _ADMIN,
    "DeleteMetricAttribution": _ADMIN,
    "DeleteRecommender": _ADMIN,
    "DeleteSchema": _ADMIN,
    "DeleteSolution": _ADMIN,
    "StartRecommender": _ADMIN,
    "StopRecommender": _ADMIN,
    "StopSolutionVersionCreation": _ADMIN,
    "TagResource": _ADMIN,
    "UntagResource": _ADMIN,
    "UpdateCampaign": _ADMIN,
    "UpdateDataset": _ADMIN,
    "UpdateMetricAttribution": _ADMIN,
    "UpdateRecommender": _ADMIN,
    "UpdateSolution": _ADMIN,
    # what reads them
    "DescribeAlgorithm": _READ,
    "DescribeBatchInferenceJob": _READ,
    "DescribeBatchSegmentJob": _READ,
    "DescribeCampaign": _READ,
    "DescribeDataDeletionJob": _READ,
    "DescribeDataset": _READ,
    "DescribeDatasetExportJob": _READ,
    "DescribeDatasetGroup": _READ,
    "DescribeDatasetImportJob": _READ,
    "DescribeEventTracker": _READ,
    "DescribeFeatureTransformation": _READ,
    "DescribeFilter": _READ,
    "DescribeMetricAttribution": _READ,
    "DescribeRecipe": _READ,
    "DescribeRecommender": _READ,
    "DescribeSchema": _READ,
    "DescribeSolution": _READ,
    "DescribeSolutionVersion": _READ,
    "GetSolutionMetrics": _READ,
    "ListBatchInferenceJobs": _READ,
    "ListBatchSegmentJobs": _READ,
    "ListCampaigns": _READ,
    "ListDataDeletionJobs": _READ,
    "ListDatasetExportJobs": _READ,
    "ListDatasetGroups": _READ,
    "ListDatasetImportJobs": _READ,
    "ListDatasets": _READ,
    "ListEventTrackers": _READ,
    "ListFilters": _READ,
    "ListMetricAttributionMetrics": _READ,
    "ListMetricAttributions": _READ,
    "ListRecipes": _READ,
    "ListRecommenders": _READ,
    "ListSchemas": _READ,
    "ListSolutionVersions": _READ,
    "ListSolutions": _READ,
    "ListTagsForResource": _READ,
    # what asks for recommendations
    "GetActionRecommendations": _RUNTIME,
    "GetPersonalizedRanking": _RUNTIME,
    "GetRecommendations": _RUNTIME,
    # what tells of what users do
    "PutActionInteractions": _EVENTS,
    "PutEvents": _EVENTS,
    # what replaces the records of items, users and actions
    "PutActions": _CATALOGUE,
    "PutItems": _CATALOGUE,
    "PutUsers": _CATALOGUE,
    # S3's: buckets and what is in them
    "s3:AbortMultipartUpload": _BUCKETS,
    "s3:CompleteMultipartUpload": _BUCKETS,
    "s3:CopyObject": _BUCKETS,
    "s3:CreateBucket": _BUCKETS,
    "s3:CreateMultipartUpload": _BUCKETS,
    "s3:DeleteBucket": _BUCKETS,
    "s3:DeleteBucketPolicy": _BUCKETS,
    "s3:DeleteObject": _BUCKETS,
    "s3:DeleteObjects": _BUCKETS,
    "s3:GetObject": _BUCKETS,
    "s3:HeadObject": _BUCKETS,
    "s3:ListParts": _BUCKETS,
    "s3:PutBucketPolicy": _BUCKETS,
    "s3:PutObject": _BUCKETS,
    "s3:UploadPart": _BUCKETS,
    "s3:UploadPartCopy": _BUCKETS,
    # S3's: what there is, without its content
    "s3:GetBucketLocation": _BUCKET_NAMES,
    "s3:GetBucketPolicy": _BUCKET_NAMES,
    "s3:GetBucketVersioning": _BUCKET_NAMES,
    "s3:HeadBucket": _BUCKET_NAMES,
    "s3:ListBuckets": _BUCKET_NAMES,
    "s3:ListMultipartUploads": _BUCKET_NAMES,
    "s3:ListObjectVersions": _BUCKET_NAMES,
    "s3:ListObjects": _BUCKET_NAMES,
    "s3:ListObjectsV2": _BUCKET_NAMES,
    # STS's
    "sts:GetCallerIdentity": frozenset(ROLES),
}
"""Operation -> the roles that may call it; those of other services than Amazon Personalize with their
service's name before."""

PAGE_ROLES = _READ
"""The roles that may read ``/metrics`` and the pages under ``/v1/``."""

EXPLAIN_PAGE, EXPLAIN_ROLES = "/v1/explain", PAGE_ROLES | _RUNTIME
"""The page that explains answers, and the roles that may ask it."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request.

    Attributes:
        key_id: the key that signed it; None on a server without keys.
        role: a role of `keys.ROLES`; ``admin`` on a server without keys.
        tracker: the tracking id that the key is bound to, or None.
        region: the region that the request is for.
    """

    key_id: str | None
    role: str
    tracker: str | None
    region: str


def authorise(caller: Caller, operation: str) -> None:
    """Let `caller`'s role call `operation`, or refuse. Nothing of the request's content is needed for it.

    Raises:
        AccessRefused: the role does not allow it.
    """
    allowed = ALLOWED[operation]
    if caller.role not in allowed:
        raise AccessRefused(
            f"The key {caller.key_id} of role {caller.role} is not allowed to call {operation}; "
            f"it needs one of the roles {', '.join(sorted(allowed))}."
        )


def authorise_content(caller: Caller, request: Mapping[str, Any], group: str | None) -> None:
    """Let a key that is bound to a tracker send `request`, or refuse: events to that tracker only, records
    only to datasets of that tracker's dataset group.

    Args:
        group: the name of the tracker's dataset group, None when there is no such tracker; looked at where
            the request names no tracker.

    Raises:
        AccessRefused: the request is for another tracker or group, whether there is one or not.
    """
    if caller.tracker is None:
        return
    if "trackingId" in request:
        bound = request["trackingId"] == caller.tracker
    else:
        bound = group is not None and _dataset_group(request.get("datasetArn", "")) == group
    if not bound:
        raise AccessRefused(
            f"The key {caller.key_id} is bound to the tracker {caller.tracker} and its dataset group."
        )


def authorise_page(caller: Caller, page: str) -> None:
    """Let `caller` read a page beside the operations, or refuse.

    Raises:
        AccessRefused: the caller's role does not allow it.
    """
    allowed = EXPLAIN_ROLES if page == EXPLAIN_PAGE else PAGE_ROLES
    if caller.role not in allowed:
        raise AccessRefused(
            f"The key {caller.key_id} of role {caller.role} may not read {page}; "
            f"it needs one of the roles {', '.join(sorted(allowed))}."
        )


def _dataset_group(dataset_arn: str) -> str | None:
    """The group's name in ``arn:...:dataset/<group>/<TYPE>``."""
    parts = dataset_arn.split("/")
    return parts[1] if len(parts) == 3 else None
