"""From a decoded JSON body to a checked request: one reader a shape, compiled once from the service model.

A reader is a closure over the limits of its shape. It returns the value as the operation will see it, adds
what breaks a constraint to a list (so that the caller hears of everything at once), and raises
MalformedRequest where the JSON type itself is wrong, because nothing below that point can be judged.

Beyond the model: ``null`` is an absent member; unknown members are dropped; a number may be written with a
zero fraction where an integer is wanted; a `properties` member (a string that holds JSON) may be sent as the
object itself and is then turned into the string, whose length counts; timestamps may be numbers of seconds,
numeric strings or ISO 8601 texts (UTC where no zone is given) and reach the operation as numbers of seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

import msgspec
from botocore.model import ListShape, MapShape, Shape, StructureShape

from ..errors import InvalidInput, MalformedRequest
from .patterns import LONGEST_MATCHED, matches

Where: TypeAlias = "tuple[Where, str] | None"
"""The path to a value, innermost name first; a text only when a violation needs it."""
Reader: TypeAlias = Callable[[Any, Where, list[str]], Any]

LATEST_TIMESTAMP = 4102444800
"""2100-01-01, the latest instant accepted: what lies beyond are milliseconds taken for seconds."""

_SHOWN = 256
_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1
_JSON = msgspec.json.Encoder()


def compile_reader(shape: StructureShape) -> Callable[[Any], dict[str, Any]]:
    """A function from a decoded body to the request of an operation whose input is `shape`.

    The function raises:
        MalformedRequest: the body or a member has the wrong JSON type.
        InvalidInput: constraints are broken; the message lists every one of them.
    """
    read = _structure(shape)

    def read_request(document: Any) -> dict[str, Any]:
        problems: list[str] = []
        if type(document) is not dict:
            raise MalformedRequest(f"The request body must be a JSON object, not {_json_type(document)}.")
        request: dict[str, Any] = read(document, None, problems)
        if problems:
            raise InvalidInput(violations_text(problems))
        return request

    return read_request


def violations_text(problems: list[str]) -> str:
    """One message for all violations, in AWS's words."""
    count = len(problems)
    return f"{count} validation error{'s' if count > 1 else ''} detected: {'; '.join(problems)}"


def violation(value: Any, where: Where, constraint: str) -> str:
    """The text of one violation, in AWS's words; long values are cut."""
    return f"Value '{_shown(value)}' at '{_path(where)}' failed to satisfy constraint: {constraint}"


def _missing(where: Where, problems: list[str]) -> None:
    problems.append(violation(None, where, "Member must not be null"))


def _path(where: Where) -> str:
    names: list[str] = []
    while where is not None:
        where, name = where
        names.append(name if len(name) <= _SHOWN else name[:_SHOWN] + "...")
    return ".".join(reversed(names))


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    text = value if isinstance(value, str) else _JSON.encode(value).decode()
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _json_type(value: Any) -> str:
    if value is None:
        return "null"
    names: dict[type, str] = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "a list",
    }
    return names.get(type(value), "an object")


def _wrong_type(where: Where, wanted: str, value: Any) -> MalformedRequest:
    return MalformedRequest(f"The member '{_path(where)}' must be {wanted}, not {_json_type(value)}.")


# ------------------------------------------------------------------------------------------ shapes


def _reader(shape: Shape) -> Reader:
    return _READERS[shape.type_name](shape)


def _structure(shape: StructureShape) -> Reader:
    readers = {
        name: _json_value(member) if member.serialization.get("jsonvalue") else _reader(member)
        for name, member in shape.members.items()
    }
    reader_of = readers.get
    required = tuple(shape.required_members)

    def read(value: Any, where: Where, problems: list[str]) -> Any:
        if type(value) is not dict:
            raise _wrong_type(where, "an object", value)
        out = {}
        for name, member in value.items():
            if member is not None:
                member_reader = reader_of(name)
                if member_reader is not None:
                    out[name] = member_reader(member, (where, name), problems)
        for name in required:
            if name not in out:
                _missing((where, name), problems)
        return out

    return read


def _list(shape: ListShape) -> Reader:
    read_member = _reader(shape.member)
    check_size = _size_check(shape)

    def read(value: Any, where: Where, problems: list[str]) -> Any:
        if type(value) is not list:
            raise _wrong_type(where, "a list", value)
        if not check_size(value, where, problems):
            return []
        out = []
        for number, member in enumerate(value, 1):
            inner = ((where, str(number)), "member")
            if member is None:
                _missing(inner, problems)
            else:
                out.append(read_member(member, inner, problems))
        return out

    return read


def _map(shape: MapShape) -> Reader:
    read_key, read_value = _reader(shape.key), _reader(shape.value)
    check_size = _size_check(shape)

    def read(value: Any, where: Where, problems: list[str]) -> Any:
        if type(value) is not dict:
            raise _wrong_type(where, "an object", value)
        if not check_size(value, where, problems):
            return {}
        out = {}
        for key, member in value.items():
            if member is not None:
                entry = (where, key)
                read_key(key, (entry, "key"), problems)
                out[key] = read_value(member, (entry, "member"), problems)
        return out

    return read


def _string(shape: Shape) -> Reader:
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max", math.inf)
    pattern = shape.metadata.get("pattern")
    longest = min(high, LONGEST_MATCHED)  # the length of a longer value is what is wrong with it
    allowed = frozenset(shape.metadata.get("enum", ()))
    listed = ", ".join(shape.metadata.get("enum", ()))

    def read(value: Any, where: Where, problems: list[str]) -> Any:
        if type(value) is not str:
            raise _wrong_type(where, "a string", value)
        length = len(value)
        if length > high:
            problems.append(violation(value, where, f"Member must have length less than or equal to {high}"))
        elif length < low:
            problems.append(
                violation(value, where, f"Member must have length greater than or equal to {low}")
            )
        if pattern and length <= longest and not matches(pattern, value):
            problems.append(
                violation(value, where, f"Member must satisfy regular expression pattern: {pattern}")
            )
        if allowed and value not in allowed:
            problems.append(violation(value, where, f"Member must satisfy enum value set: [{listed}]"))
        return value

    return read


def _json_value(shape: Shape) -> Reader:
    read_string = _string(shape)

    def read(value: Any, where: Where, problems: list[str]) -> Any:
        if type(value) is dict:
            value = _JSON.encode(value).decode()
        elif type(value) is not str:
            raise _wrong_type(where, "a string that holds a JSON object", value)
        return read_string(value, where, problems)

    return read


def _integer(shape: Shape) -> Reader:
    check_range = _range_check(shape)

    def read(value: Any, where: Where, problems: list[str]) -> Any:
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int:
            raise _wrong_type(where, "an integer", value)
        if not _INT_MIN <= value <= _INT_MAX:
            raise MalformedRequest(f"The member '{_path(where)}' is no integer of 32 bits.")
        check_range(value, where, problems)
        return value

    return read


def _number(shape: Shape) -> Reader:
    check_range = _range_check(shape)

    def read(value: Any, where: Where, problems: list[str]) -> Any:
        if type(value) is not float and type(value) is not int:
            raise _wrong_type(where, "a number", value)
        try:
            value = float(value)
        except OverflowError:
            raise MalformedRequest(f"The member '{_path(where)}' is too large a number.") from None
        check_range(value, where, problems)
        return value

    return read


def _boolean(shape: Shape) -> Reader:
    def read(value: Any, where: Where, problems: list[str]) -> Any:
        if type(value) is not bool:
            raise _wrong_type(where, "a boolean", value)
        return value

    return read


def _timestamp(shape: Shape) -> Reader:
    def read(value: Any, where: Where, problems: list[str]) -> Any:
        seconds = _seconds(value)
        if seconds is None:
            raise _wrong_type(where, "a timestamp (seconds since 1970, or ISO 8601)", value)
        if seconds < 0:
            problems.append(violation(value, where, "Member must have value greater than or equal to 0"))
        elif seconds > LATEST_TIMESTAMP:
            problems.append(
                violation(value, where, f"Member must have value less than or equal to {LATEST_TIMESTAMP}")
            )
        return seconds

    return read


def _seconds(value: Any) -> int | float | None:
    """The instant as seconds since 1970, or None where `value` is no instant."""
    if type(value) is int or type(value) is float:
        return value
    if type(value) is not str or len(value) > 64 or not value.isascii():
        return None
    try:
        number = float(value)
    except ValueError:
        pass
    else:
        if not math.isfinite(number):
            return None
        return int(number) if number.is_integer() else number
    try:
        instant = datetime.fromisoformat(value.strip())
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


_READERS: dict[str, Callable[[Any], Reader]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "integer": _integer,
    "double": _number,
    "float": _number,
    "boolean": _boolean,
    "timestamp": _timestamp,
}


# ------------------------------------------------------------------------------------------ limits

Check: TypeAlias = Callable[[Any, Where, list[str]], bool]


def _size_check(shape: Shape) -> Check:
    """Whether a list or map is not too long; the entries of one that is are not looked at."""
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max", math.inf)

    def check(value: Any, where: Where, problems: list[str]) -> bool:
        if len(value) > high:
            problems.append(violation(value, where, f"Member must have length less than or equal to {high}"))
            return False
        if len(value) < low:
            problems.append(
                violation(value, where, f"Member must have length greater than or equal to {low}")
            )
        return True

    return check


def _range_check(shape: Shape) -> Check:
    low, high = shape.metadata.get("min", -math.inf), shape.metadata.get("max", math.inf)

    def check(value: Any, where: Where, problems: list[str]) -> bool:
        if value > high:
            problems.append(violation(value, where, f"Member must have value less than or equal to {high}"))
        elif value < low:
            problems.append(violation(value, where, f"Member must have value greater than or equal to {low}"))
        return True

    return check
