"""Signed HTTP requests as bytes, made ahead of a measurement so that signing is not in it.

Signature version 4 as AWS publishes it; the key of the day is derived once, so that thousands of requests are
signed in a second.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

SIGNED = "content-type;host;x-amz-content-sha256;x-amz-date"


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class Signer:
    """Signs for one key, region and host. A signature is good for fifteen minutes."""

    def __init__(self, key_id: str, secret: str, region: str, host: str) -> None:
        """Sign as `key_id` for the server at `host` (name:port, as in the Host header)."""
        now = datetime.now(UTC)
        self._stamp = now.strftime("%Y%m%dT%H%M%SZ")
        self._scope = f"{now:%Y%m%d}/{region}/personalize/aws4_request"
        day = _mac(_mac(_mac(b"AWS4" + secret.encode(), f"{now:%Y%m%d}"), region), "personalize")
        self._key = _mac(day, "aws4_request")
        self._key_id = key_id
        self._host = host

    def request(self, path: str, body: dict[str, Any]) -> bytes:
        """A whole POST request, headers and body."""
        data = json.dumps(body).encode()
        digest = hashlib.sha256(data).hexdigest()
        headers = (
            f"content-type:application/json\nhost:{self._host}\nx-amz-content-sha256:{digest}\n"
            f"x-amz-date:{self._stamp}\n"
        )
        canonical = f"POST\n{path}\n\n{headers}\n{SIGNED}\n{digest}"
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{self._stamp}\n{self._scope}\n{hashed}"
        signature = hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()
        return (
            f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n"
            f"X-Amz-Date: {self._stamp}\r\nX-Amz-Content-Sha256: {digest}\r\n"
            f"Authorization: AWS4-HMAC-SHA256 Credential={self._key_id}/{self._scope}, "
            f"SignedHeaders={SIGNED}, Signature={signature}\r\n"
            f"Content-Length: {len(data)}\r\n\r\n"
        ).encode() + data

    def requests(self, path: str, bodies: Iterable[dict[str, Any]]) -> list[bytes]:
        """A request for each body."""
        return [self.request(path, body) for body in bodies]
