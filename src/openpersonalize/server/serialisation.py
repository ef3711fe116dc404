"""From an operation's answer to the JSON that AWS would send: one writer a shape, compiled once.

Members come in the order of the shape, whatever the order of the answer: a client takes the first key that
ends in ``Arn``. Members that the shape lacks, and members without a value, are left out. Timestamps are epoch
seconds with a fraction of milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

import msgspec
from botocore.model import ListShape, MapShape, Shape, StructureShape

Writer: TypeAlias = Callable[[Any], Any]

_encode = msgspec.json.Encoder().encode


def compile_writer(shape: StructureShape | None) -> Callable[[Mapping[str, Any] | bytes | None], bytes]:
    """A function from an answer to the body for an operation whose output is `shape`.

    An answer that is bytes already is JSON of the right shape and passes as it is. Without an output shape
    the body is empty. The function raises ValueError for a number that JSON cannot hold.
    """
    if shape is None:
        return lambda answer: b""
    write = _structure(shape)

    def write_answer(answer: Mapping[str, Any] | bytes | None) -> bytes:
        return answer if isinstance(answer, bytes) else _encode(write(answer or {}))

    return write_answer


def _writer(shape: Shape) -> Writer:
    return _WRITERS[shape.type_name](shape)


def _structure(shape: StructureShape) -> Writer:
    members = tuple((name, _writer(member)) for name, member in shape.members.items())

    def write(value: Any) -> Any:
        out = {}
        given = value.get
        for name, write_member in members:
            member = given(name)
            if member is not None:
                out[name] = write_member(member)
        return out

    return write


def _list(shape: ListShape) -> Writer:
    write_member = _writer(shape.member)
    return lambda value: [write_member(member) for member in value if member is not None]


def _map(shape: MapShape) -> Writer:
    write_value = _writer(shape.value)
    return lambda value: {
        str(key): write_value(member) for key, member in value.items() if member is not None
    }


def _string(shape: Shape) -> Writer:
    return lambda value: value if type(value) is str else str(value)


def _number(shape: Shape) -> Writer:
    name = shape.name

    def write(value: Any) -> Any:
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(f"an answer holds {number} as {name}, which JSON cannot express")
        return number

    return write


def _timestamp(shape: Shape) -> Writer:
    def write(value: Any) -> Any:
        return round(value.timestamp() if isinstance(value, datetime) else float(value), 3)

    return write


_WRITERS: dict[str, Callable[[Any], Writer]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "integer": lambda shape: int,
    "double": _number,
    "float": _number,
    "boolean": lambda shape: bool,
    "timestamp": _timestamp,
}
