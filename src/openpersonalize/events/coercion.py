"""One property value as a column takes it, or why it cannot."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

from ..datasets.schemas import FLOAT_LIMIT, MAX_TIMESTAMP, TIMESTAMP_FIELDS, Field
from ..datasets.values import BLANKS, TEXT_LENGTH, cut, decimal, whole

Cell: TypeAlias = str | int | float | bool | None

LENGTH = (
    "Length cannot be more than {limit} characters for {column}. If no values exceed the character limit,"
    " make sure your data follows the formatting guidelines listed in"
    " https://docs.aws.amazon.com/personalize/latest/dg/data-prep-formatting.html."
)


class UnfitError(ValueError):
    """A value does not fit; the message says why, or is empty for an ordinary wrong type."""


def coerce(value: Any, field: Field) -> Cell:
    """`value`, as JSON gave it, in the type of `field`; null and the empty string become None.

    A JSON object arrives here as a tuple (see `properties.parse`), which fits nowhere.

    Raises:
        UnfitError: the wrong type, out of range, or too long.
    """
    if value is None or value == "":
        return None
    if field.is_number and isinstance(value, str):
        value = value.strip(BLANKS)
    return _COERCIONS[field.type](value, field)


def wanted(field: Field) -> str:
    """What a value of a field must be, in words."""
    return "a time in seconds since 1970" if field.name in TIMESTAMP_FIELDS else _WANTED[field.type]


def to_text(value: Any) -> str:
    """A string as it is, a number in its shortest form, a boolean in lower case, a list joined with ``|``."""
    if isinstance(value, str):
        if not value.isascii():
            _check_storable(value)
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        _check_finite(value)
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return "|".join(map(to_text, value))
    raise UnfitError


def to_number(value: Any) -> float:
    """A number, or a string that is written like one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise UnfitError
    try:
        number = decimal(value) if isinstance(value, str) else float(value)
    except OverflowError:
        raise UnfitError from None
    if number is None:
        raise UnfitError
    _check_finite(number)
    return number


def _text(value: Any, field: Field) -> str | None:
    text = to_text(value)
    if field.textual:
        return cut(text)
    if len(text) > TEXT_LENGTH:
        raise UnfitError(LENGTH.format(limit=TEXT_LENGTH, column=field.name))
    return text or None


def to_float(value: Any) -> float:
    """A number of 32 bits, or a string that is written like one; as precise as it came."""
    number = to_number(value)
    if abs(number) >= FLOAT_LIMIT:
        raise UnfitError
    return number


def _float(value: Any, field: Field) -> float:
    return to_float(value)


def _double(value: Any, field: Field) -> float:
    return to_number(value)


def _integer(value: Any, field: Field) -> int:
    number = _whole(value)
    if field.name in TIMESTAMP_FIELDS:
        low, high = 0, MAX_TIMESTAMP
    else:
        bits = 31 if field.type == "int" else 63
        low, high = -(1 << bits), (1 << bits) - 1
    if not low <= number <= high:
        raise UnfitError
    return number


def _whole(value: Any) -> int:
    if isinstance(value, bool):
        raise UnfitError
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    number = whole(value) if isinstance(value, str) else None
    if number is None:
        raise UnfitError
    return number


def _boolean(value: Any, field: Field) -> bool:
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.lower())
    if not isinstance(value, bool):
        raise UnfitError
    return value


_COERCIONS: dict[str, Callable[[Any, Field], Cell]] = {
    "string": _text,
    "int": _integer,
    "long": _integer,
    "float": _float,
    "double": _double,
    "boolean": _boolean,
}


_WANTED = {
    "string": "text",
    "int": "a whole number of 32 bits",
    "long": "a whole number",
    "float": "a number of 32 bits",
    "double": "a number",
    "boolean": "true or false",
}


def _check_finite(number: float) -> None:
    if not math.isfinite(number):
        raise UnfitError


def _check_storable(text: str) -> None:
    """A JSON escape can make half a surrogate pair, which is no text in any encoding."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UnfitError from None
