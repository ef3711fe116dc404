"""One HTTP request and its answer, over raw ASGI: `Exchange`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping
from random import Random
from typing import Any, TypeAlias
from urllib.parse import unquote_to_bytes

from ..access.admission import BodyRoom
from ..access.canonical import joined
from ..access.public_address import PublicAddress
from ..errors import MalformedRequest, RequestTooLarge
from .turn import TURN, Turn

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Disconnected(Exception):
    """The client went away before its request was complete."""


class Exchange:
    """A request as it was received, and the way to answer it.

    Attributes:
        method, path: the path is percent-decoded.
        raw_path, query: as sent, bytes.
        received_path: `raw_path`, with the prefix of the public address where a proxy left it there.
        headers: by lower-case name; of a repeated header the last value.
        peer: the address that the request comes from.
        request_id: a UUID in lower case, made here.
        size: bytes of the body read so far.
        cors: headers that every answer carries for a web page's sake.
    """

    __slots__ = (
        "_receive",
        "_send",
        "_turn",
        "cors",
        "headers",
        "method",
        "path",
        "peer",
        "query",
        "raw_headers",
        "raw_path",
        "received_path",
        "request_id",
        "size",
    )

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, address: PublicAddress | None = None
    ) -> None:
        """Args:
        address: by which clients know the server, where a proxy stands before it.
        """
        self._receive = receive
        self._send = send
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.received_path: bytes = scope.get("raw_path") or self.path.encode()
        self.raw_path = self.received_path
        if address is not None:
            self.raw_path = address.without_prefix(self.received_path)
            self.path = unquote_to_bytes(self.raw_path).decode("utf-8", "replace")
        self.query: bytes = scope["query_string"]
        self.raw_headers: list[tuple[bytes, bytes]] = scope["headers"]
        self.headers: dict[bytes, bytes] = dict(self.raw_headers)
        client = scope.get("client")
        self.peer: str = client[0] if client else ""
        self._turn: Turn | None = scope.get(TURN)
        self.request_id = _request_id()
        self.size = 0
        self.cors: tuple[tuple[bytes, bytes], ...] = ()

    def joined_headers(self) -> Mapping[bytes, bytes]:
        """The headers by lower-case name, the values of repeated ones with commas between them."""
        if len(self.headers) == len(self.raw_headers):
            return self.headers
        return joined(self.raw_headers)

    def check_size(self, limit: int) -> None:
        """Refuse a body that is announced as too large, or that is compressed.

        Raises:
            RequestTooLarge, MalformedRequest
        """
        announced = self.headers.get(b"content-length")
        if announced is not None and int(announced) > limit:  # the HTTP parser lets digits pass only
            raise _too_large(limit)
        if self.headers.get(b"content-encoding", b"identity") != b"identity":
            raise MalformedRequest(
                "Compressed request bodies are not supported: send it without Content-Encoding."
            )

    async def read_body(self, limit: int, room: BodyRoom) -> bytes:
        """The whole body. What came together with the head waits for nothing.

        Args:
            limit: the most bytes that it may have.
            room: where it is counted; closed by the caller when the request is answered.

        Raises:
            RequestTooLarge: it has more than `limit` bytes.
            Throttled: there is no room for it at the moment.
            Disconnected: the client went away, or took too long.
        """
        if b"content-length" not in self.headers and b"transfer-encoding" not in self.headers:
            return b""
        chunks: list[bytes] = []
        while True:
            if self._turn is None or not self._turn.complete:
                room.wait()
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            chunk = message.get("body", b"")
            self.size += len(chunk)
            if self.size > limit:
                raise _too_large(limit)
            room.grow(self.size)
            if not message.get("more_body", False):
                room.arrived()
                return b"".join([*chunks, chunk]) if chunks else chunk
            chunks.append(chunk)

    async def pieces(self, patience: float) -> AsyncIterator[bytes]:
        """The body piece by piece, however large it is; each has to come within `patience` seconds.

        Raises:
            TimeoutError: one did not come in time.
            Disconnected: the client went away.
        """
        if b"content-length" not in self.headers and b"transfer-encoding" not in self.headers:
            return
        if self._turn is not None:
            self._turn.be_patient()
        more = True
        while more:
            async with asyncio.timeout(patience):
                message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            piece, more = message.get("body", b""), message.get("more_body", False)
            self.size += len(piece)
            if piece:
                yield piece

    async def begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Begin an answer whose body follows in pieces: `write`, then `end`."""
        await self._send({"type": "http.response.start", "status": status, "headers": [*headers, *self.cors]})

    async def write(self, piece: bytes) -> None:
        """Send a piece of the body, and wait until the client has taken enough of those before.

        Raises:
            Disconnected: the client went away, or does not take it.
        """
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        if self._turn is not None and self._turn.gone:
            raise Disconnected

    async def end(self) -> None:
        """End an answer that was begun."""
        await self._send({"type": "http.response.body", "body": b""})

    async def respond(
        self, status: int, content_type: bytes, body: bytes, *more_headers: tuple[bytes, bytes]
    ) -> None:
        """Send the whole answer. The HTTP server adds the date."""
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (b"x-amzn-requestid", self.request_id.encode()),
                    (b"content-type", content_type),
                    (b"content-length", b"%d" % len(body)),
                    *self.cors,
                    *more_headers,
                ],
            }
        )
        await self._send({"type": "http.response.body", "body": body if self.method != "HEAD" else b""})


_random = Random()  # noqa: S311 - these name requests and open nothing
"""Seeded by the system. Its own generator is a system call a request, in which the event loop gives up the
interpreter and must win it back from other threads."""


def _request_id() -> str:
    digits = f"{_random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(f"The request body is larger than {limit} bytes (the setting max_body_bytes).")
