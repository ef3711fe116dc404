"""Cross-origin resource sharing, `Origins`: which web pages may call from a browser (the Fetch standard).

The setting `allowed_origins` names them; without it no page may. A page still needs a key where keys exist:
give it one that may do little, such as an ``events`` key bound to a tracker.
"""

from __future__ import annotations

import re

from .exchange import Exchange

Headers = tuple[tuple[bytes, bytes], ...]

_METHODS = b"GET, HEAD, PUT, POST, DELETE"
_NAMES = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,4096}")
_REMEMBERED_SECONDS = b"3600"
_EXPOSED = (
    b"x-amzn-requestid, x-amzn-errortype, x-amz-request-id, x-amz-bucket-region, etag, last-modified, "
    b"content-range, accept-ranges, x-amz-checksum-crc32, x-amz-checksum-crc32c, x-amz-checksum-crc64nvme, "
    b"x-amz-checksum-sha1, x-amz-checksum-sha256, x-amz-checksum-type, date"
)


class Origins:
    """The allowed origins."""

    def __init__(self, setting: str) -> None:
        """Args:
        setting: origins with commas between, ``*`` for all, "" for none.
        """
        self._origins = frozenset(text.strip().encode() for text in setting.split(",") if text.strip())
        self._all = b"*" in self._origins

    def allows(self, origin: bytes) -> bool:
        """Whether pages of this origin may call."""
        return self._all or origin in self._origins

    def headers(self, exchange: Exchange) -> Headers:
        """What tells the browser that a request's page may read its answer; () where it may not."""
        if not self._origins:
            return ()
        origin = exchange.headers.get(b"origin")
        if origin is None or not self.allows(origin):
            return ((b"vary", b"origin"),)
        return (
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _EXPOSED),
            (b"vary", b"origin"),
        )

    def preflight(self, exchange: Exchange) -> Headers | None:
        """The headers that let a browser send what it asks for first; None where the request is no such
        question, or its page may not call."""
        headers = exchange.headers
        if exchange.method != "OPTIONS" or b"access-control-request-method" not in headers:
            return None
        if not self.allows(headers.get(b"origin", b"")):
            return None
        found: Headers = (
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-max-age", _REMEMBERED_SECONDS),
        )
        names = headers.get(b"access-control-request-headers", b"")
        if _NAMES.fullmatch(names):
            found += ((b"access-control-allow-headers", names),)
        if headers.get(b"access-control-request-private-network") == b"true":
            found += ((b"access-control-allow-private-network", b"true"),)
        return found
