"""A connection that cannot hold memory or a socket for nothing: bounds on what comes before a body.

The HTTP server bounds neither the size of a request's head nor the time it takes; bodies are bounded by
`Exchange`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 64 * 1024
"""Bytes of a request line and its headers."""
HEAD_SECONDS = 30.0
"""Time for a head to be complete, from its first byte or from the opening of the connection."""


class Connection(HttpToolsProtocol):
    """uvicorn's connection on httptools, with the bounds of this module."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head = 0
        self._in_head = True
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head:
            self._head += len(data)
            if self._head > MAX_HEAD:
                self._give_up(f"The request's head is larger than {MAX_HEAD} bytes.")
            elif self._timer is None:
                self._wait()

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head = 0
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._timer = self.loop.call_later(HEAD_SECONDS, self._give_up, "The request's head did not come.")

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self, reason: str) -> None:
        self._stop_waiting()
        if not self.transport.is_closing():
            self.send_400_response(reason)
