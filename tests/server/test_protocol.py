from __future__ import annotations

import json
from typing import Any

import botocore.parsers
import botocore.serialize
import botocore.session
import msgspec
import pytest
from botocore.model import OperationModel
from hypothesis import given
from hypothesis import strategies as st

from openpersonalize.errors import InvalidInput, MalformedRequest, ResourceNotFound, ServiceError
from openpersonalize.server.protocol import BY_PATH, BY_TARGET, OPERATIONS, SERVICES, decode, error_body

from .samples import plain, sample

SESSION = botocore.session.get_session()
MODELS: dict[str, OperationModel] = {
    name: model.operation_model(name)
    for model in map(SESSION.get_service_model, SERVICES)
    for name in model.operation_names
}


def sent(name: str, request: dict[str, Any]) -> dict[str, Any]:
    """The HTTP request that botocore makes of a request."""
    model = MODELS[name]
    serializer = botocore.serialize.create_serializer(model.service_model.protocol)
    found: dict[str, Any] = serializer.serialize_to_request(request, model)
    return found


def test_all_operations_are_there() -> None:
    assert set(OPERATIONS) == set(MODELS)
    assert len(OPERATIONS) == 79


@pytest.mark.parametrize("only_required", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_what_botocore_writes_is_read(name: str, only_required: bool) -> None:
    request = sample(MODELS[name].input_shape, only_required=only_required)
    http = sent(name, request)
    operation = OPERATIONS[name]
    target = http["headers"].get("X-Amz-Target", "").encode()
    assert (BY_TARGET.get(target) or BY_PATH.get(http["url_path"])) is operation
    body = http["body"]
    parsed = operation.parse(body if isinstance(body, bytes) else body.encode())
    expected = json.loads(body)
    if name in ("PutEvents", "PutActionInteractions"):  # instants may have lost their fraction on the way
        assert json.dumps(parsed) == json.dumps(expected)
    else:
        assert parsed == expected == wire_form(request, expected)


def wire_form(request: Any, expected: Any) -> Any:
    """The request itself, but `properties` as botocore put it on the wire."""
    if isinstance(request, dict):
        return {
            key: expected[key] if key == "properties" else wire_form(member, expected[key])
            for key, member in request.items()
        }
    if isinstance(request, list):
        return [wire_form(a, b) for a, b in zip(request, expected, strict=True)]
    return plain(request)


@pytest.mark.parametrize("name", MODELS)
def test_what_is_written_botocore_reads(name: str) -> None:
    model = MODELS[name]
    answer = sample(model.output_shape) if model.output_shape else {}
    body = OPERATIONS[name].serialise(plain(answer))
    parser = botocore.parsers.create_parser(model.service_model.protocol)
    read = parser.parse({"status_code": 200, "headers": {}, "body": body}, model.output_shape)
    read.pop("ResponseMetadata")
    assert read == answer


@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if model.output_shape is None])
def test_empty_answers_have_an_empty_body(name: str) -> None:
    assert OPERATIONS[name].serialise({"anything": 1}) == b""
    assert OPERATIONS[name].serialise(None) == b""


@pytest.mark.parametrize("name", ["TagResource", "UntagResource"])
def test_an_output_without_members_is_an_empty_object(name: str) -> None:
    assert OPERATIONS[name].serialise({}) == b"{}"


def test_finished_bytes_pass() -> None:
    assert OPERATIONS["GetRecommendations"].serialise(b'{"itemList":[]}') == b'{"itemList":[]}'


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b"1",
        b'"x"',
        b"NaN",
        b'{"a":\xff}',
        b'{"name":"\xff"}',
        b"[" * 100_000,
        b'{"a":' * 5_000,
        b'{"name":"\\ud800"}',
        b'{"maxResults":1' + b"0" * 6_000 + b"}",
        b'{"maxResults":1e999}',
        b"{} {}",
        b"\xef\xbb\xbf{}",
    ],
)
def test_what_is_no_json_object_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        OPERATIONS["ListSchemas"].parse(body)


def test_an_empty_body_is_an_empty_object() -> None:
    assert OPERATIONS["ListSchemas"].parse(b"") == {}


def test_null_is_absent_and_unknown_members_are_ignored() -> None:
    body = msgspec.json.encode({"nextToken": None, "maxResults": 5, "colour": {"a": [1]}})
    assert OPERATIONS["ListSchemas"].parse(body) == {"maxResults": 5}


@pytest.mark.parametrize(
    "error", [InvalidInput('wrong "quote" é'), ResourceNotFound(), MalformedRequest("x")]
)
@pytest.mark.parametrize("service", SERVICES)
def test_botocore_reads_errors(service: str, error: ServiceError) -> None:
    model = SESSION.get_service_model(service)
    parser = botocore.parsers.create_parser(model.protocol)
    read = parser.parse({"status_code": 400, "headers": {}, "body": error_body(error)}, None)
    assert read["Error"] == {"Code": error.code, "Message": error.message}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(MODELS)), st.data())
def test_no_request_raises_anything_but_a_service_error(name: str, data: st.DataObject) -> None:
    """Members of the right names and any values: a request, or an error that names one of them."""
    members = MODELS[name].input_shape.members
    body = {member: data.draw(json_values) for member in members}
    message = ""
    try:
        OPERATIONS[name].parse(json.dumps(body).encode())
    except (MalformedRequest, InvalidInput) as error:
        message = error.message
    assert not message or "JSON" in message or any(member in message for member in members)


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_but_a_service_error(body: bytes) -> None:
    message = ""
    try:
        decode(body)
    except MalformedRequest as error:
        message = error.message
    assert not message or "JSON" in message or "UTF-8" in message
