from __future__ import annotations

import base64
import hashlib
import io
import random
import zlib
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from live import fails
from openpersonalize.server.s3.crc import crc32c, crc64nvme
from server.s3.conftest import s3_client
from server.wire import Wire


def files(live: Wire, bucket: str) -> list[str]:
    root = live.settings.data / "buckets" / bucket
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


def staged(live: Wire) -> list[Path]:
    return list((live.settings.data / "buckets" / ".staging").iterdir())


def test_an_object_is_a_file_and_comes_back_with_what_was_said_of_it(
    open_server: Wire, s3: Any, bucket: str
) -> None:
    put = s3.put_object(
        Bucket=bucket, Key="in/a b+é.csv", Body=b"hello", ContentType="text/csv", ContentEncoding="x-none",
        CacheControl="no-cache", Metadata={"made-by": "me"},
    )  # fmt: skip
    assert put["ETag"] == f'"{hashlib.md5(b"hello").hexdigest()}"'
    assert (open_server.settings.data / "buckets" / bucket / "in" / "a b+é.csv").read_bytes() == b"hello"
    for answer in (
        s3.get_object(Bucket=bucket, Key="in/a b+é.csv"),
        s3.head_object(Bucket=bucket, Key="in/a b+é.csv"),
    ):
        assert answer["ETag"] == put["ETag"]
        assert answer["ContentLength"] == 5
        assert (answer["ContentType"], answer["ContentEncoding"]) == ("text/csv", "x-none")
        assert (answer["CacheControl"], answer["Metadata"]) == ("no-cache", {"made-by": "me"})
    assert s3.get_object(Bucket=bucket, Key="in/a b+é.csv")["Body"].read() == b"hello"
    assert staged(open_server) == []


def test_a_file_that_came_another_way_is_an_object(open_server: Wire, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"old", ContentType="text/csv")
    (open_server.settings.data / "buckets" / bucket / "a").write_bytes(b"newer")
    found = s3.get_object(Bucket=bucket, Key="a")
    assert found["Body"].read() == b"newer"
    assert found["ContentType"] == "binary/octet-stream"
    assert found["ETag"].endswith('-1"')  # nobody takes it for an MD5
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["ETag"] == found["ETag"]


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [("bytes=2-4", 2, 4), ("bytes=7-", 7, 9), ("bytes=-3", 7, 9), ("bytes=0-99", 0, 9), ("bytes=-99", 0, 9)],
)
def test_ranges(s3: Any, bucket: str, text: str, first: int, last: int) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"0123456789")
    found = s3.get_object(Bucket=bucket, Key="a", Range=text)
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert found["ContentRange"] == f"bytes {first}-{last}/10"
    assert found["Body"].read() == b"0123456789"[first : last + 1]


def test_what_is_no_range_is_the_whole_or_refused(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"0123456789")
    for text in ("bytes=0-1,3-4", "lines=1-2", "bytes=4-2"):
        assert s3.get_object(Bucket=bucket, Key="a", Range=text)["Body"].read() == b"0123456789"
    fails("InvalidRange", s3.get_object, Bucket=bucket, Key="a", Range="bytes=10-")
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    assert s3.get_object(Bucket=bucket, Key="empty")["Body"].read() == b""


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_checksums_are_kept_and_held_to(open_server: Wire, s3: Any, bucket: str, algorithm: str) -> None:
    body = random.Random(1).randbytes(300_000)
    value = {
        "CRC32": lambda: zlib.crc32(body).to_bytes(4, "big"),
        "CRC32C": lambda: crc32c().update(body).to_bytes(4, "big"),
        "CRC64NVME": lambda: crc64nvme().update(body).to_bytes(8, "big"),
        "SHA1": lambda: hashlib.sha1(body).digest(),
        "SHA256": lambda: hashlib.sha256(body).digest(),
    }[algorithm]()
    text = base64.b64encode(value).decode()
    put = s3.put_object(Bucket=bucket, Key="a", Body=body, **{f"Checksum{algorithm}": text})
    assert put[f"Checksum{algorithm}"] == text
    head = s3.head_object(Bucket=bucket, Key="a", ChecksumMode="ENABLED")
    assert (head[f"Checksum{algorithm}"], head["ChecksumType"]) == (text, "FULL_OBJECT")
    other = base64.b64encode(bytes(len(value))).decode()
    fails("BadDigest", s3.put_object, Bucket=bucket, Key="b", Body=body, **{f"Checksum{algorithm}": other})
    assert files(open_server, bucket) == ["a"]
    assert staged(open_server) == []


def test_a_body_that_is_not_what_its_head_says_is_no_object(open_server: Wire, s3: Any, bucket: str) -> None:
    md5 = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    fails("BadDigest", s3.put_object, Bucket=bucket, Key="a", Body=b"x", ContentMD5=md5)
    fails("InvalidDigest", s3.put_object, Bucket=bucket, Key="a", Body=b"x", ContentMD5="abc")
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/eu-west-3/s3/aws4_request"}
    reply = open_server.send(
        "PUT", f"/{bucket}/a", b"x", {**signed, "x-amz-content-sha256": hashlib.sha256(b"y").hexdigest()}
    )
    assert (reply.status, b"XAmzContentSHA256Mismatch" in reply.body) == (400, True)
    assert files(open_server, bucket) == []


@pytest.mark.parametrize(
    "key", ["../../x", "a/../x", "./a", "a//b", "/a", "a\\b", "a\nb", "n" * 256, "é" * 513]
)
def test_no_key_is_a_path_out_or_no_file(open_server: Wire, s3: Any, bucket: str, key: str) -> None:
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    assert error.value.response["Error"]["Code"] in ("InvalidArgument", "KeyTooLongError")
    assert files(open_server, bucket) == []


def test_no_link_leads_out(open_server: Wire, s3: Any, bucket: str, tmp_path: Path) -> None:
    root = open_server.settings.data / "buckets"
    (tmp_path / "secret").write_text("secret")
    (root / bucket / "out").symlink_to(tmp_path)
    (root / bucket / "file").symlink_to(tmp_path / "secret")
    (root / f"{bucket}-link").symlink_to(tmp_path)
    for key in ("out/secret", "file"):
        for call in (s3.get_object, s3.put_object, s3.delete_object):
            fails("InvalidArgument", call, Bucket=bucket, Key=key)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    fails("NoSuchBucket", s3.list_objects_v2, Bucket=f"{bucket}-link")
    assert (tmp_path / "secret").read_text() == "secret"
    (root / f"{bucket}-link").unlink()


def test_a_key_cannot_be_a_file_and_a_folder(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a/b", Body=b"x")
    fails("InvalidArgument", s3.put_object, Bucket=bucket, Key="a", Body=b"x")
    fails("InvalidArgument", s3.put_object, Bucket=bucket, Key="a/b/c", Body=b"x")
    fails("NoSuchKey", s3.get_object, Bucket=bucket, Key="a")


def test_folders_are_keys_that_end_in_a_slash(open_server: Wire, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="in/")
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["in/"]
    assert s3.head_object(Bucket=bucket, Key="in/")["ContentLength"] == 0
    fails("BucketNotEmpty", s3.delete_bucket, Bucket=bucket)
    fails("InvalidArgument", s3.put_object, Bucket=bucket, Key="in/", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="in/")
    assert files(open_server, bucket) == []
    assert staged(open_server) == []


def test_what_is_deleted_is_gone_with_its_folders(open_server: Wire, s3: Any, bucket: str) -> None:
    for key in ("a/b/c", "a/d", "e"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    s3.delete_object(Bucket=bucket, Key="a/b/c")
    assert files(open_server, bucket) == ["a", "a/d", "e"]
    s3.delete_object(Bucket=bucket, Key="a/none")
    answer = s3.delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": "a/d"}, {"Key": "e"}, {"Key": "none"}, {"Key": "x//y"}]}
    )
    assert [entry["Key"] for entry in answer["Deleted"]] == ["a/d", "e", "none"]
    assert [(entry["Key"], entry["Code"]) for entry in answer["Errors"]] == [("x//y", "InvalidArgument")]
    assert files(open_server, bucket) == []
    s3.delete_bucket(Bucket=bucket)


def test_a_copy_has_the_metadata_or_its_own(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="in/é", Body=b"hello", ContentType="text/csv", Metadata={"a": "b"})
    source = {"Bucket": bucket, "Key": "in/é"}
    assert s3.copy_object(Bucket=bucket, Key="copy", CopySource=source)["CopyObjectResult"]["ETag"]
    copied = s3.get_object(Bucket=bucket, Key="copy")
    assert (copied["Body"].read(), copied["ContentType"], copied["Metadata"]) == (
        b"hello",
        "text/csv",
        {"a": "b"},
    )
    s3.copy_object(
        Bucket=bucket, Key="copy", CopySource=source, MetadataDirective="REPLACE", Metadata={"c": "d"}
    )
    assert s3.head_object(Bucket=bucket, Key="copy")["Metadata"] == {"c": "d"}
    fails("InvalidRequest", s3.copy_object, Bucket=bucket, Key="in/é", CopySource=source)
    fails("NoSuchKey", s3.copy_object, Bucket=bucket, Key="x", CopySource={"Bucket": bucket, "Key": "none"})
    fails(
        "PreconditionFailed", s3.copy_object, Bucket=bucket, Key="x", CopySource=source, CopySourceIfMatch="z"
    )


def test_conditions(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="a", Body=b"x", IfNoneMatch="*")["ETag"]
    fails("PreconditionFailed", s3.put_object, Bucket=bucket, Key="a", Body=b"y", IfNoneMatch="*")
    fails("PreconditionFailed", s3.put_object, Bucket=bucket, Key="a", Body=b"y", IfMatch='"other"')
    fails("NoSuchKey", s3.put_object, Bucket=bucket, Key="b", Body=b"y", IfMatch=etag)
    fails("PreconditionFailed", s3.get_object, Bucket=bucket, Key="a", IfMatch='"other"')
    fails("304", s3.get_object, Bucket=bucket, Key="a", IfNoneMatch=etag)
    modified = s3.head_object(Bucket=bucket, Key="a")["LastModified"]
    fails("304", s3.get_object, Bucket=bucket, Key="a", IfModifiedSince=modified)
    assert (
        s3.get_object(Bucket=bucket, Key="a", IfMatch=etag, IfUnmodifiedSince=modified)["Body"].read() == b"x"
    )
    assert s3.put_object(Bucket=bucket, Key="a", Body=b"y", IfMatch=etag)["ETag"] != etag
    fails("PreconditionFailed", s3.delete_object, Bucket=bucket, Key="a", IfMatch=etag)
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"y"


def test_an_object_that_a_browser_opens_is_no_page_of_the_server(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a.html", Body=b"<script>", ContentType="text/html")
    headers = s3.get_object(Bucket=bucket, Key="a.html")["ResponseMetadata"]["HTTPHeaders"]
    assert (headers["content-security-policy"], headers["x-content-type-options"]) == ("sandbox", "nosniff")


def test_large_objects_go_through(s3: Any, bucket: str) -> None:
    body = random.Random(2).randbytes(9 << 20)  # above the largest body of the other services
    s3.put_object(Bucket=bucket, Key="a", Body=body)
    target = io.BytesIO()
    s3.download_fileobj(bucket, "a", target)
    assert target.getvalue() == body


@pytest.mark.parametrize("style", ["virtual", "path"])
def test_bucket_in_the_host_or_in_the_path(open_server: Wire, s3: Any, bucket: str, style: str) -> None:
    s3.put_object(Bucket=bucket, Key="in/a", Body=b"x")
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/eu-west-3/s3/aws4_request"}
    if style == "path":
        reply = open_server.send("GET", f"/{bucket}/in/a", headers=signed)
    else:
        reply = open_server.send("GET", "/in/a", headers={**signed, "Host": f"{bucket}.localhost:8077"})
    assert (reply.status, reply.body) == (200, b"x")


def test_what_is_not_there_says_so(open_server: Wire, s3: Any, bucket: str) -> None:
    fails("NoSuchKey", s3.get_object, Bucket=bucket, Key="none")
    fails("404", s3.head_object, Bucket=bucket, Key="none")
    fails("NoSuchBucket", s3.put_object, Bucket="no-such-bucket", Key="a", Body=b"x")
    assert not (open_server.settings.data / "buckets" / "no-such-bucket").exists()
    assert "GetObject" in fails("NotImplemented", s3.get_bucket_acl, Bucket=bucket)
    fails("NotImplemented", s3.put_object, Bucket=bucket, Key="a", Body=b"x", Tagging="a=b")
    fails("NoSuchVersion", s3.get_object, Bucket=bucket, Key="a", VersionId="1")
    fails("AccessDenied", s3.list_objects_v2, Bucket=bucket, ExpectedBucketOwner="123456789012")
    assert s3.list_objects_v2(Bucket=bucket, ExpectedBucketOwner="000000000000")["KeyCount"] == 0
    reply = open_server.send(
        "PATCH",
        f"/{bucket}/a",
        headers={"Authorization": "AWS4-HMAC-SHA256 Credential=a/1/eu-west-3/s3/aws4_request"},
    )
    assert (reply.status, b"MethodNotAllowed" in reply.body) == (405, True)


def test_one_of_many_writers_wins_whole(open_server: Wire, bucket: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def put(number: int) -> None:
        body = bytes([number]) * 100_000
        s3_client(open_server).put_object(Bucket=bucket, Key="a/b", Body=body, Metadata={"n": str(number)})

    def come_and_go(number: int) -> None:
        client = s3_client(open_server)
        for _ in range(5):
            client.put_object(Bucket=bucket, Key=f"a/{number}", Body=b"x")
            client.delete_object(Bucket=bucket, Key=f"a/{number}")

    with ThreadPoolExecutor(8) as pool:
        work = [pool.submit(put, number) for number in range(6)]
        work += [pool.submit(come_and_go, number) for number in range(3)]
        for future in work:
            future.result()
    found = s3_client(open_server).get_object(Bucket=bucket, Key="a/b")
    body = found["Body"].read()
    assert body == bytes([int(found["Metadata"]["n"])]) * 100_000
    assert found["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
