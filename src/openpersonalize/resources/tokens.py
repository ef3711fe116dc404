"""The tokens of listings: where a page ended, sealed to the operation and filter that it belongs to."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from ..errors import InvalidNextToken

_SEAL = 12
_LONGEST = 1500


def encode(operation: str, filter: Any, position: Sequence[Any]) -> str:
    """A URL-safe ASCII token of at most 1,500 characters.

    Args:
        operation: the listing operation, e.g. "ListFilters".
        filter: what narrows the listing, as JSON values (None, an ARN, a list of members ...).
        position: what the next page starts after, as JSON values, e.g. ``[created_at, arn]``.
    """
    body = json.dumps([_digest([operation, filter]), list(position)], separators=(",", ":")).encode()
    token = base64.urlsafe_b64encode(_seal(body) + body).decode().rstrip("=")
    if len(token) > _LONGEST:
        raise ValueError(f"a position of {len(body)} bytes does not fit into a token")
    return token


def decode(token: str, operation: str, filter: Any) -> list[Any]:
    """The position that `encode` put into `token`.

    Raises:
        InvalidNextToken: it was not made here, or for another operation or filter.
    """
    try:
        raw = base64.b64decode(
            token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True
        )
    except (UnicodeEncodeError, binascii.Error) as error:
        raise InvalidNextToken() from error
    seal, body = raw[:_SEAL], raw[_SEAL:]
    canonical = base64.urlsafe_b64encode(raw).decode().rstrip("=") == token
    if not (body and canonical and seal == _seal(body)):
        raise InvalidNextToken()
    digest, position = json.loads(body)
    if digest != _digest([operation, filter]):
        raise InvalidNextToken()
    return list(position)


def _seal(body: bytes) -> bytes:
    """A checksum against damage and guessing; a position is no secret, and a forged one shows nothing new."""
    return hashlib.blake2b(body, digest_size=_SEAL, person=b"nextToken").digest()


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=_SEAL).hexdigest()
