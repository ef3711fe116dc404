"""One HTTP/1.1 connection of the server, `Connection`: requests from a `RequestReader`, ASGI towards the
application, and bounds on everything that a client can send or leave out.

The class is a protocol for uvicorn's `http` option, made by a `ConnectionFactory`; of uvicorn it uses the
server's state (its connections, tasks and default headers) and the loaded application, and nothing else.
What uvicorn's own protocols do not do and this one does: bytes and number of header fields are bounded,
trailer fields refused; one deadline is armed at any time unless an operation is being answered; an answer
before the end of its request ends the connection; requests sent ahead are bounded; connections are counted,
in all and for each address.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from typing import Any

from .answerwriter import FAILURE, AnswerWriter
from .connections import Connections
from .requestreader import RequestHead, RequestReader
from .turn import Turn, base_scope

HIGH_WATER = 64 * 1024
"""Bytes of a body that wait for the application; no more is read before it takes them."""
_log = logging.getLogger(__name__)


class Connection(asyncio.Protocol):
    """A connection, from its opening to its end.

    Attributes:
        deadline: when it is given up, on the clock of its `Connections`.
    """

    def __init__(
        self, app: Any, server_state: Any, app_state: dict[str, Any], connections: Connections
    ) -> None:
        """Args:
        app: the ASGI application.
        server_state: uvicorn's: the sets `connections` and `tasks`, `default_headers`, `total_requests`.
        app_state: what the application's lifespan left for its requests.
        """
        self.deadline = math.inf
        self._app = app
        self._server = server_state
        self._app_state = app_state
        self._connections = connections
        self._limits = connections.limits
        self._reader = RequestReader(self, connections.limits)
        self._loop = asyncio.get_running_loop()
        self._transport: Any = None
        self._writer: Any = None  # with the transport
        self._address = ""
        self._base: dict[str, Any] = {}
        self._reading: Turn | None = None  # its body is being read
        # What is being answered, and what waits behind it.
        self._turns: deque[Turn] = deque()
        self._begun = False  # the first of them
        self._refusal = ""  # why the connection ends after them
        # How it stands with the connection.
        self._deaf = False  # what still comes is dropped
        self._dropped = 0
        self._ending = False
        self._paused = False  # reading
        self._full = False  # the client does not take what was written

    # ------------------------------------------------------------------------------------------ asyncio

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._base = {**base_scope(transport), "state": self._app_state}
        self._address = self._base["client"][0] if self._base["client"] is not None else ""
        if not self._connections.admit(self, self._address):
            self._ending = self._deaf = True
            transport.abort()
            return
        self._server.connections.add(self)
        self._writer = AnswerWriter(transport, self._server)
        self._arm(self._limits.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.remove(self)
        self._server.connections.discard(self)
        self._ending = True
        self._listen_no_more()
        self._forsake()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            self._drop(len(data))
            return
        self._reader.feed(data)
        self.regulate()

    def pause_writing(self) -> None:
        self._full = True
        if not self._ending and (not self._begun or self._turns[0].begun):
            self._arm(self._limits.write_seconds)

    def resume_writing(self) -> None:
        self._full = False
        if self._ending:
            return
        if self._begun and self._turns[0].begun:
            self.deadline = math.inf
            self._turns[0].wake()
        self._advance()

    @property
    def full(self) -> bool:
        """Whether the client does not take what was written."""
        return self._full

    # ------------------------------------------------------------------------------------------ uvicorn

    def shutdown(self) -> None:
        """End after what is being answered."""
        if self._turns:
            self._turns[-1].last = True
            if self._turns[-1].complete:
                self._listen_no_more()
        else:
            self._end()

    # ------------------------------------------------------------------------------------------ the reader

    def head_begun(self) -> None:
        if not self._turns and not self._full:
            self._arm(self._limits.head_seconds)

    def head_read(self, head: RequestHead) -> None:
        if len(self._turns) >= self._limits.queued:
            self.leave_protocol()
            return
        scope = {**self._base, **head.scope}
        turn = self._reading = Turn(self, scope, last=not head.keep_alive, expects=head.expects)
        self._turns.append(turn)
        if not self._begun and not self._full:
            self._begin()

    def body_read(self, piece: bytes) -> None:
        if self._reading is not None:
            self._reading.add(piece)

    def request_read(self) -> None:
        turn, self._reading = self._reading, None
        if turn is None:
            return
        turn.complete = True
        turn.wake()
        if turn.last:
            self._listen_no_more()
        if self._begun and self._turns[0] is turn:
            self.deadline = math.inf

    def leave_protocol(self) -> None:
        """Answer what was read so far, then end the connection."""
        self._listen_no_more()
        if self._turns:
            self._turns[-1].last = True
        else:
            self._end()

    def refuse(self, reason: str) -> None:
        """Read no more, answer what was received whole, then say why, and end."""
        if self._ending or self._refusal:
            return
        self._listen_no_more()
        self._refusal = reason
        self._connections.refusals.tell(self._address, "", reason)
        if self._reading is not None:
            broken, self._reading = self._turns.pop(), None
            broken.gone = True
            broken.wake()
            self._begun = self._begun and bool(self._turns)
        if not self._turns:
            self._write_refusal()

    def _listen_no_more(self) -> None:
        self._deaf = True
        self._reader.stop()

    # ------------------------------------------------------------------------------------------ turns

    def _begin(self) -> None:
        turn = self._turns[0]
        self._begun = True
        if turn.complete:
            self.deadline = math.inf
        else:
            self._arm(self._limits.body_seconds)
        task = self._loop.create_task(self._run(turn))
        self._server.tasks.add(task)
        task.add_done_callback(self._server.tasks.discard)

    async def _run(self, turn: Turn) -> None:
        try:
            await self._app(turn.scope, turn.receive, turn.send)
        except Exception:  # noqa: BLE001 (the application answers its own errors; this is for the rest)
            _log.exception("a request failed unexpectedly")
        if turn.begun and not turn.answered:
            self._transport.abort()  # nobody may take what was sent for the whole
        elif not (turn.answered or turn.gone):
            turn.last = True
            self.answer(turn, 500, [(b"content-length", b"%d" % len(FAILURE))], FAILURE)

    def answer(self, turn: Turn, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Write the answer of the turn that has begun, and go on with the next."""
        if turn.gone or turn.answered:
            return
        last = turn.last or not turn.complete
        self._writer.whole(status, headers, body, last=last)
        self._finish(turn, last=last)

    def begin_answer(self, turn: Turn, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Write the head of an answer whose body follows in pieces."""
        if turn.gone or turn.answered:
            return
        turn.begun = True
        turn.last = turn.last or not turn.complete
        self._writer.begin(turn, status, headers)

    def write_piece(self, turn: Turn, piece: bytes) -> None:
        """Write a piece of an answer that was begun."""
        if piece and not (turn.gone or turn.answered):
            self._writer.piece(turn, piece)

    def end_answer(self, turn: Turn) -> None:
        """Write the end of an answer that was begun, and go on with the next request."""
        if turn.gone or turn.answered:
            return
        self._writer.end(turn)
        self._finish(turn, last=turn.last)

    def _finish(self, turn: Turn, *, last: bool) -> None:
        turn.answered = True
        self._turns.popleft()
        self._begun = False
        self._server.total_requests += 1
        if not turn.complete:
            self._linger()
        elif last:
            self._end()
        else:
            self._advance()

    def be_patient(self, turn: Turn) -> None:
        """Set no deadline for the body of the turn that has begun; the application sets its own."""
        if self._begun and self._turns[0] is turn and not self._ending:
            self.deadline = math.inf

    def invite(self) -> None:
        """Let a client that asked first send its body."""
        if not self._ending:
            self._writer.invite()

    def regulate(self) -> None:
        """Read no more while requests wait for their turn or a body for the application."""
        if self._ending:
            return
        reading = self._reading
        pause = not self._deaf and (
            len(self._turns) > 1 or (reading is not None and reading.unread > HIGH_WATER)
        )
        if pause is not self._paused:
            self._paused = pause
            if pause:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def _advance(self) -> None:
        """Go on with what is next, or arm the deadline of waiting for it."""
        if self._begun:
            return
        if self._full:
            self._arm(self._limits.write_seconds)
        elif self._turns:
            self._begin()
        elif self._refusal:
            self._write_refusal()
        elif self._reader.in_head:
            self._arm(self._limits.head_seconds)
        else:
            self._arm(self._limits.idle_seconds)
        self.regulate()

    # ------------------------------------------------------------------------------------------ the end

    def expire(self) -> None:
        """Be told that the deadline is past."""
        if self._ending or self._full:
            self._transport.abort()
        elif self._turns:
            self.refuse(f"The request body did not arrive within {self._limits.body_seconds:.0f} seconds.")
        elif self._reader.in_head or self._reader.fresh:
            self.refuse("The request's head did not come.")
        else:
            self._end()

    def _arm(self, seconds: float) -> None:
        self.deadline = self._connections.clock() + seconds

    def _write_refusal(self) -> None:
        self._writer.refusal(self._refusal)
        self._linger()

    def _end(self) -> None:
        """Close when everything is written, at the latest in `write_seconds`."""
        self._ending = True
        self._listen_no_more()
        self._forsake()
        self._arm(self._limits.write_seconds)
        self._transport.close()

    def _linger(self) -> None:
        """Say that nothing more comes, and drop what the client is still sending: closed at once, the
        connection would be reset, and the client might not see its answer."""
        self._ending = True
        self._listen_no_more()
        self._forsake()
        self._arm(self._limits.linger_seconds)
        if self._transport.is_closing():
            return
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        self._transport.write_eof()

    def _drop(self, size: int) -> None:
        self._dropped += size
        if self._dropped > self._limits.linger_bytes:
            self._transport.abort()

    def _forsake(self) -> None:
        """Tell those whose turn it was that nobody waits for them any more."""
        for turn in self._turns:
            turn.gone = True
            turn.wake()
        self._turns.clear()
        self._reading = None
        self._begun = False
