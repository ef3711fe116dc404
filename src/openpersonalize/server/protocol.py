"""The wire protocols of the three services, driven by botocore's published service models.

``personalize`` speaks AWS JSON 1.1 (``POST /``, the operation in ``X-Amz-Target``); ``personalize-runtime``
and
``personalize-events`` speak REST-JSON (the operation in the path, every member in the body). All 79
operations are compiled when this module is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from botocore.loaders import Loader
from botocore.model import ServiceModel

from ..errors import MalformedRequest, ServiceError
from .serialisation import compile_writer
from .validation import compile_reader

SERVICES = ("personalize", "personalize-runtime", "personalize-events")
JSON_1_1 = b"application/x-amz-json-1.1"
REST_JSON = b"application/json"

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: how its requests are read and its answers written.

    Attributes:
        name: e.g. ``CreateCampaign``.
        service: one of `SERVICES`.
        path: the path it is posted to.
        content_type: of its answers.
    """

    name: str
    service: str
    path: str
    content_type: bytes
    _read: Callable[[Any], dict[str, Any]]
    _write: Callable[[Mapping[str, Any] | bytes | None], bytes]

    @property
    def rest(self) -> bool:
        """Whether it speaks REST-JSON, which has its own status codes for some errors."""
        return self.content_type is REST_JSON

    def parse(self, body: bytes) -> dict[str, Any]:
        """The checked request in `body`; an empty body is an empty object.

        Raises:
            MalformedRequest: not JSON, not an object, or a member of the wrong JSON type.
            InvalidInput: members break the model's constraints; all of them are in the message.
        """
        return self._read(decode(body) if body else {})

    def serialise(self, answer: Mapping[str, Any] | bytes | None) -> bytes:
        """The body of the response for an answer; bytes are taken as finished JSON."""
        return self._write(answer)


def decode(body: bytes) -> Any:
    """The value of a JSON document.

    Raises:
        MalformedRequest: `body` is no JSON in UTF-8, or nested too deeply.
    """
    try:
        return _decode(body)
    except UnicodeDecodeError:
        raise MalformedRequest("The request body is not UTF-8.") from None
    except (ValueError, RecursionError) as error:
        raise MalformedRequest(f"The request body is not valid JSON: {error}.") from None


def error_body(error: ServiceError) -> bytes:
    """The JSON body of an error, the same in all three services. Half a surrogate pair, which a message may
    quote from the request and no encoding can hold, becomes a question mark."""
    message = error.message.encode("utf-8", "replace").decode()
    return _encode({"__type": error.code, "message": message})


def _operations(loader: Loader, service: str) -> list[Operation]:
    model = ServiceModel(loader.load_service_model(service, "service-2"), service)
    rest = model.metadata["protocol"] == "rest-json"
    found = []
    for name in model.operation_names:
        operation = model.operation_model(name)
        found.append(
            Operation(
                name=name,
                service=service,
                path=operation.http["requestUri"],
                content_type=REST_JSON if rest else JSON_1_1,
                _read=compile_reader(operation.input_shape),
                _write=compile_writer(operation.output_shape),
            )
        )
    return found


_loader = Loader()
OPERATIONS: dict[str, Operation] = {
    operation.name: operation for service in SERVICES for operation in _operations(_loader, service)
}
"""All operations by name."""

BY_TARGET: dict[bytes, Operation] = {
    f"AmazonPersonalize.{operation.name}".encode(): operation
    for operation in OPERATIONS.values()
    if not operation.rest
}
"""Control plane operations by the value of ``X-Amz-Target``."""

BY_PATH: dict[str, Operation] = {
    operation.path: operation for operation in OPERATIONS.values() if operation.rest
}
"""Runtime and events operations by their path."""
