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
_LARGEST = 1e12


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


def decode(token: str, operation: str, filter: Any, *, form: tuple[type, ...] = (float, str)) -> list[Any]:
    """The position that `encode` put into `token`.

    The seal holds no secret, so a forged token can bear any body: it has to be of the right form.

    Args:
        token: as the caller sent it.
        operation, filter: as for `encode`.
        form: the types of the position's values: float (any number), int or str.

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
    try:
        digest, position = json.loads(body)
        if len(position) != len(form):
            raise InvalidNextToken()
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidNextToken() from error
    well_formed = all(_is_of(value, kind) for value, kind in zip(position, form, strict=True))
    if digest != _digest([operation, filter]) or type(position) is not list or not well_formed:
        raise InvalidNextToken()
    return position


def _is_of(value: Any, kind: type) -> bool:
    """Whether a value of a position is of a type, and a number no larger than any that we make."""
    if kind is str:
        return type(value) is str and value.isascii()
    if type(value) is int or (type(value) is float and kind is float):
        return 0 <= value < _LARGEST
    return False


def _seal(body: bytes) -> bytes:
    """A checksum against damage and guessing; a position is no secret, and a forged one shows nothing new."""
    return hashlib.blake2b(body, digest_size=_SEAL, person=b"nextToken").digest()


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=_SEAL).hexdigest()
