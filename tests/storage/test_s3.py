from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from contract.buckets import BucketsContract, locations, put
from openpersonalize.storage.buckets import AccessDenied, Unreachable
from openpersonalize.storage.s3 import S3Buckets


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def opened(endpoint: str) -> Iterator[S3Buckets]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        # Of another service, never to be used.
        environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        yield S3Buckets("us-east-1", endpoint)


@pytest.fixture
def client(opened: S3Buckets) -> Any:
    return opened._client


@pytest.fixture
def buckets(opened: S3Buckets, client: Any) -> Iterator[S3Buckets]:
    client.create_bucket(Bucket="films")
    yield opened
    for entry in client.list_objects_v2(Bucket="films").get("Contents", ()):
        client.delete_object(Bucket="films", Key=entry["Key"])
    client.delete_bucket(Bucket="films")


class TestS3(BucketsContract):
    pass


def test_listings_go_on_over_pages(buckets: S3Buckets, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(7):
        put(buckets, f"s3://films/in/{n}.csv")
    pages = client.get_paginator("list_objects_v2")
    asked: list[dict[str, Any]] = []

    class TwoAtATime:
        def paginate(self, **request: Any) -> Any:
            for page in pages.paginate(**request, PaginationConfig={"PageSize": 2}):
                asked.append(page)
                yield page

    monkeypatch.setattr(client, "get_paginator", lambda _: TwoAtATime())
    assert locations(buckets, "s3://films/in/") == [f"s3://films/in/{n}.csv" for n in range(7)]
    assert len(asked) == 4


def test_folder_markers_are_skipped(buckets: S3Buckets, client: Any) -> None:
    client.put_object(Bucket="films", Key="in/", Body=b"")
    client.put_object(Bucket="films", Key="in/full/", Body=b"not empty")
    put(buckets, "s3://films/in/a.csv")
    assert locations(buckets, "s3://films/in/") == ["s3://films/in/a.csv"]


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403"])
def test_what_s3_denies_is_denied(buckets: S3Buckets, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    def deny(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "any")

    class Denied:
        def paginate(self, **_: Any) -> Any:
            deny()
            yield

    for name in ("head_object", "get_object"):
        monkeypatch.setattr(buckets._client, name, deny)
    monkeypatch.setattr(buckets._client, "get_paginator", lambda _: Denied())
    monkeypatch.setattr(buckets._client, "upload_fileobj", lambda *_: deny())
    for use in (buckets.list, buckets.open, lambda where: put(buckets, where)):
        with pytest.raises(AccessDenied) as error:
            use("s3://films/a.csv")
        assert error.value.message == "Insufficient privileges for accessing data in Amazon S3."


def test_without_credentials_access_is_denied(
    buckets: S3Buckets, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(AccessDenied):
        S3Buckets("us-east-1", endpoint).list("s3://films/a.csv")


def test_a_broken_connection_is_taken_up_where_it_broke(
    buckets: S3Buckets, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(range(256)) * 10_000
    put(buckets, "s3://films/a.bin", content)
    get = client.get_object
    ranges: list[str | None] = []

    def breaking_twice(**request: Any) -> Any:
        answer = get(**request)
        ranges.append(request.get("Range"))
        if len(ranges) <= 2:
            answer["Body"] = Breaking(answer["Body"], after=1_000_000)
        return answer

    monkeypatch.setattr(client, "get_object", breaking_twice)
    with buckets.open("s3://films/a.bin") as stream:
        assert stream.read() == content
    assert ranges == [None, "bytes=1000000-", "bytes=2000000-"]


def test_a_connection_that_always_breaks_is_given_up(
    buckets: S3Buckets, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(buckets, "s3://films/a.bin", b"content")
    get = client.get_object

    def breaking(**request: Any) -> Any:
        answer = get(**request)
        return {**answer, "Body": Breaking(answer["Body"], after=0)}

    monkeypatch.setattr(client, "get_object", breaking)
    with buckets.open("s3://films/a.bin") as stream, pytest.raises(Unreachable, match="Read timeout"):
        stream.read()


def test_a_service_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    nobody = S3Buckets("us-east-1", "http://127.0.0.1:9")
    nobody._client.meta.events.register("needs-retry.s3", lambda **_: False)
    with pytest.raises(Unreachable, match="Could not connect"):
        nobody.list("s3://films/in/")


def test_a_service_that_fails(buckets: S3Buckets, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(**request: Any) -> Any:
        raise ClientError({"Error": {"Code": "SlowDown", "Message": "Please reduce your rate"}}, "GetObject")

    monkeypatch.setattr(client, "get_object", failing)
    with pytest.raises(Unreachable, match="SlowDown"):
        buckets.open("s3://films/a.csv")


class Breaking:
    """The body of an answer whose connection breaks after some bytes."""

    def __init__(self, body: Any, after: int) -> None:
        self.body = body
        self.left = after

    def read(self, size: int) -> bytes:
        if not self.left:
            raise ReadTimeoutError(endpoint_url="http://films")
        data = bytes(self.body.read(min(size, self.left)))
        self.left -= len(data)
        return data

    def close(self) -> None:
        self.body.close()
