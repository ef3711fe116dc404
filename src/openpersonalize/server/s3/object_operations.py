"""Operations on objects: put, get, head, delete, copy."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from .answers import Answer, checksum_elements, checksum_headers, object_headers, quoted, xml_answer
from .bucket_folder import BucketFolder, Stored
from .catalogue import Details
from .checksums import Algorithm, algorithm_named, as_text
from .conditions import check_reading, read_range, writing_condition
from .documents import Content as Elements
from .documents import moment, parsed
from .faults import Fault
from .receiving import Content
from .requests import UNVERSIONED, Request, read_details
from .uploads import append

_MOST_DELETED = 1000
_BLOCK = 1 << 20
COPY_SOURCE = "x-amz-copy-source"


def put_object(buckets: BucketFolder, request: Request, staged: Path, content: Content) -> Answer:
    """PutObject. A key that ends in "/" makes a folder, if the body is empty."""
    if request.key.endswith("/"):
        if content.size:
            raise Fault(
                "InvalidArgument",
                "This server keeps objects as files: a key that ends in / is an empty folder.",
            )
        stored = buckets.make_folder(request.bucket, request.key)
        staged.unlink(missing_ok=True)
        return Answer(headers=(("etag", quoted(stored.etag)),))
    details = _with_checksum(read_details(request.headers), content.algorithm, content.checksum)
    stored = buckets.publish(
        staged, request.bucket, request.key, content.md5.hex(), details, writing_condition(request.headers)
    )
    checksum = checksum_headers(details.algorithm, details.checksum, details.checksum_type)
    return Answer(headers=(("etag", quoted(stored.etag)), *checksum))


def get_object(buckets: BucketFolder, request: Request, body: bytes) -> Answer:
    """GetObject, whole or a range of bytes."""
    request.check_version()
    if "partNumber" in request.query:
        raise Fault("NotImplemented", "This server gives objects whole or by Range, not by part.")
    stored, stream = buckets.open(request.bucket, request.key)
    try:
        check_reading(request.headers, stored)
        asked = read_range(request.headers.get("range"), stored.size)
        headers = object_headers(stored, request, whole=asked is None)
        if asked is None:
            return Answer(200, headers, stream=stream, size=stored.size)
        first, last = asked
        stream.seek(first)
        headers += (("content-range", f"bytes {first}-{last}/{stored.size}"),)
        return Answer(206, headers, stream=stream, size=last - first + 1)
    except BaseException:
        stream.close()
        raise


def head_object(buckets: BucketFolder, request: Request, body: bytes) -> Answer:
    """HeadObject: the answer of GetObject without the content."""
    answer = get_object(buckets, request, body)
    assert answer.stream is not None
    answer.stream.close()
    return answer


def delete_object(buckets: BucketFolder, request: Request, body: bytes) -> Answer:
    """DeleteObject: an object that is not there is deleted as well."""
    request.check_version()
    buckets.remove(request.bucket, request.key, writing_condition(request.headers))
    return Answer(204)


def delete_objects(buckets: BucketFolder, request: Request, body: bytes) -> Answer:
    """DeleteObjects: up to 1,000 in one request, each of which succeeds or fails by itself."""
    buckets.require(request.bucket)
    root = parsed(body, "Delete")
    keys = [entry.findtext("Key") or "" for entry in root.findall("Object")]
    if not 1 <= len(keys) <= _MOST_DELETED or "" in keys:
        raise Fault(
            "MalformedXML", f"Between 1 and {_MOST_DELETED} objects, each with a Key, can be deleted."
        )
    results: list[tuple[str, Elements]] = []
    for key in keys:
        try:
            buckets.remove(request.bucket, key)
        except Fault as fault:
            results.append(("Error", [("Key", key), ("Code", fault.code), ("Message", fault.message)]))
        else:
            results.append(("Deleted", [("Key", key)]))
    if root.findtext("Quiet") == "true":
        results = [result for result in results if result[0] == "Error"]
    return xml_answer("DeleteResult", results)


def copy_object(buckets: BucketFolder, request: Request, body: bytes) -> Answer:
    """CopyObject; the metadata are the source's unless the request says REPLACE."""
    bucket, key = read_source(request)
    replaced = request.headers.get("x-amz-metadata-directive", "COPY") == "REPLACE"
    if (bucket, key) == (request.bucket, request.key) and not replaced:
        raise Fault("InvalidRequest", "A copy onto itself must change something: use the directive REPLACE.")
    given = read_details(request.headers)
    named = request.headers.get("x-amz-checksum-algorithm")
    stored, stream = buckets.open(bucket, key)
    staged = buckets.stage()
    try:
        with stream:
            check_reading(request.headers, stored, f"{COPY_SOURCE}-")
            if request.key.endswith("/"):
                stored = buckets.make_folder(request.bucket, request.key)
                return _copied("CopyObjectResult", stored)
            buckets.room.check(stored.size)
            with staged.open("xb") as sink:
                append(stream, sink, stored.size)
        algorithm = algorithm_named(named or stored.details.algorithm or "CRC32")
        md5, checksum = measured(staged, algorithm if named or stored.details.algorithm else None)
        kept = given if replaced else stored.details
        details = _with_checksum(Details(kept.headers, kept.metadata), algorithm, checksum)
        stored = buckets.publish(
            staged, request.bucket, request.key, md5.hex(), details, writing_condition(request.headers)
        )
    finally:
        staged.unlink(missing_ok=True)
    return _copied("CopyObjectResult", stored)


def read_source(request: Request) -> tuple[str, str]:
    """(bucket, key) of the object that a request copies.

    Raises:
        Fault: InvalidArgument, NotImplemented.
    """
    path, _, version = request.headers[COPY_SOURCE].partition("?")
    if version.removeprefix("versionId=") not in ("", UNVERSIONED):
        raise Fault("NoSuchVersion", "This server keeps one version of an object, called null.")
    bucket, _, key = unquote(path).removeprefix("/").partition("/")
    if not bucket or not key:
        raise Fault("InvalidArgument", f"{COPY_SOURCE} must name a bucket and a key.")
    return bucket, key


def measured(path: Path, algorithm: Algorithm | None) -> tuple[bytes, str | None]:
    """(MD5, checksum) of a file."""
    md5 = algorithm_named("MD5").start()
    running = algorithm.start() if algorithm else None
    with path.open("rb") as source:
        while block := source.read(_BLOCK):
            md5.update(block)
            if running:
                running.update(block)
    return md5.digest(), as_text(running.digest()) if running else None


def _with_checksum(details: Details, algorithm: Algorithm | None, checksum: str | None) -> Details:
    if algorithm is None or checksum is None:
        return details
    return Details(details.headers, details.metadata, algorithm.name, "FULL_OBJECT", checksum)


def _copied(root: str, stored: Stored) -> Answer:
    details = stored.details
    return xml_answer(
        root,
        [
            ("LastModified", moment(stored.modified)),
            ("ETag", quoted(stored.etag)),
            *checksum_elements(details.algorithm, details.checksum, details.checksum_type),
        ],
    )
