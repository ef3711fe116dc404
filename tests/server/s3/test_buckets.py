from __future__ import annotations

import json
from typing import Any

import pytest

from live import fails
from server.s3.conftest import s3_client
from server.wire import Wire


def test_a_bucket_comes_and_goes(open_server: Wire, s3: Any) -> None:
    s3.create_bucket(Bucket="films.1", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    assert (open_server.settings.data / "buckets" / "films.1").is_dir()
    assert "films.1" in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert s3.get_bucket_location(Bucket="films.1")["LocationConstraint"] == "eu-central-1"
    assert s3.head_bucket(Bucket="films.1")["BucketRegion"] == "eu-central-1"
    assert fails("BucketAlreadyOwnedByYou", s3.create_bucket, Bucket="films.1",
                 CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})  # fmt: skip
    s3.delete_bucket(Bucket="films.1")
    fails("404", s3.head_bucket, Bucket="films.1")
    for call in (s3.delete_bucket, s3.get_bucket_location, s3.get_bucket_policy):
        fails("NoSuchBucket", call, Bucket="films.1")


def test_in_the_first_region_one_may_make_it_again(open_server: Wire) -> None:
    client = s3_client(open_server, region="us-east-1")
    client.create_bucket(Bucket="again")
    client.create_bucket(Bucket="again")
    assert client.get_bucket_location(Bucket="again")["LocationConstraint"] is None
    client.delete_bucket(Bucket="again")


@pytest.mark.parametrize("name", ["Films", "fi", "films-", "1.2.3.4", "a..b", "a_b", ".staging", "a" * 64])
def test_names_are_those_of_s3(open_server: Wire, s3: Any, name: str) -> None:
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/eu-west-3/s3/aws4_request"}
    reply = open_server.send("PUT", f"/{name}", headers=signed)
    assert (reply.status, b"InvalidBucketName" in reply.body) == (400, True)


def test_a_folder_made_by_hand_is_a_bucket(open_server: Wire, s3: Any) -> None:
    folder = open_server.settings.data / "buckets" / "By_Hand"
    (folder / "in").mkdir(parents=True)
    (folder / "in" / "a.csv").write_text("x")
    assert "By_Hand" in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/eu-west-3/s3/aws4_request"}
    assert open_server.send("GET", "/By_Hand/in/a.csv", headers=signed).body == b"x"


def test_buckets_are_listed_in_pages(s3: Any) -> None:
    for name in ("page-a", "page-b", "page-c"):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    pages = list(s3.get_paginator("list_buckets").paginate(Prefix="page-", PaginationConfig={"PageSize": 2}))
    assert [bucket["Name"] for page in pages for bucket in page["Buckets"]] == ["page-a", "page-b", "page-c"]
    assert len(pages) == 2


def test_a_policy_is_kept(s3: Any, bucket: str) -> None:
    fails("NoSuchBucketPolicy", s3.get_bucket_policy, Bucket=bucket)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*"}]})
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == policy
    for broken in ("", "{", "[]", "{}", '"Statement"', " " * 30_000):
        fails("MalformedPolicy", s3.put_bucket_policy, Bucket=bucket, Policy=broken)
    s3.delete_bucket_policy(Bucket=bucket)
    fails("NoSuchBucketPolicy", s3.get_bucket_policy, Bucket=bucket)


@pytest.mark.parametrize(
    "body",
    [b"x", b"<a/>", b'<!DOCTYPE a [<!ENTITY x "y">]><Delete>&x;</Delete>', b"<Delete></Delete>",
     b"<Delete><Object><Key></Key></Object></Delete>", "<Delete/>".encode("utf-16"),
     b"<Delete>" + b"<Object><Key>a</Key></Object>" * 1001 + b"</Delete>"],
)  # fmt: skip
def test_documents_that_are_none(open_server: Wire, bucket: str, body: bytes) -> None:
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/eu-west-3/s3/aws4_request"}
    reply = open_server.send("POST", f"/{bucket}?delete", body, signed)
    assert (reply.status, b"MalformedXML" in reply.body) == (400, True)


def test_a_document_too_large(open_server: Wire, bucket: str) -> None:
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/eu-west-3/s3/aws4_request"}
    reply = open_server.send("POST", f"/{bucket}?delete", b" " * (3 << 20), signed)
    assert (reply.status, b"EntityTooLarge" in reply.body) == (400, True)
