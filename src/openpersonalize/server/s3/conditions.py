"""Conditions and ranges of requests for objects: ``If-Match`` and its kin (RFC 9110), ``Range``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

from .bucket_folder import Stored
from .faults import Fault, no_such_key

_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")
_FAILED = "At least one of the preconditions you specified did not hold."


def check_reading(headers: Mapping[str, str], stored: Stored, prefix: str = "") -> None:
    """Return when an object may be sent under the request's conditions.

    Args:
        prefix: of the headers' names: ``x-amz-copy-source-`` for the source of a copy.

    Raises:
        Fault: PreconditionFailed, NotModified.
    """
    second = int(stored.modified)
    match = headers.get(f"{prefix}if-match")
    if match is not None:
        if not _names(match, stored.etag):
            raise Fault("PreconditionFailed", _FAILED)
    elif (since := _date(headers.get(f"{prefix}if-unmodified-since"))) is not None and second > since:
        raise Fault("PreconditionFailed", _FAILED)
    unchanged = "PreconditionFailed" if prefix else "NotModified"
    none_match = headers.get(f"{prefix}if-none-match")
    if none_match is not None:
        if _names(none_match, stored.etag):
            raise Fault(unchanged, _FAILED)
    elif (since := _date(headers.get(f"{prefix}if-modified-since"))) is not None and second <= since:
        raise Fault(unchanged, _FAILED)


def writing_condition(headers: Mapping[str, str]) -> Callable[[Stored | None], None]:
    """What raises when an object must not be replaced under the request's conditions.

    Raises:
        Fault: If-None-Match with anything but "*".
    """
    match, none_match = headers.get("if-match"), headers.get("if-none-match")
    if none_match not in (None, "*"):
        raise Fault("NotImplemented", 'If-None-Match takes "*" only where something is written.')

    def check(found: Stored | None) -> None:
        if none_match and found is not None:
            raise Fault("PreconditionFailed", _FAILED)
        if match is not None:
            if found is None:
                raise no_such_key()
            if not _names(match, found.etag):
                raise Fault("PreconditionFailed", _FAILED)

    return check


def read_range(text: str | None, size: int) -> tuple[int, int] | None:
    """(first, last) byte of a Range header; None: the whole object, also for what S3 does not know, such as
    several ranges.

    Raises:
        Fault: InvalidRange: nothing of it is in the object.
    """
    match = _RANGE.fullmatch(text.strip()) if text else None
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        first, last = max(0, size - int(match[2])), size - 1
    else:
        first, last = int(match[1]), min(size - 1, int(match[2])) if match[2] else size - 1
        if match[2] and int(match[2]) < first:
            return None
    if first > last:
        raise Fault("InvalidRange", "The requested range is not satisfiable.")
    return first, last


def _names(header: str, etag: str) -> bool:
    return any(name.strip().removeprefix("W/").strip('"') in (etag, "*") for name in header[:4096].split(","))


def _date(text: str | None) -> float | None:
    if not text or len(text) > 64:
        return None
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
