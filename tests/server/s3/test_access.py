"""Signatures and roles of S3 requests, against a server with keys."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree
from zlib import crc32

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from live import fails
from openpersonalize.access.keys import ROLES
from server.s3.conftest import s3_client
from server.wire import Reply, Wire

Guarded = tuple[Wire, dict[str, Any]]


@pytest.fixture(scope="module")
def admin(guarded_server: Guarded) -> Iterator[Any]:
    live, credentials = guarded_server
    client = s3_client(live, **credentials["admin"])
    client.create_bucket(Bucket="films", CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    client.put_object(Bucket="films", Key="in/a b+é.csv", Body=b"hello", Metadata={"a": "b"})
    return client


def send(
    live: Wire, method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> Reply:
    parts = urlsplit(url)
    return live.send(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body, headers)


def code(reply: Reply) -> str:
    return ElementTree.fromstring(reply.body).findtext("Code") or ""


@pytest.mark.parametrize("role", ROLES)
def test_what_each_role_may(guarded_server: Guarded, admin: Any, role: str) -> None:
    live, credentials = guarded_server
    client = s3_client(live, **credentials[role])
    content, names = role in ("admin", "buckets"), role in ("admin", "buckets", "read")
    calls = [
        (content, lambda: client.get_object(Bucket="films", Key="in/a b+é.csv")),
        (content, lambda: client.put_object(Bucket="films", Key=f"out/{role}", Body=b"x")),
        (content, lambda: client.delete_object(Bucket="films", Key=f"out/{role}")),
        (names, lambda: client.list_objects_v2(Bucket="films")),
        (names, lambda: client.list_buckets()),
    ]
    for allowed, call in calls:
        if allowed:
            call()
        else:
            assert role in fails("AccessDenied", call)


def test_who_is_not_known_is_refused_before_the_body_is_asked_for(
    guarded_server: Guarded, admin: Any
) -> None:
    live, credentials = guarded_server
    unknown = s3_client(live, aws_access_key_id="OPAKNOBODY", aws_secret_access_key="x")
    fails("InvalidAccessKeyId", unknown.list_buckets)
    wrong = s3_client(live, **{**credentials["admin"], "aws_secret_access_key": "x"})
    fails("SignatureDoesNotMatch", wrong.put_object, Bucket="films", Key="x", Body=b"x")
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=10)
    connection.putrequest("PUT", "/films/x")
    connection.putheader("Authorization", "AWS4-HMAC-SHA256 Credential=a/20260101/eu-west-3/s3/aws4_request")
    connection.putheader("Content-Length", "1000000000")
    connection.endheaders()
    assert connection.getresponse().status == 400  # though nothing of the body came
    connection.close()


# ------------------------------------------------------------------------------------------ signed by hand


def signed(
    live: Wire, credentials: dict[str, str], method: str, path: str, headers: dict[str, str]
) -> dict[str, str]:
    """Headers of a request whose body is signed as x-amz-content-sha256 says."""
    request = AWSRequest(method, f"{live.endpoint}{path}", headers=headers)
    keys = Credentials(credentials["aws_access_key_id"], credentials["aws_secret_access_key"])
    auth = S3SigV4Auth(keys, "s3", "eu-west-3")
    auth.payload = lambda _: headers["X-Amz-Content-SHA256"]  # type: ignore[method-assign]
    request.context["payload_signing_enabled"] = True
    auth.add_auth(request)
    return {**dict(request.headers.items()), "X-Amz-Content-SHA256": headers["X-Amz-Content-SHA256"]}


def chunked(sent: dict[str, str], secret: str, chunks: list[bytes], trailer: str) -> bytes:
    """A body of signed chunks with a signed trailer."""
    authorization, stamp = sent["Authorization"], sent["X-Amz-Date"]
    scope = authorization.split("Credential=")[1].split(",")[0].split("/", 1)[1]
    previous = authorization.split("Signature=")[1]
    key = b"AWS4" + secret.encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    found = b""
    for chunk in [*chunks, b""]:
        covered = f"{hashlib.sha256(b'').hexdigest()}\n{hashlib.sha256(chunk).hexdigest()}"
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{stamp}\n{scope}\n{previous}\n{covered}"
        previous = hmac.digest(key, text.encode(), "sha256").hex()
        found += b"%x;chunk-signature=%s\r\n" % (len(chunk), previous.encode())
        found += chunk + b"\r\n" if chunk else b""
    covered = hashlib.sha256(f"{trailer}\n".encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256-TRAILER\n{stamp}\n{scope}\n{previous}\n{covered}"
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    return found + f"{trailer}\r\nx-amz-trailer-signature:{signature}\r\n\r\n".encode()


def test_signed_chunks_with_a_trailer(guarded_server: Guarded, admin: Any) -> None:
    live, credentials = guarded_server
    chunks = [b"a" * 70_000, b"b" * 9000]
    check = base64.b64encode(crc32(b"".join(chunks)).to_bytes(4, "big")).decode()
    headers = {
        "X-Amz-Content-SHA256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": "79000",
        "x-amz-trailer": "x-amz-checksum-crc32",
        "content-encoding": "aws-chunked",
    }
    sent = signed(live, credentials["buckets"], "PUT", "/films/chunked", headers)
    secret = credentials["buckets"]["aws_secret_access_key"]
    body = chunked(sent, secret, chunks, f"x-amz-checksum-crc32:{check}")
    broken = [
        body.replace(b"bbb", b"bcb", 1),
        chunked(sent, secret, chunks, "x-amz-checksum-crc32:AAAAAA=="),
        chunked(sent, secret, chunks[:1], f"x-amz-checksum-crc32:{check}"),
        chunked(sent, "other", chunks, f"x-amz-checksum-crc32:{check}"),
        body[:-60],
    ]
    for wrong in broken:
        assert live.send("PUT", "/films/chunked", wrong, sent).status >= 400
    fails("404", admin.head_object, Bucket="films", Key="chunked")
    assert live.send("PUT", "/films/chunked", body, sent).status == 200
    found = admin.get_object(Bucket="films", Key="chunked")
    assert found["Body"].read() == b"".join(chunks)
    assert "ContentEncoding" not in found


def test_an_unsigned_body_with_a_trailer(guarded_server: Guarded, admin: Any) -> None:
    live, credentials = guarded_server
    headers = {
        "X-Amz-Content-SHA256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": "5",
        "x-amz-trailer": "x-amz-checksum-crc32",
        "content-encoding": "gzip,aws-chunked",
    }
    sent = signed(live, credentials["buckets"], "PUT", "/films/unsigned", headers)
    for check, status in (("AAAAAA==", 400), ("NhCmhg==", 200)):
        body = f"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:{check}\r\n\r\n".encode()
        assert live.send("PUT", "/films/unsigned", body, sent).status == status
    found = admin.get_object(Bucket="films", Key="unsigned")
    assert (found["Body"].read(), found["ContentEncoding"]) == (b"hello", "gzip")
    assert found["ChecksumCRC32"] == "NhCmhg=="
    missing = b"5\r\nhello\r\n0\r\n\r\n"
    assert live.send("PUT", "/films/unsigned", missing, sent).status == 400


def test_the_hash_of_the_body_is_held_to(guarded_server: Guarded, admin: Any) -> None:
    live, credentials = guarded_server
    headers = {"X-Amz-Content-SHA256": hashlib.sha256(b"signed").hexdigest()}
    sent = signed(live, credentials["buckets"], "PUT", "/films/hash", headers)
    assert code(live.send("PUT", "/films/hash", b"other", sent)) == "XAmzContentSHA256Mismatch"
    assert code(live.send("PUT", "/films/other", b"signed", sent)) == "SignatureDoesNotMatch"
    assert (
        code(live.send("PUT", "/films/hash", b"signed", {**sent, "x-amz-acl": "x"}))
        == "SignatureDoesNotMatch"
    )
    fails("404", admin.head_object, Bucket="films", Key="hash")
    assert live.send("PUT", "/films/hash", b"signed", sent).status == 200


def test_a_key_of_another_service_opens_no_bucket(guarded_server: Guarded, admin: Any) -> None:
    live, credentials = guarded_server
    headers = {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}
    sent = signed(live, credentials["admin"], "GET", "/films/hash", headers)
    for service in ("personalize", "sts"):
        other = {**sent, "Authorization": sent["Authorization"].replace("/s3/", f"/{service}/")}
        assert live.send("GET", "/films/hash", headers=other).status >= 400


# ------------------------------------------------------------------------------------------ signed URLs


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_signed_urls(guarded_server: Guarded, admin: Any, version: str) -> None:
    live, credentials = guarded_server

    clients = {
        role: s3_client(live, region="us-east-1", config={"signature_version": version}, **credentials[role])
        for role in ("buckets", "read")
    }

    def url(operation: str, role: str = "buckets", expires: int = 60, **request: str) -> str:
        return str(
            clients[role].generate_presigned_url(
                operation, {"Bucket": "films", "Key": "in/a b+é.csv", **request}, ExpiresIn=expires
            )
        )

    reply = send(live, "GET", url("get_object", ResponseContentType="text/x"))
    assert (reply.status, reply.body, reply.headers["content-type"]) == (200, b"hello", "text/x")
    assert reply.headers["x-amz-meta-a"] == "b"
    assert send(live, "PUT", url("put_object", Key="put"), b"by url").status == 200
    assert send(live, "GET", url("get_object", Key="put")).body == b"by url"
    assert code(send(live, "DELETE", url("get_object"))) == "SignatureDoesNotMatch"
    assert code(send(live, "GET", url("get_object").replace("in/a", "in/b"))) == "SignatureDoesNotMatch"
    assert code(send(live, "GET", url("get_object", role="read"))) == "AccessDenied"
    assert code(send(live, "GET", url("get_object", expires=30 * 24 * 3600))) in (
        "RequestTimeTooSkewed", "AuthorizationHeaderMalformed",
    )  # fmt: skip


@pytest.mark.parametrize(
    "query",
    ["X-Amz-Credential=a/20260101/eu-west-3/s3/aws4_request", "AWSAccessKeyId=a",
     "AWSAccessKeyId=a&Signature=b",
     "X-Amz-Credential=a/20260101/eu-west-3/s3/aws4_request&X-Amz-Signature=" + "0" * 64,
     "AWSAccessKeyId=%ff&Signature=%ff&Expires=99999999999999"],
)  # fmt: skip
def test_urls_that_are_not_signed(guarded_server: Guarded, admin: Any, query: str) -> None:
    live, _ = guarded_server
    assert live.send("GET", f"/films/in?{query}").status in (400, 403)
