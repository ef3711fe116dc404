"""HTTP/1.1 answers on one connection, written to its transport: `AnswerWriter`.

Answers are written in one piece where an application sends its body whole; else in pieces, each when the
client has taken enough of those before, in chunks where nobody knows how many there will be.
"""

from __future__ import annotations

import http
from typing import Any

from ..errors import MalformedRequest
from .protocol import JSON_1_1, error_body
from .turn import Turn

FAILURE = b"Internal Server Error"
_STATUS_LINES = {
    status.value: b"HTTP/1.1 %d %s\r\n" % (status.value, status.phrase.encode()) for status in http.HTTPStatus
}

Headers = list[tuple[bytes, bytes]]


class AnswerWriter:
    """Writes answers; whose turn it is, and whether anybody still waits, is the connection's business."""

    def __init__(self, transport: Any, server_state: Any) -> None:
        """Write to `transport`; `server_state` is uvicorn's, with the default headers of the moment."""
        self._transport = transport
        self._server = server_state

    def whole(self, status: int, headers: Headers, body: bytes, *, last: bool) -> None:
        """Write an answer, or its head where the body follows; `last`: the connection ends after it."""
        parts = [_STATUS_LINES[status]]
        for name, value in self._server.default_headers:
            parts += (name, b": ", value, b"\r\n")
        for name, value in headers:
            parts += (name, b": ", value, b"\r\n")
        parts += (b"connection: close\r\n\r\n" if last else b"\r\n", body)
        self._transport.write(b"".join(parts))

    def begin(self, turn: Turn, status: int, headers: Headers) -> None:
        """Write the head of an answer whose body follows in pieces; how they are told apart is the turn's
        `chunked` and `last`."""
        bodyless = status in (204, 304) or turn.scope["method"] == "HEAD"
        if not bodyless and not any(name == b"content-length" for name, _ in headers):
            if turn.scope["http_version"] == "1.0":
                turn.last = True  # its end is the connection's
            else:
                turn.chunked = True
                headers = [*headers, (b"transfer-encoding", b"chunked")]
        self.whole(status, headers, b"", last=turn.last)

    def piece(self, turn: Turn, piece: bytes) -> None:
        """Write a piece, not empty, of an answer that was begun."""
        if turn.chunked:
            self._transport.writelines((b"%x\r\n" % len(piece), piece, b"\r\n"))
        else:
            self._transport.write(piece)

    def end(self, turn: Turn) -> None:
        """Write the end of an answer that was begun."""
        if turn.chunked:
            self._transport.write(b"0\r\n\r\n")

    def refusal(self, reason: str) -> None:
        """Write the answer to what was no request."""
        body = error_body(MalformedRequest(reason))
        headers = [
            (b"x-amzn-errortype", MalformedRequest.code.encode()),
            (b"content-type", JSON_1_1),
            (b"content-length", b"%d" % len(body)),
        ]
        self.whole(MalformedRequest.status, headers, body, last=True)

    def invite(self) -> None:
        """Write that a body may come."""
        self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
