"""HTTP/1.1 requests out of a stream of bytes, `RequestReader`: llhttp's parser (httptools), with bounds on
what it would gather without end."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote

import httptools

from .connections import Limits

_FRAMING = (b"content-length", b"transfer-encoding")


class RequestHead(NamedTuple):
    """What a request's head says.

    Attributes:
        method, path: the path is percent-decoded. raw_path, query: as sent.
        version: ``1.1`` or another.
        headers: names in lower case, in the order sent.
        keep_alive: whether the client wants to ask more on the connection.
        expects: whether it waits to be told before it sends the body.
    """

    method: str
    version: str
    path: str
    raw_path: bytes
    query: bytes
    headers: list[tuple[bytes, bytes]]
    keep_alive: bool
    expects: bool

    @property
    def scope(self) -> dict[str, Any]:
        """As an ASGI scope says it."""
        return {
            "http_version": self.version,
            "method": self.method,
            "path": self.path,
            "raw_path": self.raw_path,
            "query_string": self.query,
            "headers": self.headers,
        }


class Sink(Protocol):
    """Who is told what was read."""

    def head_begun(self) -> None:
        """The first byte of a request came."""

    def head_read(self, head: RequestHead) -> None:
        """A head came to its end."""

    def body_read(self, piece: bytes) -> None:
        """A piece of the body came."""

    def request_read(self) -> None:
        """The request came to its end."""

    def refuse(self, reason: str) -> None:
        """What came is no request, or too large for one."""

    def leave_protocol(self) -> None:
        """What follows would be another protocol."""


class RequestReader:
    """Reads the requests of one connection, one after the other.

    Attributes:
        in_head: whether a head has begun and not come to its end.
        fresh: whether no head came to its end yet.
    """

    def __init__(self, sink: Sink, limits: Limits) -> None:
        self.in_head = False
        self.fresh = True
        self._sink = sink
        self._limits = limits
        self._parser: Any = httptools.HttpRequestParser(self)
        self._stopped = False
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._expects = False
        self._head_size = 0  # of the parts of a head
        self._head_read = 0  # of what came of it so far
        self._heads = 0  # in the bytes that are being parsed
        self._in_body = False
        self._between = 0  # bytes since the last piece of a body
        # Where a request offers to change the protocol, httptools does not read the body that follows.
        self._framing: tuple[bytes, bytes] | None = None
        self._mute = False

    def stop(self) -> None:
        """Tell nothing more, whatever is left of the bytes that are being parsed."""
        self._stopped = True

    def feed(self, data: bytes) -> None:
        """Read what came."""
        if self._stopped:
            return
        in_body, self._heads = self._in_body, int(self.in_head)
        self._between += len(data)
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self._refuse("Invalid HTTP request received.")
        if self.in_head and self._heads == 1 and not in_body:  # all that came belongs to this head
            self._head_read += len(data)
            if self._head_read > self._limits.head_bytes:
                self._refuse_head()
        elif in_body and self._in_body and self._between > self._limits.head_bytes:
            self._refuse("The request's body has too much between its pieces.")

    def _parse(self, data: bytes) -> None:
        while True:
            try:
                self._parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                if self._stopped:
                    return
                if self._framing is None:
                    self._sink.leave_protocol()
                    return
                name, value = self._framing
                self._framing, self._mute = None, True
                self._parser = httptools.HttpRequestParser(self)
                self._parser.feed_data(b"POST / HTTP/1.1\r\n%s: %s\r\n\r\n" % (name, value))
                data = data[upgrade.args[0] :]

    def _refuse(self, reason: str) -> None:
        if not self._stopped:
            self._stopped = True
            self._sink.refuse(reason)

    def _refuse_head(self) -> None:
        self._refuse(f"The request's head is larger than {self._limits.head_bytes} bytes.")

    # ------------------------------------------------------------------------------------------ the parser

    def on_message_begin(self) -> None:
        if self._stopped or self._mute:
            return
        self._url, self._headers, self._expects = b"", [], False
        self._head_size = self._head_read = 0
        self._heads += 1
        self.in_head = True
        self._sink.head_begun()

    def on_url(self, url: bytes) -> None:
        if self._mute:
            return
        self._url += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._stopped or self._mute:
            return
        if not self.in_head:
            self._refuse("Trailer fields are not supported.")
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self._expects = True
        if name == b"host" and any(seen == b"host" for seen, _ in self._headers):
            self._refuse("The request has more than one Host field.")  # RFC 9112, 3.2
            return
        self._headers.append((name, value))
        self._count(len(name) + len(value) + 4)
        if len(self._headers) > self._limits.head_fields:
            self._refuse(f"The request has more than {self._limits.head_fields} header fields.")

    def on_headers_complete(self) -> None:
        if self._mute:
            self._mute = False
            return
        if self._stopped:
            return
        self.in_head = self.fresh = False
        version = self._parser.get_http_version()
        url = httptools.parse_url(self._url)
        raw_path = url.path or b"/"
        path = raw_path.decode("ascii")
        self._in_body, self._between = True, 0
        if self._parser.should_upgrade():
            bodies = [field for field in self._headers if field[0] in _FRAMING and field[1] != b"0"]
            self._framing = bodies[0] if bodies else None
        self._sink.head_read(
            RequestHead(
                self._parser.get_method().decode("ascii"),
                version,
                unquote(path) if "%" in path else path,
                raw_path,
                url.query or b"",
                self._headers,
                version != "1.0" and self._parser.should_keep_alive(),
                self._expects and version != "1.0",
            )
        )

    def on_body(self, body: bytes) -> None:
        self._between = 0
        if not self._stopped:
            self._sink.body_read(body)

    def on_message_complete(self) -> None:
        if self._framing is not None:
            return
        self._in_body = False
        if not self._stopped:
            self._sink.request_read()

    def _count(self, size: int) -> None:
        self._head_size += size
        if self._head_size > self._limits.head_bytes:
            self._refuse_head()
