"""Signed requests that come through a reverse proxy, with boto3 on its other side."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from openpersonalize.access.keys import KeyRing
from openpersonalize.access.public_address import PublicAddress

from .wire import Wire, wire

OPERATIONS = {
    "ListSchemas": lambda context, request: {"schemas": []},
    "GetRecommendations": lambda context, request: {"itemList": [{"itemId": "a"}]},
}
PREFIX = "/tools/personalize"


class Forwarder(BaseHTTPRequestHandler):
    """Sends everything on to a server, under another Host, with or without the prefix."""

    target = 0
    strips = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        path = self.path.removeprefix(PREFIX) if self.strips else self.path
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        connection = http.client.HTTPConnection("127.0.0.1", self.target, timeout=20)
        connection.request(self.command, path or "/", body, {**headers, "Host": "inner.local"})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        self.send_response(answer.status)
        for name in ("Content-Type", "x-amzn-errortype"):
            if answer.headers.get(name):
                self.send_header(name, answer.headers[name])
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@contextmanager
def proxied(folder: Path, *, strips: bool, known: bool) -> Iterator[tuple[Wire, str, dict[str, str]]]:
    """(server, the address of a proxy in front of it, credentials)."""
    key, secret = KeyRing(folder).create("admin")
    credentials = {"aws_access_key_id": key.id, "aws_secret_access_key": secret}
    handler = type("Handler", (Forwarder,), {"strips": strips})
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    address = f"http://127.0.0.1:{proxy.server_port}{PREFIX}"
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    try:
        with wire(folder, OPERATIONS, public_url=address if known else "") as live:
            handler.target = live.port  # type: ignore[attr-defined]
            yield live, address, credentials
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()


def client(service: str, address: str, credentials: dict[str, str]) -> Any:
    options = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    return boto3.client(service, region_name="eu-west-1", endpoint_url=address, config=options, **credentials)


@pytest.mark.parametrize("strips", [True, False])
def test_clients_sign_the_public_address(tmp_path: Path, strips: bool) -> None:
    with proxied(tmp_path, strips=strips, known=True) as (live, address, credentials):
        assert client("personalize", address, credentials).list_schemas()["schemas"] == []
        runtime = client("personalize-runtime", address, credentials)
        assert runtime.get_recommendations(campaignArn="arn:aws:personalize:::campaign/a", userId="ü")
        s3 = client("s3", address, credentials)
        s3.create_bucket(Bucket="films", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        s3.put_object(Bucket="films", Key="a b/ü.csv", Body=b"USER_ID\n")
        url = s3.generate_presigned_url("get_object", Params={"Bucket": "films", "Key": "a b/ü.csv"})
        proxy, path = url.removeprefix("http://").split("/", 1)
        connection = http.client.HTTPConnection(proxy, timeout=20)
        connection.request("GET", f"/{path}")
        assert (url, connection.getresponse().read())[1] == b"USER_ID\n"
        connection.close()
        # Whoever reaches the server itself signs what it sends, as ever.
        assert client("personalize", live.endpoint, credentials).list_schemas()["schemas"] == []


def test_the_refusal_says_what_the_server_saw(tmp_path: Path) -> None:
    with (
        proxied(tmp_path, strips=True, known=False) as (_, address, credentials),
        pytest.raises(ClientError) as raised,
    ):
        client("personalize", address, credentials).list_schemas()
    error = raised.value.response["Error"]
    assert error["Code"] == "InvalidSignatureException"
    assert "saw the host 'inner.local' and the path '/'" in error["Message"]
    assert "public_url" in error["Message"]


def test_a_wrong_secret_stays_wrong(tmp_path: Path) -> None:
    with (
        proxied(tmp_path, strips=True, known=True) as (_, address, credentials),
        pytest.raises(ClientError) as raised,
    ):
        client("personalize", address, {**credentials, "aws_secret_access_key": "x"}).list_schemas()
    assert raised.value.response["Error"]["Code"] == "InvalidSignatureException"


@pytest.mark.parametrize(
    ("path", "inner"),
    [(b"/ai/x", b"/x"), (b"/ai", b"/"), (b"/aix", b"/aix"), (b"/x/ai", b"/x/ai"), (b"/ai/ai/x", b"/ai/x")],
)
def test_the_prefix(path: bytes, inner: bytes) -> None:
    address = PublicAddress.of("https://shop.example/ai/")
    assert address is not None
    assert address.without_prefix(path) == inner
    assert PublicAddress.of("") is None
