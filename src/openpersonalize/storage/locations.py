"""Locations as callers write them, ``s3://bucket/key`` or S3's web address of the same object, and what must
hold before one is used."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

from ..errors import InvalidInput

_BUCKET = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9])?")
LONGEST_KEY = 1024
_WEB_HOST = re.compile(
    r"(?:(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]{0,253})\.)?"
    r"s3(?:[.-](?:dualstack\.)?[a-z]{2}(?:-[a-z]+){1,3}-[0-9])?\.amazonaws\.com(?:\.cn)?"
)
"""Host names of S3: ``BUCKET.s3.REGION.amazonaws.com``, ``s3.REGION.amazonaws.com``, and both with a dash or
without the region."""


class Location(NamedTuple):
    """A place in a bucket; `key` is empty for the whole bucket and ends in "/" for a folder."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def parse_location(text: str) -> Location:
    """The bucket and key of ``s3://bucket/key``; the key may be missing.

    ``https://BUCKET.s3.REGION.amazonaws.com/KEY`` and ``https://s3.REGION.amazonaws.com/BUCKET/KEY``, as S3's
    console shows an object's address, are read as the ``s3://`` location that they name; nothing is fetched
    from there.

    Raises:
        InvalidInput: another scheme, no proper bucket name, a key of more than 1,024 bytes, a control
            character, or a part of the key that is "." or "..", which no file below a folder can be named.
    """
    scheme, found, rest = _without_web_address(text).partition("://")
    bucket, _, key = rest.partition("/")
    proper = (
        found
        and scheme == "s3"
        and _BUCKET.fullmatch(bucket)
        and ".." not in bucket
        and not any(part in (".", "..") for part in key.split("/"))
        and not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 for c in key)
    )
    if not proper or len(key.encode()) > LONGEST_KEY:
        raise InvalidInput("Invalid Data location.")
    return Location(bucket, key)


def check_location(text: str) -> None:
    """Raises InvalidInput unless `text` is a location that could hold data; nothing is looked up."""
    parse_location(text)


def _without_web_address(text: str) -> str:
    """The ``s3://`` location that an ``https://`` address of S3 names; any other text as it is."""
    if not text.startswith("https://") or len(text) > 4 * LONGEST_KEY or "?" in text or "#" in text:
        return text
    host, _, path = text.removeprefix("https://").partition("/")
    named = _WEB_HOST.fullmatch(host)
    if named is None:
        return text
    path = unquote(path, errors="surrogateescape")  # what is no UTF-8 is refused as half a character
    return f"s3://{named['bucket']}/{path}" if named["bucket"] else f"s3://{path}"
