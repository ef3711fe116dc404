"""Which S3 operation a request asks for: one table, and what each needs of its body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from . import bucket_operations as buckets
from . import object_operations as objects
from . import upload_operations as uploads
from .faults import Fault
from .object_operations import COPY_SOURCE


class Body(Enum):
    """What becomes of a request's body."""

    DOCUMENT = auto()
    """Small or empty: handed over whole."""
    FILE = auto()
    """Of any size: handed over as a staged file."""


@dataclass(frozen=True)
class Action:
    """One operation.

    Attributes:
        name: as S3 calls it.
        run: the function of this package.
        body: what its body is.
        of_uploads: whether `run` takes the uploads in place of the buckets.
        slow: whether it copies as much as a caller likes, so that the answer has to be kept alive.
    """

    name: str
    run: Callable[..., Any]
    body: Body = Body.DOCUMENT
    of_uploads: bool = False
    slow: bool = False


_SERVICE, _BUCKET, _OBJECT = range(3)
_UPLOAD = "uploadId"

_TABLE: dict[tuple[str, int, str], Action] = {
    ("GET", _SERVICE, ""): Action("ListBuckets", buckets.list_buckets),
    ("PUT", _BUCKET, ""): Action("CreateBucket", buckets.create_bucket),
    ("DELETE", _BUCKET, ""): Action("DeleteBucket", buckets.delete_bucket),
    ("HEAD", _BUCKET, ""): Action("HeadBucket", buckets.head_bucket),
    ("GET", _BUCKET, "location"): Action("GetBucketLocation", buckets.get_bucket_location),
    ("PUT", _BUCKET, "policy"): Action("PutBucketPolicy", buckets.put_bucket_policy),
    ("GET", _BUCKET, "policy"): Action("GetBucketPolicy", buckets.get_bucket_policy),
    ("DELETE", _BUCKET, "policy"): Action("DeleteBucketPolicy", buckets.delete_bucket_policy),
    ("GET", _BUCKET, "list-type"): Action("ListObjectsV2", buckets.list_objects_v2),
    ("GET", _BUCKET, ""): Action("ListObjects", buckets.list_objects),
    ("GET", _BUCKET, "versions"): Action("ListObjectVersions", buckets.list_object_versions),
    ("GET", _BUCKET, "versioning"): Action("GetBucketVersioning", buckets.get_bucket_versioning),
    ("GET", _BUCKET, "uploads"): Action(
        "ListMultipartUploads", uploads.list_multipart_uploads, of_uploads=True
    ),
    ("POST", _BUCKET, "delete"): Action("DeleteObjects", objects.delete_objects),
    ("PUT", _OBJECT, ""): Action("PutObject", objects.put_object, Body.FILE),
    ("PUT", _OBJECT, COPY_SOURCE): Action("CopyObject", objects.copy_object, slow=True),
    ("GET", _OBJECT, ""): Action("GetObject", objects.get_object),
    ("HEAD", _OBJECT, ""): Action("HeadObject", objects.head_object),
    ("DELETE", _OBJECT, ""): Action("DeleteObject", objects.delete_object),
    ("POST", _OBJECT, "uploads"): Action(
        "CreateMultipartUpload", uploads.create_multipart_upload, of_uploads=True
    ),
    ("PUT", _OBJECT, _UPLOAD): Action("UploadPart", uploads.upload_part, Body.FILE, of_uploads=True),
    ("PUT", _OBJECT, _UPLOAD + COPY_SOURCE): Action(
        "UploadPartCopy", uploads.upload_part_copy, of_uploads=True, slow=True
    ),
    ("POST", _OBJECT, _UPLOAD): Action(
        "CompleteMultipartUpload", uploads.complete_multipart_upload, of_uploads=True, slow=True
    ),
    ("DELETE", _OBJECT, _UPLOAD): Action(
        "AbortMultipartUpload", uploads.abort_multipart_upload, of_uploads=True
    ),
    ("GET", _OBJECT, _UPLOAD): Action("ListParts", uploads.list_parts, of_uploads=True),
}

ACTIONS = tuple(sorted(action.name for action in _TABLE.values()))
"""The names of all operations."""

_SUBRESOURCES = frozenset(
    "accelerate acl analytics attributes cors delete encryption intelligent-tiering inventory legal-hold"
    " lifecycle list-type location logging metadataTable metrics notification object-lock ownershipControls"
    f" policy policyStatus publicAccessBlock replication requestPayment restore retention select tagging"
    f" torrent {_UPLOAD} uploads versioning versions website".split()
)
"""Parameters of a query string that name another operation than the plain one."""


def action_of(
    method: str, bucket: str, key: str, query: Mapping[str, str], headers: Mapping[str, str]
) -> Action:
    """The operation that a request asks for.

    Raises:
        Fault: NotImplemented, MethodNotAllowed.
    """
    level = _OBJECT if key else _BUCKET if bucket else _SERVICE
    word = next((name for name in query if name in _SUBRESOURCES), "")
    if level == _OBJECT and method == "PUT" and COPY_SOURCE in headers:
        word += COPY_SOURCE
    action = _TABLE.get((method, level, word))
    if action is not None:
        return action
    if word.removesuffix(COPY_SOURCE):
        raise Fault("NotImplemented", f"This server does not have S3's {method} ?{word}; it has {_told()}.")
    raise Fault("MethodNotAllowed", "The specified method is not allowed against this resource.")


def _told() -> str:
    return ", ".join(ACTIONS)
