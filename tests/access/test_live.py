"""Keys against a live server, with the clients that people use: boto3, the AWS CLI, curl."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from openpersonalize.access.keys import AccessKey, KeyRing
from server.wire import Wire, wire

AWS = shutil.which("aws", path=str(Path(sys.executable).parent) + os.pathsep + os.environ.get("PATH", ""))
CURL = shutil.which("curl")


async def put_events(context: Any, request: dict[str, Any]) -> dict[str, Any]:
    return {}


OPERATIONS = {
    "ListSchemas": lambda context, request: {"schemas": [{"name": context.scope.region}]},
    "DeleteSchema": lambda context, request: {},
    "GetRecommendations": lambda context, request: {"itemList": [{"itemId": "a"}]},
    "PutEvents": put_events,
}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[AccessKey, str]]:
    ring = KeyRing(tmp_path_factory.mktemp("guarded"))
    made = {role: ring.create(role) for role in ("admin", "runtime", "events", "read")}
    return {**made, "bound": ring.create("events", "t-1"), "folder": ring._folder}  # type: ignore[dict-item]


@pytest.fixture(scope="module")
def live(keys: dict[str, Any]) -> Iterator[Wire]:
    with wire(keys["folder"], OPERATIONS) as running:
        yield running


def credentials(pair: tuple[AccessKey, str]) -> dict[str, str]:
    return {"aws_access_key_id": pair[0].id, "aws_secret_access_key": pair[1]}


def refused(live: Wire, service: str, call: Any, pair: dict[str, str]) -> tuple[str, int]:
    live.credentials, before = pair, live.credentials
    try:
        with pytest.raises(ClientError) as raised:
            call(live.client(service))
    finally:
        live.credentials = before
    response = raised.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def client(live: Wire, service: str, pair: tuple[AccessKey, str]) -> Any:
    live.credentials = credentials(pair)
    return live.client(service)


# ------------------------------------------------------------------------------------------ boto3


def test_boto3_with_the_right_key(live: Wire, keys: dict[str, Any]) -> None:
    assert client(live, "personalize", keys["admin"]).list_schemas()["schemas"] == [{"name": "eu-west-3"}]
    assert client(live, "personalize-runtime", keys["runtime"]).get_recommendations(userId="ü")["itemList"]
    event = {"eventType": "click", "itemId": "é", "sentAt": 1_700_000_000}
    put = client(live, "personalize-events", keys["bound"]).put_events
    assert (
        put(trackingId="t-1", sessionId="s", eventList=[event])["ResponseMetadata"]["HTTPStatusCode"] == 200
    )


def test_boto3_with_a_wrong_secret(live: Wire, keys: dict[str, Any]) -> None:
    pair = {**credentials(keys["admin"]), "aws_secret_access_key": "x"}
    found = refused(live, "personalize", lambda c: c.list_schemas(), pair)
    assert found == ("InvalidSignatureException", 403)


def test_boto3_with_an_unknown_key(live: Wire) -> None:
    pair = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "x"}
    assert refused(live, "personalize", lambda c: c.list_schemas(), pair) == ("InvalidClientTokenId", 403)


def test_boto3_with_a_key_of_another_role(live: Wire, keys: dict[str, Any]) -> None:
    arn = "arn:aws:personalize:us-east-1:000000000000:schema/x"
    denied = ("AccessDeniedException", 400)
    assert (
        refused(live, "personalize", lambda c: c.delete_schema(schemaArn=arn), credentials(keys["read"]))
        == denied
    )
    assert refused(live, "personalize", lambda c: c.list_schemas(), credentials(keys["runtime"])) == denied
    event = [{"eventType": "click", "sentAt": 1}]
    bound = credentials(keys["bound"])
    call: Any = lambda c: c.put_events(trackingId="t-2", sessionId="s", eventList=event)  # noqa: E731
    assert refused(live, "personalize-events", call, bound) == denied


# ------------------------------------------------------------------------------------------ raw requests


def signed(live: Wire, pair: tuple[AccessKey, str], body: bytes = b"{}", path: str = "/") -> dict[str, str]:
    headers = {"X-Amz-Target": "AmazonPersonalize.ListSchemas"} if path == "/" else {}
    request = AWSRequest("POST" if path == "/" else "GET", live.endpoint + path, headers, body)
    SigV4Auth(Credentials(pair[0].id, pair[1]), "personalize", "us-east-1").add_auth(request)
    return dict(request.headers.items())


def code(reply: Any) -> str:
    return str(json.loads(reply.body)["__type"])


def test_changed_body_changed_header_old_date_and_no_signature(live: Wire, keys: dict[str, Any]) -> None:
    headers = signed(live, keys["admin"])
    assert live.send("POST", "/", b"{}", headers).status == 200
    assert code(live.send("POST", "/", b"{ }", headers)) == "InvalidSignatureException"
    changed = {**headers, "X-Amz-Target": "AmazonPersonalize.DeleteSchema"}
    assert code(live.send("POST", "/", b"{}", changed)) == "InvalidSignatureException"
    old = {**headers, "X-Amz-Date": "20200101T000000Z"}
    assert code(live.send("POST", "/", b"{}", old)) == "RequestExpired"
    reply = live.call("ListSchemas")
    assert (code(reply), reply.status) == ("MissingAuthenticationToken", 403)


def test_any_host_is_served_when_signed(live: Wire, keys: dict[str, Any]) -> None:
    request = AWSRequest(
        "POST", "http://personalize.example/", {"X-Amz-Target": "AmazonPersonalize.ListSchemas"}, b"{}"
    )
    SigV4Auth(Credentials(keys["admin"][0].id, keys["admin"][1]), "personalize", "us-east-1").add_auth(
        request
    )
    headers = {
        **dict(request.headers.items()),
        "Host": "personalize.example",
        "Origin": "http://shop.example",
    }
    assert live.send("POST", "/", b"{}", headers).status == 200


@pytest.mark.parametrize("path", ["/v1/jobs", "/metrics"])
def test_the_pages_want_a_role(live: Wire, keys: dict[str, Any], path: str) -> None:
    reply = live.send("GET", path)
    assert reply.status == 403
    assert json.loads(reply.body)["error"]["code"] == "MissingAuthenticationToken"
    assert live.send("GET", path, headers=signed(live, keys["read"], b"", path)).status == 200
    refused = live.send("GET", path, headers=signed(live, keys["runtime"], b"", path))
    assert json.loads(refused.body)["error"]["code"] == "AccessDeniedException"


def test_the_page_of_health_wants_nothing(live: Wire) -> None:
    assert live.send("GET", "/health", headers={"Host": "elsewhere"}).status == 200


# ------------------------------------------------------------------------------------------ other clients


@pytest.mark.skipif(AWS is None, reason="the AWS CLI is not installed")
def test_the_aws_cli(live: Wire, keys: dict[str, Any]) -> None:
    def run(secret: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment |= {
            "AWS_ACCESS_KEY_ID": keys["read"][0].id,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": "sa-east-1",
            "AWS_ENDPOINT_URL_PERSONALIZE": live.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
        }
        command = [sys.executable, str(AWS), "personalize", "list-schemas", "--output", "json"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    right, wrong = run(keys["read"][1]), run("wrong")
    assert json.loads(right.stdout)["schemas"] == [{"name": "sa-east-1"}], right.stderr
    assert wrong.returncode != 0
    assert "InvalidSignatureException" in wrong.stderr


@pytest.mark.skipif(CURL is None, reason="curl is not installed")
def test_curl(live: Wire, keys: dict[str, Any]) -> None:
    def run(*words: str, secret: str = keys["runtime"][1]) -> Any:
        user = f"{keys['runtime'][0].id}:{secret}"
        command = [str(CURL), "-sS", "--aws-sigv4", "aws:amz:us-east-1:personalize", "--user", user, *words]
        found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return json.loads(found.stdout)

    ask = (f"{live.endpoint}/recommendations", "-H", "Content-Type: application/json", "-d", '{"userId":"u"}')
    assert run(*ask) == {"itemList": [{"itemId": "a"}]}
    assert run(*ask, secret="wrong")["__type"] == "InvalidSignatureException"


@pytest.mark.skipif(CURL is None, reason="curl is not installed")
@pytest.mark.parametrize("colon", [":", "%3A"])
def test_curl_reads_the_page_of_a_job(live: Wire, keys: dict[str, Any], colon: str) -> None:
    arn = "arn:aws:personalize:us-east-1:000000000000:dataset-import-job/none"
    command = [str(CURL), "-sS", "--aws-sigv4", "aws:amz:us-east-1:personalize"]
    command += ["--user", f"{keys['read'][0].id}:{keys['read'][1]}"]
    command += [f"{live.endpoint}/v1/jobs/{arn.replace(':', colon)}"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(found.stdout)["error"]["message"] == f"There is no job of {arn}."
