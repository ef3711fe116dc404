"""Operations of multipart uploads: create, put or copy a part, complete, abort, list."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element

from .answers import Answer, checksum_elements, checksum_headers, quoted, xml_answer
from .catalogue import Details
from .checksums import ALGORITHMS, HEADER, algorithm_named
from .conditions import check_reading, read_range, writing_condition
from .documents import moment, parsed
from .faults import Fault
from .object_operations import COPY_SOURCE, measured, read_source
from .receiving import Content
from .requests import Request, read_details
from .uploads import MOST_PARTS, Named, Uploads, append

_MOST_LISTED = 1000


def create_multipart_upload(uploads: Uploads, request: Request, body: bytes) -> Answer:
    """CreateMultipartUpload."""
    given = read_details(request.headers)
    name, kind = (request.headers.get(f"{HEADER}{word}") for word in ("algorithm", "type"))
    algorithm = algorithm_named(name) if name else None
    if kind == "FULL_OBJECT" and (algorithm is None or algorithm.crc is None):
        raise Fault("InvalidRequest", "The checksum type FULL_OBJECT needs a CRC algorithm.")
    kind = kind or (algorithm.default_type if algorithm else None)
    details = Details(given.headers, given.metadata, algorithm.name if algorithm else None, kind)
    upload = uploads.begin(request.bucket, request.key, details)
    told = (
        ((f"{HEADER}algorithm", algorithm.name), (f"{HEADER}type", kind or ""))
        if algorithm is not None
        else ()
    )
    return xml_answer(
        "InitiateMultipartUploadResult",
        [("Bucket", request.bucket), ("Key", request.key), ("UploadId", upload.id)],
        *told,
    )


def part_number(request: Request) -> int:
    """The number of the part that a request is about.

    Raises:
        Fault: InvalidArgument.
    """
    number = request.number("partNumber", 0, MOST_PARTS + 1)
    if not 1 <= number <= MOST_PARTS:
        raise Fault("InvalidArgument", f"Part number must be between 1 and {MOST_PARTS}.")
    return number


def upload_part(uploads: Uploads, request: Request, staged: Path, content: Content) -> Answer:
    """UploadPart."""
    upload = uploads.require(request.query["uploadId"], request.bucket, request.key)
    part = uploads.put(upload, part_number(request), staged, content)
    algorithm = content.algorithm.name if content.algorithm else None
    return Answer(
        headers=(("etag", quoted(part.etag)), *checksum_headers(algorithm, part.checksum, None)[:1])
    )


def upload_part_copy(uploads: Uploads, request: Request, body: bytes) -> Answer:
    """UploadPartCopy: a part from an object, or a range of one."""
    upload = uploads.require(request.query["uploadId"], request.bucket, request.key)
    number = part_number(request)
    stored, stream = uploads.folder.open(*read_source(request))
    staged = uploads.stage(upload)
    try:
        with stream:
            check_reading(request.headers, stored, f"{COPY_SOURCE}-")
            first, last = read_range(request.headers.get(f"{COPY_SOURCE}-range"), stored.size) or (
                0,
                stored.size - 1,
            )
            stream.seek(first)
            uploads.folder.room.check(last - first + 1)
            with staged.open("xb") as sink:
                append(stream, sink, last - first + 1)
        algorithm = ALGORITHMS.get(upload.details.algorithm or "")
        md5, checksum = measured(staged, algorithm)
        part = uploads.put(upload, number, staged, Content(last - first + 1, md5, algorithm, checksum))
    except BaseException:
        staged.unlink(missing_ok=True)
        raise
    return xml_answer(
        "CopyPartResult",
        [
            ("LastModified", moment(part.modified)),
            ("ETag", quoted(part.etag)),
            *checksum_elements(upload.details.algorithm, part.checksum, None)[:1],
        ],
    )


def complete_multipart_upload(uploads: Uploads, request: Request, body: bytes) -> Answer:
    """CompleteMultipartUpload."""
    upload = uploads.require(request.query["uploadId"], request.bucket, request.key)
    root = parsed(body, "CompleteMultipartUpload")
    named = [_named(part, upload.details.algorithm) for part in root.findall("Part")]
    stored = uploads.complete(upload, named, writing_condition(request.headers))
    details = stored.details
    return xml_answer(
        "CompleteMultipartUploadResult",
        [
            ("Location", f"/{request.bucket}/{request.key}"),
            ("Bucket", request.bucket),
            ("Key", request.key),
            ("ETag", quoted(stored.etag)),
            *checksum_elements(details.algorithm, details.checksum, details.checksum_type),
        ],
    )


def abort_multipart_upload(uploads: Uploads, request: Request, body: bytes) -> Answer:
    """AbortMultipartUpload."""
    uploads.abort(uploads.require(request.query["uploadId"], request.bucket, request.key))
    return Answer(204)


def list_parts(uploads: Uploads, request: Request, body: bytes) -> Answer:
    """ListParts."""
    upload = uploads.require(request.query["uploadId"], request.bucket, request.key)
    after = request.number("part-number-marker", 0, MOST_PARTS)
    most = request.number("max-parts", _MOST_LISTED, _MOST_LISTED, least=1)
    found = uploads.parts(upload, after, most + 1)
    shown = found[:most]
    details = upload.details
    return xml_answer(
        "ListPartsResult",
        [
            ("Bucket", request.bucket),
            ("Key", request.key),
            ("UploadId", upload.id),
            ("PartNumberMarker", after),
            ("NextPartNumberMarker", shown[-1].number if shown else 0),
            ("MaxParts", most),
            ("IsTruncated", len(found) > most),
            ("ChecksumAlgorithm", details.algorithm),
            ("ChecksumType", details.checksum_type),
            ("StorageClass", "STANDARD"),
            *(
                (
                    "Part",
                    [
                        ("PartNumber", part.number),
                        ("LastModified", moment(part.modified)),
                        ("ETag", quoted(part.etag)),
                        ("Size", part.size),
                        *checksum_elements(details.algorithm, part.checksum, None)[:1],
                    ],
                )
                for part in shown
            ),
        ],
    )


def list_multipart_uploads(uploads: Uploads, request: Request, body: bytes) -> Answer:
    """ListMultipartUploads."""
    if request.query.get("delimiter"):
        raise Fault("NotImplemented", "This server lists uploads without a delimiter.")
    most = request.number("max-uploads", _MOST_LISTED, _MOST_LISTED, least=1)
    prefix = request.query.get("prefix", "")
    after = request.query.get("key-marker", ""), request.query.get("upload-id-marker", "")
    found = uploads.list(request.bucket, prefix, after, most + 1)
    shown = found[:most]
    more = len(found) > most
    return xml_answer(
        "ListMultipartUploadsResult",
        [
            ("Bucket", request.bucket),
            ("KeyMarker", after[0]),
            ("UploadIdMarker", after[1]),
            ("NextKeyMarker", shown[-1].key if more else None),
            ("NextUploadIdMarker", shown[-1].id if more else None),
            ("Prefix", prefix),
            ("MaxUploads", most),
            ("IsTruncated", more),
            *(
                (
                    "Upload",
                    [
                        ("Key", upload.key),
                        ("UploadId", upload.id),
                        ("Initiated", moment(upload.began)),
                        ("ChecksumAlgorithm", upload.details.algorithm),
                        ("ChecksumType", upload.details.checksum_type),
                        ("StorageClass", "STANDARD"),
                    ],
                )
                for upload in shown
            ),
        ],
    )


def _named(part: Element, algorithm: str | None) -> Named:
    number, etag = part.findtext("PartNumber") or "", part.findtext("ETag") or ""
    if not (number.isascii() and number.isdigit() and len(number) < 6):
        raise Fault("MalformedXML", "Every part has a PartNumber and an ETag.")
    checksum = part.findtext(ALGORITHMS[algorithm].member) if algorithm else None
    return Named(int(number), etag.strip().strip('"'), checksum)
