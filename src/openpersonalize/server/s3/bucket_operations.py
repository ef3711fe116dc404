"""Operations on buckets: create, delete, list, head, location, policy, and the listings of objects."""

from __future__ import annotations

import base64
import binascii
import json
from urllib.parse import quote

from .answers import Answer, quoted, xml_answer
from .bucket_folder import BucketFolder, Stored
from .documents import Content, moment, parsed
from .faults import Fault
from .requests import UNVERSIONED, Request

_FIRST_REGION = "us-east-1"
_MOST_KEYS = 1000
_LONGEST_POLICY = 20 * 1024


def list_buckets(buckets: BucketFolder, request: Request, body: bytes) -> Answer:
    """ListBuckets."""
    prefix, after = request.query.get("prefix", ""), _read_token(request.query.get("continuation-token"))
    most = request.number("max-buckets", 10_000, 10_000, least=1)
    found = [(name, made) for name, made in buckets.buckets() if name.startswith(prefix) and name > after]
    shown = found[:most]
    return xml_answer(
        "ListAllMyBucketsResult",
        [
            ("Owner", _owner(request)),
            (
                "Buckets",
                [("Bucket", [("Name", name), ("CreationDate", moment(made))]) for name, made in shown],
            ),
            ("Prefix", prefix or None),
            ("ContinuationToken", _token(shown[-1][0]) if len(found) > most else None),
        ],
    )


def create_bucket(buckets: BucketFolder, request: Request, body: bytes) -> Answer:
    """CreateBucket. Where the region is us-east-1, to make one's own bucket again is no error, as in S3."""
    region = request.region
    if body.strip():
        configuration = parsed(body, "CreateBucketConfiguration")
        region = configuration.findtext("LocationConstraint") or region
    if not buckets.create(request.bucket, region) and request.region != _FIRST_REGION:
        raise Fault("BucketAlreadyOwnedByYou", "The bucket you tried to create already exists.")
    return Answer(headers=(("location", f"/{request.bucket}"),))


def delete_bucket(buckets: BucketFolder, request: Request, body: bytes) -> Answer:
    """DeleteBucket."""
    buckets.delete(request.bucket)
    return Answer(204)


def head_bucket(buckets: BucketFolder, request: Request, body: bytes) -> Answer:
    """HeadBucket."""
    return Answer(headers=(("x-amz-bucket-region", _region(buckets, request)),))


def get_bucket_location(buckets: BucketFolder, request: Request, body: bytes) -> Answer:
    """GetBucketLocation; of us-east-1 nothing is said, as in S3."""
    region = _region(buckets, request)
    return xml_answer("LocationConstraint", "" if region == _FIRST_REGION else region)


def put_bucket_policy(buckets: BucketFolder, request: Request, body: bytes) -> Answer:
    """PutBucketPolicy: it is kept, and decides nothing: who may call is a matter of access keys."""
    buckets.require(request.bucket)
    try:
        policy = json.loads(body.decode()) if len(body) <= _LONGEST_POLICY else None
    except (ValueError, RecursionError):
        policy = None
    if not isinstance(policy, dict) or not policy.get("Statement"):
        raise Fault(
            "MalformedPolicy", f"A policy is a JSON object with Statement of at most {_LONGEST_POLICY} bytes."
        )
    with buckets.catalogue.writing():
        buckets.catalogue.set_policy(request.bucket, body.decode())
    return Answer(204)


def get_bucket_policy(buckets: BucketFolder, request: Request, body: bytes) -> Answer:
    """GetBucketPolicy."""
    buckets.require(request.bucket)
    _, policy = buckets.catalogue.bucket(request.bucket)
    if policy is None:
        raise Fault("NoSuchBucketPolicy", "The bucket policy does not exist.")
    return Answer(headers=(("content-type", "application/json"),), body=policy.encode())


def delete_bucket_policy(buckets: BucketFolder, request: Request, body: bytes) -> Answer:
    """DeleteBucketPolicy."""
    buckets.require(request.bucket)
    with buckets.catalogue.writing():
        buckets.catalogue.set_policy(request.bucket, None)
    return Answer(204)


def list_objects_v2(buckets: BucketFolder, request: Request, body: bytes) -> Answer:
    """ListObjectsV2."""
    query = request.query
    token = query.get("continuation-token")
    after = query.get("start-after", "") if token is None else _read_token(token)
    owner = _owner(request) if query.get("fetch-owner") == "true" else None
    last, count, content = _listed(buckets, request, after, owner)
    return xml_answer(
        "ListBucketResult",
        [
            *content,
            ("KeyCount", count),
            ("ContinuationToken", token),
            ("NextContinuationToken", None if last is None else _token(last)),
            ("StartAfter", _encoded(request, query["start-after"]) if "start-after" in query else None),
        ],
    )


def list_objects(buckets: BucketFolder, request: Request, body: bytes) -> Answer:
    """ListObjects, the older listing, whose pages begin after a key."""
    marker = request.query.get("marker", "")
    last, _, content = _listed(buckets, request, marker, _owner(request))
    return xml_answer(
        "ListBucketResult",
        [
            *content,
            ("Marker", _encoded(request, marker)),
            ("NextMarker", None if last is None else _encoded(request, last)),
        ],
    )


def list_object_versions(buckets: BucketFolder, request: Request, body: bytes) -> Answer:
    """ListObjectVersions: every object has one version, called null, as in buckets without versioning."""
    marker = request.query.get("key-marker", "")
    last, _, content = _listed(buckets, request, marker, _owner(request))
    found = [
        ("Version", [*entry, ("VersionId", UNVERSIONED), ("IsLatest", True)])
        if name == "Contents" and isinstance(entry, list)
        else (name, entry)
        for name, entry in content
    ]
    return xml_answer(
        "ListVersionsResult",
        [
            *found,
            ("KeyMarker", _encoded(request, marker)),
            ("NextKeyMarker", None if last is None else _encoded(request, last)),
            ("NextVersionIdMarker", None if last is None else UNVERSIONED),
        ],
    )


def get_bucket_versioning(buckets: BucketFolder, request: Request, body: bytes) -> Answer:
    """GetBucketVersioning: a bucket without versions says nothing."""
    buckets.require(request.bucket)
    return xml_answer("VersioningConfiguration", [])


def _listed(
    buckets: BucketFolder, request: Request, after: str, owner: Content
) -> tuple[str | None, int, list[tuple[str, Content]]]:
    """(last key where more follow, number of entries, what both listings say)."""
    prefix, delimiter = request.query.get("prefix", ""), request.query.get("delimiter", "")
    most = request.number("max-keys", _MOST_KEYS, _MOST_KEYS)
    page, objects = buckets.page(request.bucket, prefix, delimiter, after, most)
    content: list[tuple[str, Content]] = [
        ("Name", request.bucket),
        ("Prefix", _encoded(request, prefix)),
        ("Delimiter", _encoded(request, delimiter) if delimiter else None),
        ("MaxKeys", most),
        ("EncodingType", "url" if request.query.get("encoding-type") == "url" else None),
        ("IsTruncated", page.last is not None),
    ]
    content += [
        ("Contents", _entry(request, key, stored, owner))
        for (key, _), stored in zip(page.files, objects, strict=True)
    ]
    content += [("CommonPrefixes", [("Prefix", _encoded(request, common))]) for common in page.prefixes]
    return page.last, len(page.files) + len(page.prefixes), content


def _entry(request: Request, key: str, stored: Stored, owner: Content) -> Content:
    return [
        ("Key", _encoded(request, key)),
        ("LastModified", moment(stored.modified)),
        ("ETag", quoted(stored.etag)),
        ("ChecksumAlgorithm", stored.details.algorithm),
        ("ChecksumType", stored.details.checksum_type),
        ("Size", stored.size),
        ("StorageClass", "STANDARD"),
        ("Owner", owner),
    ]


def _encoded(request: Request, text: str) -> str:
    return quote(text, safe="/") if request.query.get("encoding-type") == "url" else text


def _owner(request: Request) -> Content:
    return [("ID", request.owner), ("DisplayName", request.owner)]


def _region(buckets: BucketFolder, request: Request) -> str:
    buckets.require(request.bucket)
    region, _ = buckets.catalogue.bucket(request.bucket)
    return region or request.region


def _token(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _read_token(token: str | None) -> str:
    if token is None:
        return ""
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise Fault("InvalidArgument", "The continuation token provided is incorrect.") from None
