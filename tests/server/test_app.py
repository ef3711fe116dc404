"""The chain from a socket to an operation and back, with boto3 and with raw requests."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from openpersonalize import errors
from openpersonalize.operations.context import Context
from openpersonalize.server.connections import Limits

from .wire import Wire, wire

ERRORS = [
    errors.InvalidInput,
    errors.ResourceNotFound,
    errors.ResourceAlreadyExists,
    errors.ResourceInUse,
    errors.LimitExceeded,
    errors.InvalidNextToken,
    errors.TooManyTags,
]
BY_CODE = {error.code: error for error in ERRORS}
ROOM = threading.Event()


def echo(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """A plain function: it runs in a thread."""
    scope = context.scope
    return {
        "schemaArn": f"{scope.region}/{scope.account}/{request['name']}/{threading.current_thread().name}"
    }


async def recommend(context: Context, request: dict[str, Any]) -> bytes:
    """A coroutine function: it runs in the event loop, and answers finished JSON."""
    await asyncio.sleep(0)
    assert threading.current_thread().name.startswith("Thread")
    return json.dumps({"itemList": [], "recommendationId": context.request_id}).encode()


async def put_events(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    raise BY_CODE[request["sessionId"]]("the message")


def list_schemas(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    raise BY_CODE[request["nextToken"]]("the message")


def broken(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    raise KeyError("a fault of ours")


def slow(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    ROOM.wait(10)
    return {"campaigns": []}


OPERATIONS = {
    "CreateSchema": echo,
    "GetRecommendations": recommend,
    "PutEvents": put_events,
    "ListSchemas": list_schemas,
    "DeleteSchema": lambda context, request: {},
    "TagResource": lambda context, request: {},
    "DescribeSchema": broken,
    "ListCampaigns": slow,
}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with wire(tmp_path_factory.mktemp("wire"), OPERATIONS, max_body_bytes=100_000, shed_after=4) as running:
        yield running


# ------------------------------------------------------------------------------------------ answers


def test_a_call_reaches_its_operation_in_the_region_of_its_signature(live: Wire) -> None:
    answer = live.client("personalize", "ap-south-1").create_schema(name="films", schema="{}")
    assert answer["schemaArn"].startswith("ap-south-1/000000000000/films/operation")


def test_an_unsigned_call_is_for_the_region_of_the_settings(live: Wire) -> None:
    reply = live.call("CreateSchema", b'{"name":"films","schema":"{}"}')
    assert json.loads(reply.body)["schemaArn"].startswith("us-east-1/")


def test_a_bearer_token_says_nothing_about_the_region(live: Wire) -> None:
    reply = live.call(
        "CreateSchema", b'{"name":"f","schema":"{}"}', {"Authorization": "Bearer Credential=a/b"}
    )
    assert json.loads(reply.body)["schemaArn"].startswith("us-east-1/")


def test_every_response_has_the_headers_of_aws(live: Wire) -> None:
    for reply in (
        live.call("DeleteSchema", b'{"schemaArn":"arn:aws:personalize:a:b:c"}'),
        live.call("Nonsense"),
    ):
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", reply.headers["x-amzn-requestid"])
        assert reply.headers["content-type"] == "application/x-amz-json-1.1"
        assert reply.headers["date"].endswith("GMT")
        assert int(reply.headers["content-length"]) == len(reply.body)
        assert "server" not in reply.headers


def test_empty_answers(live: Wire) -> None:
    arn = b'"arn:aws:personalize:a:b:c"'
    assert live.call("DeleteSchema", b'{"schemaArn":%s}' % arn).body == b""
    assert live.call("TagResource", b'{"resourceArn":%s,"tags":[]}' % arn).body == b"{}"
    assert live.client("personalize").delete_schema(schemaArn=arn.decode().strip('"'))["ResponseMetadata"]


def test_a_coroutine_answers_finished_json_and_knows_the_request_id(live: Wire) -> None:
    answer = live.client("personalize-runtime").get_recommendations(userId="u")
    assert answer["recommendationId"] == answer["ResponseMetadata"]["RequestId"]
    assert answer["ResponseMetadata"]["HTTPHeaders"]["content-type"] == "application/json"


# ------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize("error", ERRORS)
def test_errors_arrive_as_the_clients_own_classes(live: Wire, error: type[errors.ServiceError]) -> None:
    client = live.client("personalize")
    modelled = client.exceptions.from_code(error.code)
    with pytest.raises(modelled) as raised:
        client.list_schemas(nextToken=error.code)
    assert raised.value.response["Error"] == {"Code": error.code, "Message": "the message"}
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize(
    ("error", "status"),
    [(errors.InvalidInput, 400), (errors.ResourceNotFound, 404), (errors.ResourceInUse, 409)],
)
def test_rest_services_have_status_codes_of_their_own(
    live: Wire, error: type[errors.ServiceError], status: int
) -> None:
    event = {"eventType": "click", "sentAt": 1}
    with pytest.raises(ClientError) as raised:
        live.client("personalize-events").put_events(trackingId="t", sessionId=error.code, eventList=[event])
    response = raised.value.response
    assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == (error.code, status)
    assert response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-errortype"] == error.code


@pytest.mark.parametrize(
    "target", ["AmazonPersonalize.MakeCoffee", "AWSConciergeControlService.ListSchemas", ""]
)
def test_an_unknown_target(live: Wire, target: str) -> None:
    reply = live.send("POST", "/", b"{}", {"X-Amz-Target": target} if target else {})
    assert (reply.status, reply.headers["x-amzn-errortype"]) == (400, "UnknownOperationException")
    assert json.loads(reply.body)["__type"] == "UnknownOperationException"
    assert json.loads(reply.body)["message"]


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"[" * 50_000, b'{"maxResults":"1"}'])
def test_malformed_bodies(live: Wire, body: bytes) -> None:
    reply = live.call("ListSchemas", body)
    assert (reply.status, json.loads(reply.body)["__type"]) == (400, "SerializationException")


def test_violations_come_before_the_operation(live: Wire) -> None:
    with pytest.raises(ClientError, match="1 validation error detected: Value '-x' at 'name'"):
        live.client("personalize").create_schema(name="-x", schema="{}")


def test_what_this_version_lacks_says_so(live: Wire) -> None:
    with pytest.raises(
        ClientError, match=r"CreateBatchInferenceJob is not available in this version\."
    ) as raised:
        live.client("personalize").create_batch_inference_job(
            jobName="j",
            solutionVersionArn="arn:aws:personalize:us-east-1:000000000000:solution/a/b",
            jobInput={"s3DataSource": {"path": "s3://a/b"}},
            jobOutput={"s3DataDestination": {"path": "s3://a/b/"}},
            roleArn="arn:aws:iam::000000000000:role/r",
        )
    assert raised.value.response["Error"]["Code"] == "InvalidInputException"


def test_a_fault_of_ours_is_an_internal_failure_and_logged(
    live: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    reply = live.call("DescribeSchema", b'{"schemaArn":"arn:aws:personalize:a:b:c"}')
    assert (reply.status, json.loads(reply.body)["__type"]) == (500, "InternalFailure")
    assert b"a fault of ours" not in reply.body
    [record] = [record for record in caplog.records if record.exc_info]
    assert record.__dict__["request_id"] == reply.headers["x-amzn-requestid"]


# ------------------------------------------------------------------------------------------ bodies


def test_a_body_at_the_limit_passes_and_one_above_does_not(live: Wire) -> None:
    request = b'{"name":"films","schema":"{}"}'
    assert live.call("CreateSchema", request.ljust(100_000)).status == 200
    reply = live.call("CreateSchema", request.ljust(100_001))
    assert (reply.status, json.loads(reply.body)["__type"]) == (413, "RequestEntityTooLargeException")


def test_a_chunked_body_is_counted_as_it_comes(live: Wire) -> None:
    target = {"X-Amz-Target": "AmazonPersonalize.CreateSchema"}
    chunks = [b'{"name":"films","schema":"{}"}', b" " * 60_000]
    for parts, status in ((chunks, 200), ([*chunks, b" " * 60_000], 413)):
        connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=20)
        connection.request("POST", "/", iter(parts), target, encode_chunked=True)
        assert connection.getresponse().status == status
        connection.close()


def test_an_absurd_content_length_is_refused_before_the_body(live: Wire) -> None:
    with socket.create_connection(("127.0.0.1", live.port), 20) as raw:
        raw.sendall(
            b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AmazonPersonalize.ListSchemas\r\n"
            b"Content-Length: 99999999999999\r\n\r\n"
        )
        assert raw.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_does_not_come_is_given_up(tmp_path: Path) -> None:
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AmazonPersonalize.ListSchemas\r\n"
    with (
        wire(tmp_path, OPERATIONS, Limits(body_seconds=0.2)) as hasty,
        socket.create_connection(("127.0.0.1", hasty.port), 20) as raw,
    ):
        raw.sendall(head + b"Content-Length: 10\r\n\r\n{")
        answer = raw.recv(1000)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"did not arrive within" in answer
        assert hasty.call("DeleteSchema", b'{"schemaArn":"arn:aws:personalize:a:b:c"}').status == 200


def test_a_client_that_goes_away_leaves_no_trace(live: Wire) -> None:
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AmazonPersonalize.ListSchemas\r\n"
    for _ in range(10):  # more than there is room for, were they still counted
        with socket.create_connection(("127.0.0.1", live.port), 20) as raw:
            raw.sendall(head + b"Content-Length: 10\r\n\r\n{")
    admission = live.app._admission
    deadline = time.monotonic() + 10
    while admission.in_flight or admission.awaited:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_compressed_bodies_are_refused(live: Wire) -> None:
    reply = live.call("ListSchemas", b"{}", {"Content-Encoding": "gzip"})
    assert (reply.status, json.loads(reply.body)["__type"]) == (400, "SerializationException")


# ------------------------------------------------------------------------------------------ who may come in


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8077", "shop.localhost", "127.0.0.1:1", "127.8.8.8", "[::1]:80"]
)
def test_loopback_hosts_are_served(live: Wire, host: str) -> None:
    assert live.send("GET", "/health", headers={"Host": host}).status == 200


@pytest.mark.parametrize("path", ["/health", "/metrics", "/v1/jobs"])
@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Host": "10.0.0.1"}, {"Host": ""}, {"Origin": "http://localhost"}]
)
def test_web_pages_are_not(live: Wire, path: str, headers: dict[str, str]) -> None:
    assert (
        json.loads(live.send("GET", path, headers=headers).body)["error"]["code"] == "AccessDeniedException"
    )
    reply = live.call("CreateSchema", b'{"name":"films","schema":"{}"}', headers)
    assert (reply.status, json.loads(reply.body)["__type"]) == (400, "AccessDeniedException")


@pytest.mark.parametrize(
    ("service", "call"),
    [
        ("sns", lambda client: client.list_topics()),
        ("iam", lambda client: client.list_roles()),
        ("dynamodb", lambda client: client.list_tables()),
        ("lambda", lambda client: client.list_functions()),
    ],
)
def test_another_service_is_told_which_variable_sent_it_here(live: Wire, service: str, call: Any) -> None:
    with pytest.raises(ClientError) as raised:
        call(live.client(service))
    error = raised.value.response["Error"]
    assert error["Code"] == "UnknownOperationException"
    assert "AWS_ENDPOINT_URL_PERSONALIZE" in error["Message"]
    assert f"a request to {service}" in error["Message"]


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/"), ("POST", "/nothing"), ("GET", "/events"), ("PUT", "/a/b")]
)
def test_an_unknown_path(live: Wire, method: str, path: str) -> None:
    reply = live.send(method, path)
    assert (reply.status, reply.headers["x-amzn-errortype"]) == (400, "UnknownOperationException")


def test_what_is_too_much_is_turned_away(live: Wire) -> None:
    ROOM.clear()
    with ThreadPoolExecutor(8) as pool:
        try:
            waiting = [pool.submit(live.call, "ListCampaigns") for _ in range(5)]
            [first] = wait(waiting, 10, FIRST_COMPLETED).done
            reply = first.result()
            assert (reply.status, json.loads(reply.body)["__type"]) == (400, "ThrottlingException")
            assert json.loads(reply.body)["message"] == "Rate exceeded"
            assert live.send("GET", "/health").status == 200
        finally:
            ROOM.set()
        assert sorted(done.result().status for done in waiting) == [200, 200, 200, 200, 400]
    assert live.client("personalize").list_campaigns()["campaigns"] == []


# ------------------------------------------------------------------------------------------ metrics


def test_metrics_count_requests_by_operation_and_code(live: Wire) -> None:
    live.call("DeleteSchema", b'{"schemaArn":"arn:aws:personalize:a:b:c"}')
    live.call("Nonsense")
    text = live.send("GET", "/metrics").body.decode()
    assert re.search(r'openpersonalize_requests_total\{code="OK",operation="DeleteSchema"\} [1-9]', text)
    assert re.search(
        r'openpersonalize_requests_total\{code="UnknownOperationException",operation="unknown"\} [1-9]', text
    )
    assert 'openpersonalize_request_seconds_count{operation="DeleteSchema"}' in text
    assert re.search(r"^openpersonalize_loop_lag_seconds(\{.*\})? [0-9.e-]+$", text, re.MULTILINE)
    assert "Nonsense" not in text
