"""Requests as bytes, for what no HTTP client would send, signed or not."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


@dataclass(frozen=True)
class Raw:
    """An answer: its status, 0 where there was none, and its body."""

    status: int
    body: bytes

    @property
    def code(self) -> str:
        """The AWS error code."""
        found = json.loads(self.body)
        return str(found.get("__type") or found.get("error", {}).get("code", ""))


def request_bytes(
    method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> bytes:
    """A whole request; Content-Length is added."""
    lines = {"Host": "localhost", "Content-Length": str(len(body)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body


def signed_bytes(
    key: tuple[str, str],
    method: str,
    path: str,
    body: bytes = b"",
    target: str | None = None,
    region: str = "us-east-1",
    service: str = "personalize",
) -> bytes:
    """The same, signed with (key id, secret) for `service`: a control plane operation `target`, or a path."""
    headers = {"Host": "localhost"} | ({"X-Amz-Target": f"AmazonPersonalize.{target}"} if target else {})
    request = AWSRequest(method, f"http://localhost{path}", headers, body)
    signs = S3SigV4Auth if service == "s3" else SigV4Auth
    signs(Credentials(*key), service, region).add_auth(request)
    return request_bytes(method, path, dict(request.headers.items()), body)


class Line:
    """A connection to a server, on which requests follow each other."""

    def __init__(self, port: int, timeout: float = 20) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)

    def send(self, data: bytes) -> Raw:
        """Send bytes and read one answer."""
        with suppress(OSError):  # what the server closes in the middle it has answered
            self.socket.sendall(data)
        return self.read()

    def read(self) -> Raw:
        """One answer."""
        got = b""
        while b"\r\n\r\n" not in got:
            part = self._part()
            if not part:
                return Raw(0, got)
            got += part
        head, _, body = got.partition(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        while len(body) < length and (part := self._part()):
            body += part
        return Raw(int(head.split(b" ")[1]), body)

    def _part(self) -> bytes:
        try:
            return self.socket.recv(65536)
        except ConnectionResetError:
            return b""

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()


def send(port: int, data: bytes) -> Raw:
    """One request on a connection of its own."""
    with Line(port) as line:
        return line.send(data)
