"""Signatures that Amazon's documentation and its test suite of Signature Version 4 print, in place of those
that the same library makes as well as checks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from openpersonalize.access.keys import Holder
from openpersonalize.access.presigned import prove_presigned
from openpersonalize.access.signature import prove, prove_head, read_head
from openpersonalize.errors import IncompleteSignature, InvalidSignature, RequestExpired
from openpersonalize.server.s3.requests import read_query

SUITE = Holder("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "admin", None)
S3_PAGES = Holder("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "admin", None)
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
NOW = datetime(2015, 8, 30, 12, 36, tzinfo=UTC).timestamp()
MAY = datetime(2013, 5, 24, tzinfo=UTC).timestamp()


def finder(holder: Holder) -> Callable[[str], Holder | None]:
    return {holder.id: holder}.get


def authorization(holder: Holder, scope: str, headers: dict[str, str], signature: str) -> str:
    names = ";".join(sorted(headers))
    return (
        f"AWS4-HMAC-SHA256 Credential={holder.id}/{scope}/aws4_request, SignedHeaders={names}, "
        f"Signature={signature}"
    )


def encoded(headers: dict[str, str]) -> dict[bytes, bytes]:
    return {name.encode(): value.encode() for name, value in headers.items()}


@pytest.mark.parametrize(
    ("service", "method", "query", "headers", "signature"),
    [
        ("service", "GET", "", {}, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("service", "POST", "", {}, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "service",
            "GET",
            "Param2=value2&Param1=value1",
            {},
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "iam",
            "GET",
            "Action=ListUsers&Version=2010-05-08",
            {
                "host": "iam.amazonaws.com",
                "content-type": "application/x-www-form-urlencoded; charset=utf-8",
            },
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        ),
    ],
)
def test_of_the_suite(service: str, method: str, query: str, headers: dict[str, str], signature: str) -> None:
    signed = {"host": "example.amazonaws.com", "x-amz-date": "20150830T123600Z", **headers}
    scope = f"20150830/us-east-1/{service}"
    for stated, right in ((signature, True), (signature[::-1], False)):
        sent = encoded({**signed, "authorization": authorization(SUITE, scope, signed, stated)})
        head = read_head(sent, finder(SUITE), NOW, service)
        if right:
            prove(head, method=method, raw_path=b"/", query=query.encode(), headers=sent, body=b"")
        else:
            with pytest.raises(InvalidSignature):
                prove(head, method=method, raw_path=b"/", query=query.encode(), headers=sent, body=b"")


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "signature"),
    [
        (
            "GET",
            "/test.txt",
            "",
            {"range": "bytes=0-9"},
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "PUT",
            "/test$file.text",
            "",
            {
                "date": "Fri, 24 May 2013 00:00:00 GMT",
                "x-amz-storage-class": "REDUCED_REDUNDANCY",
                "x-amz-content-sha256": "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
            },
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        ("GET", "/", "lifecycle", {}, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        (
            "GET",
            "/",
            "max-keys=2&prefix=J",
            {},
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_of_s3s_pages(method: str, path: str, query: str, headers: dict[str, str], signature: str) -> None:
    signed = {
        "host": "examplebucket.s3.amazonaws.com",
        "x-amz-date": "20130524T000000Z",
        "x-amz-content-sha256": EMPTY,
        **headers,
    }
    sent = encoded(
        {**signed, "authorization": authorization(S3_PAGES, "20130524/us-east-1/s3", signed, signature)}
    )
    head = read_head(sent, finder(S3_PAGES), MAY, "s3")
    prove_head(
        head,
        method=method,
        raw_path=path.encode(),
        query=query.encode(),
        headers=sent,
        payload=sent[b"x-amz-content-sha256"],
    )
    with pytest.raises(InvalidSignature):
        prove_head(
            head,
            method=method,
            raw_path=path.encode() + b"x",
            query=query.encode(),
            headers=sent,
            payload=sent[b"x-amz-content-sha256"],
        )


PRESIGNED = (
    b"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3"
    b"%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
    b"&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
)


def presigned(query: bytes = PRESIGNED, now: float = MAY, method: str = "GET", **headers: str) -> None:
    prove_presigned(
        method=method,
        raw_path=b"/test.txt",
        query=query,
        parameters=read_query(query),
        headers=encoded({"host": "examplebucket.s3.amazonaws.com", **headers}),
        find=finder(S3_PAGES),
        now=now,
    )


def test_the_documented_url() -> None:
    presigned()
    presigned(now=MAY + 86400)
    presigned(now=MAY - 14 * 60)


@pytest.mark.parametrize("now", [MAY + 86401, MAY - 16 * 60])
def test_a_url_past_its_time_or_before_it(now: float) -> None:
    with pytest.raises(RequestExpired):
        presigned(now=now)


@pytest.mark.parametrize(
    "query",
    [
        PRESIGNED.replace(b"86400", b"86401"),
        PRESIGNED + b"&uploadId=x",
        PRESIGNED + b"&X-Amz-Expires=604800",
        b"X-Amz-Expires=604800&" + PRESIGNED,
        PRESIGNED + b"&%58-Amz-Signature=0",
        PRESIGNED.replace(b"&X-Amz-Signature=a", b"&X-Amz-Signature=b"),
    ],
)
def test_what_was_added_to_a_url_is_refused(query: bytes) -> None:
    with pytest.raises((InvalidSignature, IncompleteSignature)):
        presigned(query)


def test_another_method_is_refused() -> None:
    with pytest.raises(InvalidSignature):
        presigned(method="PUT")
