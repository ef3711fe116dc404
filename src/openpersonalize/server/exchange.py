"""One HTTP request and its answer, over raw ASGI."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from ..access.admission import Admission
from ..errors import MalformedRequest, RequestTooLarge

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BODY_SECONDS = 60.0
"""A body has to be complete within this time of its head."""


class Disconnected(Exception):
    """The client went away before its request was complete."""


class Deadlines:
    """Ends reads of bodies that take too long, with one timer for all: a timer each would cost as much as the
    rest of the request. One per process; used from the event loop's thread only."""

    def __init__(self) -> None:
        self._since: dict[asyncio.Task[Any], float] = {}
        self._expired: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> asyncio.Task[Any]:
        """Watch the current task until `end`; after `BODY_SECONDS` it is cancelled."""
        task = asyncio.current_task()
        assert task is not None
        self._since[task] = time.monotonic()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(BODY_SECONDS / 10, self._look)
        return task

    def expired(self, task: asyncio.Task[Any]) -> bool:
        """Whether it was this that cancelled `task`."""
        return task in self._expired

    def end(self, task: asyncio.Task[Any]) -> None:
        """Watch `task` no more."""
        del self._since[task]
        self._expired.discard(task)

    def _look(self) -> None:
        self._timer = None
        oldest = time.monotonic() - BODY_SECONDS
        for task, since in self._since.items():
            if since < oldest and task not in self._expired:
                self._expired.add(task)
                task.cancel()
        if self._since:
            self._timer = asyncio.get_running_loop().call_later(BODY_SECONDS / 10, self._look)


class Exchange:
    """A request as it was received, and the way to answer it.

    Attributes:
        method, path: the path is percent-decoded.
        raw_path, query: as sent, bytes.
        headers: by lower-case name; of a repeated header the last value.
        request_id: a UUID in lower case, made here.
        size: bytes of the body read so far.
    """

    __slots__ = (
        "_receive",
        "_send",
        "headers",
        "method",
        "path",
        "query",
        "raw_headers",
        "raw_path",
        "request_id",
        "size",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.raw_path: bytes = scope.get("raw_path") or self.path.encode()
        self.query: bytes = scope["query_string"]
        self.raw_headers: list[tuple[bytes, bytes]] = scope["headers"]
        self.headers: dict[bytes, bytes] = dict(self.raw_headers)
        self.request_id = _request_id()
        self.size = 0

    @property
    def unrepeated(self) -> bool:
        """Whether no header came twice."""
        return len(self.headers) == len(self.raw_headers)

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

    async def read_body(self, limit: int, admission: Admission, deadlines: Deadlines) -> bytes:
        """The whole body.

        Raises:
            RequestTooLarge: it has more than `limit` bytes.
            Throttled: there is no room for it at the moment.
            MalformedRequest: it did not arrive in time.
            Disconnected: the client went away.
        """
        announced = self.headers.get(b"content-length")
        if announced is None and b"transfer-encoding" not in self.headers:
            return b""
        reserved = admission.reserve(limit if announced is None else int(announced))
        reader = deadlines.begin()
        try:
            return await self._gather(limit)
        except asyncio.CancelledError:
            if not deadlines.expired(reader):
                raise
            reader.uncancel()
            raise MalformedRequest(
                f"The request body did not arrive within {BODY_SECONDS:.0f} seconds."
            ) from None
        finally:
            deadlines.end(reader)
            admission.release(reserved)

    async def _gather(self, limit: int) -> bytes:
        chunks: list[bytes] = []
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            chunk = message.get("body", b"")
            self.size += len(chunk)
            if self.size > limit:
                raise _too_large(limit)
            if not message.get("more_body", False):
                return b"".join([*chunks, chunk]) if chunks else chunk
            chunks.append(chunk)

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
                    *more_headers,
                ],
            }
        )
        await self._send({"type": "http.response.body", "body": body if self.method != "HEAD" else b""})


def _request_id() -> str:
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(f"The request body is larger than {limit} bytes (the setting max_body_bytes).")
