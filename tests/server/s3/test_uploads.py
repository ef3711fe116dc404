from __future__ import annotations

import base64
import hashlib
import io
import random
import zlib
from pathlib import Path
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig

from live import fails
from openpersonalize.server.s3.crc import crc32, crc64nvme
from server.wire import Wire

MIB = 1 << 20
PARTS = [random.Random(number).randbytes(size) for number, size in enumerate((5 * MIB, 5 * MIB, 1000))]
BODY = b"".join(PARTS)


def folders(live: Wire) -> list[Path]:
    root = live.settings.data / "buckets" / ".uploads"
    return list(root.iterdir()) if root.exists() else []


def begin(s3: Any, bucket: str, **more: Any) -> dict[str, str]:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="in/a", **more)["UploadId"]
    return {"Bucket": bucket, "Key": "in/a", "UploadId": upload}


def put(s3: Any, upload: dict[str, str], number: int, body: bytes, **more: Any) -> dict[str, Any]:
    answer = s3.upload_part(**upload, PartNumber=number, Body=body, **more)
    names = ("ETag", "ChecksumCRC32", "ChecksumCRC64NVME", "ChecksumSHA256")
    return {"PartNumber": number, **{name: answer[name] for name in names if name in answer}}


def test_the_transfer_manager_uploads_and_copies(open_server: Wire, s3: Any, bucket: str) -> None:
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    s3.upload_fileobj(
        io.BytesIO(BODY),
        bucket,
        "in/a",
        Config=config,
        ExtraArgs={"ContentType": "text/csv", "Metadata": {"a": "b"}},
    )
    head = s3.head_object(Bucket=bucket, Key="in/a", ChecksumMode="ENABLED")
    digests = b"".join(hashlib.md5(part).digest() for part in PARTS)
    assert head["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-3"'
    assert (head["ContentLength"], head["ContentType"], head["Metadata"]) == (
        len(BODY),
        "text/csv",
        {"a": "b"},
    )
    checks = b"".join(zlib.crc32(part).to_bytes(4, "big") for part in PARTS)
    composite = base64.b64encode(zlib.crc32(checks).to_bytes(4, "big")).decode()
    assert (head["ChecksumCRC32"], head["ChecksumType"]) == (f"{composite}-3", "COMPOSITE")
    s3.copy({"Bucket": bucket, "Key": "in/a"}, bucket, "copy", Config=config)
    for key in ("in/a", "copy"):
        target = io.BytesIO()
        s3.download_fileobj(bucket, key, target, Config=config)
        assert target.getvalue() == BODY
    assert folders(open_server) == []


@pytest.mark.parametrize(("algorithm", "crc"), [("CRC32", crc32()), ("CRC64NVME", crc64nvme())])
def test_a_checksum_of_the_whole_object(s3: Any, bucket: str, algorithm: str, crc: Any) -> None:
    def text(data: bytes) -> str:
        return base64.b64encode(crc.update(data).to_bytes(crc.width // 8, "big")).decode()

    upload = begin(s3, bucket, ChecksumAlgorithm=algorithm, ChecksumType="FULL_OBJECT")
    parts = [
        put(s3, upload, number, part, **{f"Checksum{algorithm}": text(part)})
        for number, part in enumerate(PARTS, 1)
    ]
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert (done[f"Checksum{algorithm}"], done["ChecksumType"]) == (text(BODY), "FULL_OBJECT")


def test_parts_may_come_again_and_in_any_order(s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket)
    last = put(s3, upload, 7, b"last")
    put(s3, upload, 2, b"wrong")
    first = put(s3, upload, 2, PARTS[0])
    listed = s3.list_parts(**upload, MaxParts=1)
    assert (listed["Parts"][0]["PartNumber"], listed["IsTruncated"]) == (2, True)
    pages = s3.get_paginator("list_parts").paginate(**upload, PaginationConfig={"PageSize": 1})
    assert [(part["PartNumber"], part["Size"]) for page in pages for part in page["Parts"]] == [
        (2, 5 * MIB),
        (7, 4),
    ]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [first, last]})
    assert s3.get_object(Bucket=bucket, Key="in/a")["Body"].read() == PARTS[0] + b"last"


def test_what_cannot_be_put_together(s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket)
    parts = [put(s3, upload, 1, b"small"), put(s3, upload, 2, b"small")]

    def complete(code: str, found: list[dict[str, Any]]) -> None:
        fails(code, s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": found})

    complete("EntityTooSmall", parts)
    complete("InvalidPartOrder", parts[::-1])
    complete("InvalidPart", [{**parts[0], "ETag": '"other"'}])
    complete("InvalidPart", [{**parts[0], "PartNumber": 3}])
    complete("MalformedXML", [])
    fails("InvalidArgument", s3.upload_part, **upload, PartNumber=10_001, Body=b"x")
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts[:1]})
    assert s3.get_object(Bucket=bucket, Key="in/a")["Body"].read() == b"small"
    complete("NoSuchUpload", parts[:1])


def test_an_aborted_upload_leaves_nothing(open_server: Wire, s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket)
    put(s3, upload, 1, b"x")
    uploads = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert [(found["Key"], found["UploadId"]) for found in uploads] == [("in/a", upload["UploadId"])]
    s3.abort_multipart_upload(**upload)
    assert folders(open_server) == []
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    for call in (s3.abort_multipart_upload, s3.list_parts):
        fails("NoSuchUpload", call, **upload)
    fails("NoSuchUpload", s3.upload_part, **upload, PartNumber=1, Body=b"x")
    fails("NoSuchUpload", s3.list_parts, **{**upload, "Key": "other"})


def test_uploads_are_listed_in_pages(s3: Any, bucket: str) -> None:
    keys = ["a", "a", "b/c", "é"]
    made = [s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"] for key in keys]
    pages = s3.get_paginator("list_multipart_uploads").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": 1}
    )
    found = [(upload["Key"], upload["UploadId"]) for page in pages for upload in page["Uploads"]]
    assert found == sorted(zip(keys, made, strict=True))
    only = s3.list_multipart_uploads(Bucket=bucket, Prefix="b/")["Uploads"]
    assert [upload["Key"] for upload in only] == ["b/c"]
    for key, upload in found:
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)


def test_a_part_is_held_to_its_checksum(s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket, ChecksumAlgorithm="SHA256")
    other = base64.b64encode(hashlib.sha256(b"y").digest()).decode()
    fails("BadDigest", s3.upload_part, **upload, PartNumber=1, Body=b"x", ChecksumSHA256=other)
    crc = base64.b64encode(zlib.crc32(b"x").to_bytes(4, "big")).decode()
    fails("InvalidRequest", s3.upload_part, **upload, PartNumber=1, Body=b"x", ChecksumCRC32=crc)
    part = put(s3, upload, 1, b"x", ChecksumAlgorithm="SHA256")
    wrong = {**part, "ChecksumSHA256": other}
    fails("InvalidPart", s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": [wrong]})
    s3.abort_multipart_upload(**upload)
