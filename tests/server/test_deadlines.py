"""A connection on a clock of the test: whatever a client sends or leaves out, a deadline is armed unless an
operation is being answered, and what it may cost is bounded."""

from __future__ import annotations

import asyncio
import math
import pickle
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from openpersonalize.server.connection import Connection
from openpersonalize.server.connectionfactory import ConnectionFactory
from openpersonalize.server.connections import Connections, Limits, network_of

LIMITS = Limits(connections=4, per_address=2, queued=3, linger_bytes=50_000)
GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


class Transport:
    """What a socket would see."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.sent = b""
        self.state = "open"
        self.reading = True

    def get_extra_info(self, name: str) -> Any:
        return (self.address, 1) if name == "peername" else ("127.0.0.1", 80)

    def write(self, data: bytes) -> None:
        self.sent += data

    def write_eof(self) -> None:
        self.state = "half closed"

    def close(self) -> None:
        self.state = "closed"

    def abort(self) -> None:
        self.state = "aborted"

    def is_closing(self) -> bool:
        return self.state in ("closed", "aborted")

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class State:
    """uvicorn's, as far as connections use it."""

    def __init__(self) -> None:
        self.connections: set[Any] = set()
        self.tasks: set[Any] = set()
        self.default_headers: list[tuple[bytes, bytes]] = []
        self.total_requests = 0


class World:
    """Connections of one server, on a clock that the test moves.

    Attributes:
        hold: while it is not set, operations go on.
        early: answer without reading the body.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self.connections = Connections(LIMITS, lambda: self.now)
        self.state = State()
        self.hold = asyncio.Event()
        self.hold.set()
        self.early = False
        self.seen: list[Any] = []

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while not self.early:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.seen.append("gone")
                return
            body += message["body"]
            if not message["more_body"]:
                break
        await self.hold.wait()
        self.seen.append((scope["path"], body))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    def open(self, address: str = "9.9.9.9") -> tuple[Connection, Transport]:
        connection = Connection(self.app, self.state, {}, self.connections)
        transport = Transport(address)
        connection.connection_made(transport)
        return connection, transport

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.connections.look()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


Play = Callable[[World], Awaitable[None]]


@pytest.fixture
def play() -> Callable[[Play], World]:
    """Runs a scene in an event loop of its own."""

    def run(scene: Play) -> World:
        async def whole() -> World:
            world = World()
            await scene(world)
            return world

        return asyncio.run(whole())

    return run


# Each: what the client sends, whether the answer comes before the body, seconds within which the connection
# ends.
SILENCES = {
    "nothing": ([], False, 30),
    "half a head": ([b"GET /x HT"], False, 30),
    "a head byte by byte": ([b"G", b"E", b"T"], False, 30),
    "no body": ([POST], False, 60),
    "half a body": ([POST, b"ab"], False, 60),
    "a chunk without end": ([CHUNKED, b"5\r\nab"], False, 60),
    "idle after an answer": ([GET], False, 75),
    "an empty line after an answer": ([GET, b"\r\n", b"\r\n"], False, 75),
    "half a head after an answer": ([GET, b"GET /"], False, 75),
    "a body that goes on after its answer": ([POST, b"a", b"b"], True, 5),
    "trailer fields": ([CHUNKED, b"0\r\nx: y\r\n"], False, 60),
    "no HTTP": ([b"\x16\x03\x01\x00"], False, 5),
    "another protocol": (
        [b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"],
        False,
        60,
    ),
}


@pytest.mark.parametrize("name", SILENCES)
def test_a_silent_client_is_given_up_in_time(play: Callable[[Play], World], name: str) -> None:
    pieces, early, seconds = SILENCES[name]

    async def scene(world: World) -> None:
        world.early = early
        connection, transport = world.open()
        for piece in pieces:
            connection.data_received(piece)
            await settle()
        # Half a second before its time nothing of it is over that was not over at once; then it ends in two
        # steps.
        world.pass_time(seconds + 0.1)
        world.pass_time(LIMITS.linger_seconds + 0.1)
        world.pass_time(LIMITS.write_seconds + 0.1)
        assert transport.state == "aborted"

    play(scene)


def test_a_deadline_is_armed_in_every_state_but_one(play: Callable[[Play], World]) -> None:
    async def scene(world: World) -> None:
        connection, _ = world.open()
        assert connection.deadline == 1030
        connection.data_received(POST)
        assert connection.deadline == 1060
        world.hold.clear()
        connection.data_received(b"12345")
        await settle()
        assert connection.deadline == math.inf  # an operation is being answered
        connection.data_received(b"GET /sec")
        assert connection.deadline == math.inf
        world.hold.set()
        await settle()
        assert connection.deadline == 1030  # of the head that has begun
        connection.data_received(b"ond HTTP/1.1\r\nHost: a\r\n\r\n")
        await settle()
        assert connection.deadline == 1075
        assert world.seen == [("/x", b"12345"), ("/second", b"")]

    play(scene)


def test_a_client_that_takes_no_answers_is_given_up(play: Callable[[Play], World]) -> None:
    async def scene(world: World) -> None:
        connection, transport = world.open()
        connection.data_received(GET)
        await settle()
        connection.pause_writing()
        connection.data_received(GET)
        await settle()
        assert len(world.seen) == 1  # the next is not begun
        world.pass_time(LIMITS.write_seconds + 1)
        assert transport.state == "aborted"

    play(scene)


def test_a_client_that_takes_its_answers_late_is_served(play: Callable[[Play], World]) -> None:
    async def scene(world: World) -> None:
        connection, transport = world.open()
        connection.pause_writing()
        connection.data_received(GET)
        await settle()
        assert transport.sent == b""
        connection.resume_writing()
        await settle()
        assert transport.sent.startswith(b"HTTP/1.1 200 ")
        assert connection.deadline == 1075

    play(scene)


def test_an_answer_before_the_end_of_its_request_ends_the_connection(play: Callable[[Play], World]) -> None:
    async def scene(world: World) -> None:
        world.early = True
        connection, transport = world.open()
        connection.data_received(POST)
        await settle()
        assert b"connection: close" in transport.sent
        assert transport.state == "half closed"  # so that the client can read it
        connection.data_received(b"x" * 49_000)
        assert transport.state == "half closed"
        connection.data_received(b"x" * 1001)
        assert transport.state == "aborted"

    play(scene)


def test_requests_sent_ahead_are_answered_in_order_and_bounded(play: Callable[[Play], World]) -> None:
    async def scene(world: World) -> None:
        world.hold.clear()
        connection, transport = world.open()
        connection.data_received(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(100)))
        await settle()
        world.hold.set()
        for _ in range(10):
            await settle()
        assert [path for path, _ in world.seen] == ["/0", "/1", "/2"]
        assert transport.sent.count(b"HTTP/1.1 200 ") == 3
        assert transport.sent.count(b"connection: close") == 1
        assert transport.state == "closed"

    play(scene)


def test_what_waits_is_not_read(play: Callable[[Play], World]) -> None:
    async def scene(world: World) -> None:
        world.hold.clear()
        connection, transport = world.open()
        connection.data_received(GET)
        assert transport.reading
        connection.data_received(GET)
        assert not transport.reading
        world.hold.set()
        for _ in range(5):
            await settle()
        assert transport.reading
        world.hold.clear()
        connection.data_received(
            b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + b"a" * 70_000
        )
        assert not transport.reading
        await settle()
        assert transport.reading  # the application took it

    play(scene)


# ------------------------------------------------------------------------------------------ sizes


@pytest.mark.parametrize(
    "pieces",
    [
        [b"GET /x HTTP/1.1\r\nX: " + b"a" * 20_000],
        [b"GET /x HTTP/1.1\r\nX: ", *[b"a" * 1000] * 20],
        [b"GET /x HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n"],
        [b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n"],
        [b"GET /x HTTP/1.1\r\n" + b"a: b\r\n" * 101 + b"\r\n"],
        [CHUNKED + b"0\r\n" + b"x: y\r\n" * 100],
        [CHUNKED, b"0\r\nX: ", *[b"a" * 1000] * 20],
        [CHUNKED, b"5;", *[b"a" * 1000] * 20],
    ],
    ids=["value", "value in pieces", "value at once", "path", "fields", "trailers", "trailer", "extension"],
)
def test_nothing_grows_beyond_its_bound(play: Callable[[Play], World], pieces: list[bytes]) -> None:
    async def scene(world: World) -> None:
        connection, transport = world.open()
        for piece in pieces:
            connection.data_received(piece)
        await settle()
        assert transport.sent.startswith(b"HTTP/1.1 400 ")
        assert b"SerializationException" in transport.sent
        assert transport.state == "half closed"
        assert world.seen in ([], ["gone"])

    play(scene)


def test_a_large_body_and_the_beginning_of_the_next_head_are_no_large_head(
    play: Callable[[Play], World],
) -> None:
    async def scene(world: World) -> None:
        connection, transport = world.open()
        connection.data_received(b"POST /x HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + b"a" * 60_000)
        await settle()
        connection.data_received(b"a" * 40_000 + b"GET /y HT")
        await settle()
        connection.data_received(b"TP/1.1\r\n\r\n")
        await settle()
        assert [path for path, _ in world.seen] == ["/x", "/y"]
        assert b" 400 " not in transport.sent

    play(scene)


def test_a_bad_request_after_a_good_one_is_told_after_its_answer(play: Callable[[Play], World]) -> None:
    async def scene(world: World) -> None:
        world.hold.clear()
        connection, transport = world.open()
        connection.data_received(GET + b"nonsense\r\n\r\n")
        await settle()
        assert transport.sent == b""
        world.hold.set()
        await settle()
        assert transport.sent.index(b" 200 ") < transport.sent.index(b" 400 ")
        assert transport.state == "half closed"

    play(scene)


def test_a_client_that_asks_first_is_invited(play: Callable[[Play], World]) -> None:
    async def scene(world: World) -> None:
        connection, transport = world.open()
        connection.data_received(POST.replace(b"Host: a", b"Expect: 100-continue"))
        await settle()
        assert transport.sent == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.data_received(b"12345")
        await settle()
        assert b" 200 " in transport.sent

    play(scene)


def test_one_that_is_refused_is_not(play: Callable[[Play], World]) -> None:
    async def scene(world: World) -> None:
        world.early = True
        connection, transport = world.open()
        connection.data_received(POST.replace(b"Host: a", b"Expect: 100-continue"))
        await settle()
        assert b"100 Continue" not in transport.sent

    play(scene)


# ------------------------------------------------------------------------------------------ numbers


def test_connections_are_counted_in_all_and_by_address(
    play: Callable[[Play], World], caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(world: World) -> None:
        def states() -> list[str]:
            return [transport.state for _, transport in opened]

        opened = [world.open(address) for address in ("1.1.1.1", "1.1.1.1", "1.1.1.1", "2.2.2.2", "3.3.3.3")]
        assert states() == ["open", "open", "aborted", "open", "open"]
        assert world.open("4.4.4.4")[1].state == "aborted"
        opened[2][0].connection_lost(None)
        assert len(world.connections) == 4
        opened[0][0].connection_lost(None)
        assert world.open("4.4.4.4")[1].state == "open"
        assert len(world.state.connections) == 4

    play(scene)
    reasons = [record.__dict__["reason"] for record in caplog.records]
    assert reasons == ["the address has 2 connections already", "all 4 connections are in use"]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("::ffff:10.0.0.1", "::ffff:a00:1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_what_counts_as_one_address(address: str, network: str) -> None:
    assert network_of(address) == network


def test_a_lost_connection_lets_its_requests_go(play: Callable[[Play], World]) -> None:
    async def scene(world: World) -> None:
        connection, _ = world.open()
        connection.data_received(POST)
        await settle()
        connection.connection_lost(None)
        await settle()
        assert world.seen == ["gone"]
        assert not world.state.tasks
        assert not world.state.connections

    play(scene)


def test_a_shutdown_waits_for_what_is_being_answered(play: Callable[[Play], World]) -> None:
    async def scene(world: World) -> None:
        idle, at_work = world.open("1.1.1.1"), world.open("2.2.2.2")
        world.hold.clear()
        at_work[0].data_received(GET)
        await settle()
        for connection, _ in (idle, at_work):
            connection.shutdown()
        assert (idle[1].state, at_work[1].state) == ("closed", "open")
        world.hold.set()
        await settle()
        assert at_work[1].state == "closed"
        assert b"connection: close" in at_work[1].sent

    play(scene)


def test_an_application_that_fails_is_answered_for(
    play: Callable[[Play], World], caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(world: World) -> None:
        async def broken(scope: Any, receive: Any, send: Any) -> None:
            raise KeyError("a fault of ours")

        connection = Connection(broken, world.state, {}, world.connections)
        transport = Transport("1.1.1.1")
        connection.connection_made(transport)
        connection.data_received(GET)
        await settle()
        assert transport.sent.startswith(b"HTTP/1.1 500 ")
        assert transport.state == "closed"

    play(scene)
    assert [record.message for record in caplog.records] == ["a request failed unexpectedly"]


def test_the_factory_can_be_sent_to_a_worker() -> None:
    factory = pickle.loads(pickle.dumps(ConnectionFactory(Limits(queued=7))))
    assert factory._limits.queued == 7
