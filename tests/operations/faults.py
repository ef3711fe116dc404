"""Bad requests, made from the published shapes and from a good request of the operation."""

from __future__ import annotations

import copy
import http.client
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from live import Server
from server.samples import plain, sample
from shapes import error_violations, model

from .world import SERVICE_OF, World

LONG = 10_000
SHOWN = 25
"""How many wrong answers a failure shows."""
TROUBLE = ("Traceback", "unexpectedly")
"""What the log says of an error that nobody raised on purpose."""
ODD = (
    "\x00",
    "a\x00b",
    "\u202eabc",
    "\ufffe",
    "../../etc/passwd",
    "%00%s{0}",
    "x" * LONG,
    "\U0001f600" * LONG,
)
"""Strings that are valid JSON and that nobody expects."""
WRONG: dict[str, tuple[Any, ...]] = {
    "structure": ("text", [], 1),
    "list": ("text", {}, 1),
    "map": ("text", [], 1),
    "string": (5, [], {}, True),
    "integer": ("5", 1.5, True, [], 2**31),
    "double": ("0.5", True, {}),
    "float": ("0.5", True, {}),
    "boolean": (1, "true", []),
    "timestamp": ("yesterday", True, []),
}
"""Values of other JSON types than the shape's."""
ELSEWHERE = {
    "unknown ARN": lambda arn: f"{arn}-unknown",
    "another account": lambda arn: arn.replace(":000000000000:", ":111111111111:"),
    "another region": lambda arn: (
        arn.replace(arn.split(":")[3], "eu-nowhere-9", 1) if arn.split(":")[3] else arn
    ),
}


@dataclass(frozen=True)
class Fault:
    """One bad request.

    Attributes:
        operation: whose request. what: what is wrong with it, and where.
        body: the bytes to send.
        codes: the codes of errors that are right; with "" among them, an answer is right as well.
    """

    operation: str
    what: str
    body: bytes
    codes: frozenset[str]


class Wire:
    """Unsigned requests over one connection, as fast as they go."""

    def __init__(self, server: Server, region: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        scope = f"Credential=x/20260101/{region}/personalize/aws4_request"
        self.headers = {"Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"}

    def wrong(self, fault: Fault) -> str | None:
        """What is wrong with the answer to a bad request."""
        service = model(SERVICE_OF[fault.operation])
        path = service.operation_model(fault.operation).http["requestUri"]
        headers = {**self.headers, "X-Amz-Target": f"AmazonPersonalize.{fault.operation}"}
        self.connection.request("POST", path, fault.body, headers)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status == 200:
            return None if "" in fault.codes else f"answered {body[:80]!r}"
        code = json.loads(body)["__type"]
        found = error_violations({name.lower(): value for name, value in answer.getheaders()}, body)
        if not 400 <= answer.status < 500 or code not in fault.codes or found:
            return f"{answer.status} {body[:160]!r} {found}, not {sorted(fault.codes)}"
        return None


def send(server: Server, region: str, faults: Iterable[Fault]) -> int:
    """Send bad requests and see the right errors; how many there were."""
    wire, wrong, count, logged = Wire(server, region), [], 0, len(server.log.read_text())
    for fault in faults:
        count += 1
        if (problem := wire.wrong(fault)) is not None:
            wrong.append(f"{fault.operation}, {fault.what}: {problem}")
    wire.connection.close()
    assert not wrong, "\n".join([f"{len(wrong)} of {count}", *wrong[:SHOWN]])
    news = server.log.read_text()[logged:]
    assert not any(word in news for word in TROUBLE), news[-4000:]
    return count


def listed(operation: str) -> frozenset[str]:
    """The codes that the published model names for an operation."""
    shapes = model(SERVICE_OF[operation]).operation_model(operation).error_shapes
    return frozenset(shape.name for shape in shapes)


def input_shape(operation: str) -> Any:
    return model(SERVICE_OF[operation]).operation_model(operation).input_shape


def broken_types(operation: str) -> Iterator[Fault]:
    """Every member with a value of every other JSON type."""
    request = plain(sample(input_shape(operation)))
    for path, shape in _members(input_shape(operation), request):
        wrong = WRONG[shape.type_name]
        if shape.serialization.get("jsonvalue"):
            wrong = tuple(value for value in wrong if value != {})
        for value in wrong:
            yield _changed(operation, request, path, value, "SerializationException")
        if shape.type_name == "string":
            yield _changed(operation, request, path, _SURROGATE, "SerializationException")


def broken_limits(operation: str) -> Iterator[Fault]:
    """Every member missing, null, too short, too long, out of its pattern, its values or its range."""
    request = plain(sample(input_shape(operation)))
    for path, shape in _members(input_shape(operation), request):
        for value in _beyond(shape, _at(request, path)):
            yield _changed(operation, request, path, value, "InvalidInputException")
        if shape.type_name == "structure":
            for member in shape.required_members:
                for value in (None, _GONE):
                    yield _changed(operation, request, [*path, member], value, "InvalidInputException")
    for member in input_shape(operation).required_members:
        for value in (None, _GONE):
            yield _changed(operation, request, [member], value, "InvalidInputException")


def arns_of_others(operation: str, world: World, request: dict[str, Any]) -> Iterator[Fault]:
    """Every ARN of a resource as one that does not exist here."""
    for path, shape in _members(input_shape(operation), request):
        value = _at(request, path)
        if shape.type_name != "string" or not isinstance(value, str) or ":personalize:" not in value:
            continue
        for what, change in ELSEWHERE.items():
            if (other := change(value)) != value:
                yield _changed(operation, request, path, other, _of_nothing(operation, what), what)
        kind = "schemaArn" if path[-1] != "schemaArn" else "filterArn"
        codes = _of_nothing(operation, "another kind")
        yield _changed(operation, request, path, world.arns[kind], codes, "another kind")


def odd_strings(operation: str, request: dict[str, Any]) -> Iterator[Fault]:
    """Every string of a good request as one that nobody expects; some of them are allowed."""
    codes = listed(operation) | {"InvalidInputException", ""}
    for path, shape in _members(input_shape(operation), request):
        if shape.type_name == "string":
            for value in ODD:
                yield _changed(operation, request, path, value, codes)


def unknown_members(operation: str, request: dict[str, Any]) -> Iterator[Fault]:
    """Members that no shape has are passed over: the request is what it was without them."""
    more = {**request, "colour": {"a": [1, None]}, "\x00": None}
    yield Fault(operation, "unknown member", json.dumps(more).encode(), listed(operation) | {""})


def _of_nothing(operation: str, what: str) -> str | frozenset[str]:
    """What control-plane.md 2.4 and 4.1 say of ARNs that name nothing here."""
    if operation == "ListMetricAttributionMetrics":
        return "InvalidInputException"
    if operation.startswith("List") and operation != "ListTagsForResource":
        if what == "another kind":
            return "InvalidInputException"
        return "ResourceNotFoundException" if operation == "ListSolutionVersions" else ""
    if what == "another kind":  # the resource exists, and may be named: schemas cannot have tags, say
        return listed(operation) - {"ResourceAlreadyExistsException"}
    return "ResourceNotFoundException"


_GONE = object()
_SURROGATE = object()


def _members(shape: Any, value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[list[Any], Any]]:
    """(path, shape) of everything below a structure's value, the structure itself left out."""
    if shape.type_name == "structure":
        inner = [(name, shape.members[name], member) for name, member in value.items()]
    elif shape.type_name == "list":
        inner = [(0, shape.member, value[0])] if value else []
    elif shape.type_name == "map":
        inner = [(key, shape.value, member) for key, member in list(value.items())[:1]]
    else:
        return
    for name, member_shape, member in inner:
        yield [*path, name], member_shape
        yield from _members(member_shape, member, (*path, name))


def _beyond(shape: Any, value: Any) -> Iterator[Any]:
    """Values of the right type that the shape's limits exclude."""
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if shape.type_name == "string":
        if low:
            yield "a" * (low - 1)
        if high is not None:
            yield "a" * (high + 1)
        if shape.metadata.get("pattern"):
            yield "\x00é"
        if shape.enum:
            yield "Whatever"
    elif shape.type_name == "list":
        if low:
            yield [value[0]] * (low - 1)
        if high is not None:
            yield [value[0]] * (high + 1)
        yield [None]
    elif shape.type_name == "map":
        if high is not None:
            (key, member), *_ = value.items()
            if not getattr(shape.key, "enum", None):
                yield {f"{key}{number}": member for number in range(high + 1)}
    elif shape.type_name in ("integer", "float", "double"):
        if low is not None:
            yield low - 1
        if high is not None:
            yield high + 1
    elif shape.type_name == "timestamp":
        yield from (-1, 1_700_000_000_000)


def _at(value: Any, path: list[Any]) -> Any:
    for name in path:
        value = value[name]
    return value


def _changed(
    operation: str, request: dict[str, Any], path: list[Any], value: Any, codes: Any, what: str = ""
) -> Fault:
    changed = copy.deepcopy(request)
    inner = _at(changed, path[:-1])
    if value is _GONE:
        del inner[path[-1]]
    else:
        inner[path[-1]] = "SURROGATE" if value is _SURROGATE else value
    body = json.dumps(changed)
    shown = "absent" if value is _GONE else "a lone surrogate" if value is _SURROGATE else ascii(value)[:60]
    if value is _SURROGATE:
        body = body.replace("SURROGATE", "\\ud800")
    label = f"{'.'.join(map(str, path))} is {what or shown}"
    return Fault(operation, label, body.encode(), frozenset({codes}) if isinstance(codes, str) else codes)
