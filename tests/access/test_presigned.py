"""Signed URLs as botocore makes them, looked at with a clock of the test's own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.auth import HmacV1QueryAuth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from openpersonalize.access.keys import Holder
from openpersonalize.access.presigned import prove_presigned
from openpersonalize.access.presigned_v2 import prove_presigned_v2
from openpersonalize.errors import IncompleteSignature, InvalidClientTokenId, InvalidSignature, RequestExpired

HOLDER = Holder("OPAKTEST", "secret", "buckets", None)
KEYS = Credentials("OPAKTEST", "secret")
ADDRESS = "http://localhost:8077/films/in/a%20b%2B%C3%A9.csv"


def find(key_id: str) -> Holder | None:
    return HOLDER if key_id == HOLDER.id else None


def made(version: int, expires: int = 60, address: str = ADDRESS, **headers: str) -> tuple[str, float]:
    """A signed URL and the moment when it was made."""
    request = AWSRequest("GET", address, headers=headers)
    if version == 4:
        S3SigV4QueryAuth(KEYS, "s3", "eu-west-3", expires).add_auth(request)
        stamp = dict(parse_qsl(urlsplit(request.url).query))["X-Amz-Date"]
        return request.url, datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    HmacV1QueryAuth(KEYS, expires=expires).add_auth(request)
    return request.url, int(dict(parse_qsl(urlsplit(request.url).query))["Expires"]) - expires


def proven(version: int, url: str, now: float, method: str = "GET", **headers: str) -> Any:
    parts = urlsplit(url)
    common = {
        "method": method,
        "parameters": dict(parse_qsl(parts.query, keep_blank_values=True)),
        "headers": {b"host": b"localhost:8077", **{k.encode(): v.encode() for k, v in headers.items()}},
        "find": find,
        "now": now,
    }
    if version == 4:
        return prove_presigned(raw_path=parts.path.encode(), query=parts.query.encode(), **common).holder
    return prove_presigned_v2(resource=parts.path, **common)


@pytest.mark.parametrize("version", [2, 4])
@pytest.mark.parametrize("address", [ADDRESS, f"{ADDRESS}?uploadId=1&partNumber=2", f"{ADDRESS}?x=%20y"])
def test_until_they_expire(version: int, address: str) -> None:
    url, now = made(version, address=address)
    assert proven(version, url, now) == proven(version, url, now + 59) == HOLDER
    with pytest.raises(RequestExpired):
        proven(version, url, now + 62)


@pytest.mark.parametrize("version", [2, 4])
def test_what_is_changed_or_unknown(version: int) -> None:
    url, now = made(version)
    for other in (url.replace("/in/", "/out/"), f"{url}&uploadId=1"):
        with pytest.raises(InvalidSignature):
            proven(version, other, now)
    with pytest.raises(InvalidSignature):
        proven(version, url, now, "PUT")
    with pytest.raises(InvalidSignature):
        proven(version, url, now, **{"x-amz-acl": "public-read"})
    with pytest.raises(InvalidClientTokenId):
        proven(version, url.replace("OPAKTEST", "OPAKOTHER"), now)


@pytest.mark.parametrize("version", [2, 4])
def test_seven_days_at_most(version: int) -> None:
    url, now = made(version, 7 * 24 * 3600)
    assert proven(version, url, now) == HOLDER
    url, now = made(version, 8 * 24 * 3600)
    with pytest.raises((RequestExpired, IncompleteSignature)):
        proven(version, url, now)


def test_not_yet() -> None:
    url, now = made(4)
    assert proven(4, url, now - 800) == HOLDER
    with pytest.raises(RequestExpired):
        proven(4, url, now - 1000)


@pytest.mark.parametrize(
    ("version", "query"),
    [
        (4, ""),
        (4, "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20260101T000000Z&X-Amz-Expires=1"),
        (4, "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=2026&X-Amz-Expires=1"),
        (4, "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20260101T000000Z&X-Amz-Expires=-1"),
        (2, ""),
        (2, "AWSAccessKeyId=OPAKTEST&Expires=9999999999"),
        (2, "AWSAccessKeyId=OPAKTEST&Signature=a&Expires=x"),
    ],
)
def test_what_is_no_signed_url(version: int, query: str) -> None:
    with pytest.raises(IncompleteSignature):
        proven(version, f"{ADDRESS}?{query}", 1_800_000_000)
