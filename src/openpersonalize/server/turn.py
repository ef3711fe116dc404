"""One request of a connection and its answer, as ASGI calls them."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

TURN = "openpersonalize.turn"
"""Key of an ASGI scope: the request's `Turn`, which knows whether it was received whole."""


class Channel(Protocol):
    """What a `Turn` needs of its connection."""

    @property
    def full(self) -> bool:
        """Whether the client does not take what was written."""

    def answer(self, turn: Turn, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Write the answer of `turn`."""

    def begin_answer(self, turn: Turn, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Write the head of an answer whose body follows in pieces."""

    def write_piece(self, turn: Turn, piece: bytes) -> None:
        """Write a piece of an answer that was begun."""

    def end_answer(self, turn: Turn) -> None:
        """Write the end of an answer that was begun."""

    def be_patient(self, turn: Turn) -> None:
        """Set no deadline for the body of `turn`."""

    def invite(self) -> None:
        """Let a client that asked first send its body."""

    def regulate(self) -> None:
        """Look again whether more is to be read: the application took what had come."""


class Turn:
    """A request and the way to answer it.

    Attributes:
        scope: the ASGI scope.
        complete: whether the request was received whole.
        answered: whether its answer was written.
        gone: whether nobody waits for an answer any more.
        last: whether the connection ends with its answer.
        begun: whether its answer was begun and its end follows. chunked: in chunks.
        unread: bytes of the body that the application did not take yet.
    """

    __slots__ = (
        "_chunks",
        "_connection",
        "_delivered",
        "_expects",
        "_head",
        "_wake",
        "answered",
        "begun",
        "chunked",
        "complete",
        "gone",
        "last",
        "scope",
        "unread",
    )

    def __init__(self, connection: Channel, scope: dict[str, Any], *, last: bool, expects: bool) -> None:
        self.scope = scope
        scope[TURN] = self
        self.complete = self.answered = self.gone = self.begun = self.chunked = False
        self.last = last
        self.unread = 0
        self._connection = connection
        self._expects = expects
        self._chunks: list[bytes] = []
        self._delivered = False
        self._wake: asyncio.Future[None] | None = None
        self._head: dict[str, Any] = {}

    def add(self, chunk: bytes) -> None:
        """Take a piece of the body from the connection."""
        self._chunks.append(chunk)
        self.unread += len(chunk)
        self.wake()

    def wake(self) -> None:
        """Let the application look again."""
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def receive(self) -> dict[str, Any]:
        """ASGI's receive."""
        while not (self.gone or self.answered):
            if self._chunks or (self.complete and not self._delivered):
                body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
                self._chunks.clear()
                self.unread = 0
                self._delivered = self.complete
                self._connection.regulate()
                return {"type": "http.request", "body": body, "more_body": not self.complete}
            if self._expects and not self.complete:
                self._expects = False
                self._connection.invite()
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        return {"type": "http.disconnect"}

    def be_patient(self) -> None:
        """Let the application itself decide how long it waits for the body."""
        self._connection.be_patient(self)

    async def send(self, message: Any) -> None:
        """ASGI's send; a piece of a body waits until the client has taken enough of those before."""
        if message["type"] == "http.response.start":
            self._head = message
        elif not message.get("more_body") and not self.begun:
            self._connection.answer(self, self._head["status"], self._head["headers"], message["body"])
        else:
            if not self.begun:
                self._connection.begin_answer(self, self._head["status"], self._head["headers"])
            self._connection.write_piece(self, message["body"])
            if not message.get("more_body"):
                self._connection.end_answer(self)
                return
            while self._connection.full and not self.gone:
                self._wake = asyncio.get_running_loop().create_future()
                await self._wake


def base_scope(transport: Any) -> dict[str, Any]:
    """What the ASGI scopes of a connection's requests have in common."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "server": _address(transport.get_extra_info("sockname")),
        "client": _address(transport.get_extra_info("peername")),
        "scheme": "http",
        "root_path": "",
    }


def _address(found: Any) -> tuple[str, int] | None:
    """(host, port) of a socket's name; None for sockets that are no internet's."""
    return (str(found[0]), int(found[1])) if isinstance(found, tuple) else None
