"""Every member of every operation, filled with what nobody means: never a 500, never a traceback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.model import OperationModel, Shape

from live import Server
from openpersonalize.resources.tokens import encode
from server.samples import plain, sample

from .raw import Line, request_bytes

SERVICES = ("personalize", "personalize-runtime", "personalize-events")
TEXTS = [
    "",
    "\0",
    "\ud800",
    "a\udfff",
    "\u2028",
    "\x1b[2J",
    "a" * 3000,
    ":" * 250,
    "../..",
    "NaN",
    "{}",
    "[" * 500,
]
PROPERTIES = ['{"\\ud800":1}', '{"event_\\ud800":{"a":1}}', '{"a":1e999}', '{"a":"\\ud800"}', "null", "[]"]
NUMBERS = [-1, 0, 2**31, -(2**63), 1e308, -0.0, 10**400]
POSITIONS: list[Any] = [
    [],
    [1],
    ["a", "b"],
    [None, None],
    [1, 2],
    [1e300, "a"],
    [-1, "a"],
    [True, "a"],
    [[], {}],
    [1, "\ud800"],
    [10**400, "a"],
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("fuzzing") / "data", ("--minimum-data", "off")).start()
    yield server
    server.stop()


def operations() -> list[tuple[str, OperationModel]]:
    session = botocore.session.get_session()
    models = [(service, session.get_service_model(service)) for service in SERVICES]
    return [
        (service, model.operation_model(name)) for service, model in models for name in model.operation_names
    ]


def filled(shape: Shape, value: Any, odd: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[Any]:
    """The sample value with one member after the other replaced by each odd value of its type."""
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            for other in filled(member, value[name], odd, (*path, name)):
                yield {**value, name: other}
    elif shape.type_name == "list":
        for other in filled(shape.member, value[0], odd, path):
            yield [other]
    elif shape.type_name == "map":
        (key,) = value
        yield from ({other: value[key]} for other in odd["string"])
        yield from ({key: other} for other in filled(shape.value, value[key], odd, path))
    else:
        kind = "string" if shape.type_name in ("string", "timestamp") else "number"
        yield from odd["string" if shape.type_name == "string" else kind]
        if shape.type_name == "timestamp":
            yield from odd["number"]
        if shape.serialization.get("jsonvalue") or shape.name in ("ItemProperties", "UserProperties"):
            yield from PROPERTIES


def ask(line: Line, service: str, operation: OperationModel, document: Any) -> int:
    body = json.dumps(document).encode()
    target = {"X-Amz-Target": f"AmazonPersonalize.{operation.name}"} if service == "personalize" else {}
    return line.send(request_bytes("POST", operation.http["requestUri"], target, body)).status


def told(running: Server) -> list[str]:
    """Lines of the log that nobody should have caused."""
    words = ("Traceback", "ASGI", "unexpectedly", "uvicorn")
    return [text for text in running.log.read_text().splitlines() if any(word in text for word in words)]


@pytest.mark.parametrize("service", SERVICES)
def test_odd_members(running: Server, service: str) -> None:
    odd = {"string": TEXTS, "number": NUMBERS}
    with Line(running.port) as line:
        for of, operation in operations():
            if of != service:
                continue
            value = plain(sample(operation.input_shape))
            for document in filled(operation.input_shape, value, odd):
                status = ask(line, service, operation, document)
                assert 200 <= status < 500, (operation.name, document)
    assert told(running) == []


def test_forged_tokens(running: Server) -> None:
    lists = [(s, o) for s, o in operations() if "nextToken" in o.input_shape.members]
    assert len(lists) > 10
    with Line(running.port) as line:
        for service, operation in lists:
            value = plain(sample(operation.input_shape, only_required=True))
            for position in POSITIONS:
                for sealed_for in (None, ["", ""]):
                    token = forged(operation.name, sealed_for, position)
                    assert ask(line, service, operation, {**value, "nextToken": token}) < 500, (
                        operation,
                        position,
                    )
    assert told(running) == []


def forged(operation: str, sealed_for: Any, position: list[Any]) -> str:
    """A token whose seal is right: it holds no secret."""
    try:
        return encode(operation, sealed_for, position)
    except ValueError:
        return ""


def test_a_schema_with_half_a_surrogate_pair(running: Server) -> None:
    field = {"name": "\ud800", "type": "x"}
    schema = json.dumps({"type": "record", "name": "Items", "fields": [field]})
    session = botocore.session.get_session()
    operation = session.get_service_model("personalize").operation_model("CreateSchema")
    with Line(running.port) as line:
        assert ask(line, "personalize", operation, {"name": "zz", "schema": schema}) == 400
    assert told(running) == []
