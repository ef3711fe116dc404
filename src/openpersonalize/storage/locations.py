"""Locations as callers write them, ``s3://bucket/key``, and what must hold before one is used."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..errors import InvalidInput

_BUCKET = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9])?")
_LONGEST_KEY = 1024


class Location(NamedTuple):
    """A place in a bucket; `key` is empty for the whole bucket and ends in "/" for a folder."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def parse_location(text: str) -> Location:
    """The bucket and key of ``s3://bucket/key``; the key may be missing.

    Raises:
        InvalidInput: another scheme, no proper bucket name, a key of more than 1,024 bytes, a control
            character, or a part of the key that is "." or "..", which no file below a folder can be named.
    """
    scheme, found, rest = text.partition("://")
    bucket, _, key = rest.partition("/")
    proper = (
        found
        and scheme == "s3"
        and _BUCKET.fullmatch(bucket)
        and ".." not in bucket
        and not any(part in (".", "..") for part in key.split("/"))
        and not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 for c in key)
    )
    if not proper or len(key.encode()) > _LONGEST_KEY:
        raise InvalidInput("Invalid Data location.")
    return Location(bucket, key)


def check_location(text: str) -> None:
    """Raises InvalidInput unless `text` is a location that could hold data; nothing is looked up."""
    parse_location(text)
