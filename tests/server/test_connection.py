from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from openpersonalize.server.connections import Limits

from .wire import Wire, wire

HEAD_BYTES = Limits().head_bytes
GET = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with wire(tmp_path_factory.mktemp("connection"), {}) as running:
        yield running


def everything(raw: socket.socket) -> bytes:
    """What the server sends until it closes the connection."""
    parts = []
    try:
        while part := raw.recv(65536):
            parts.append(part)
    except ConnectionResetError:  # it closed with bytes of ours unread
        pass
    return b"".join(parts)


@pytest.mark.parametrize("line", [b"X-A: b\r\n", b"b" * 1000])
def test_a_head_without_end_is_cut_off(live: Wire, line: bytes) -> None:
    with socket.create_connection(("127.0.0.1", live.port), 20) as raw:
        raw.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
        sent = 0
        try:
            while sent < 20 * HEAD_BYTES:
                raw.sendall(line)
                sent += len(line)
        except OSError:
            return
        assert b" 400 " in everything(raw)


def test_a_long_head_within_the_bound_is_read(live: Wire) -> None:
    assert live.send("GET", "/health", headers={"X-Long": "b" * (HEAD_BYTES // 2)}).status == 200


def test_a_large_body_in_one_piece_is_no_head(live: Wire) -> None:
    assert live.call("CreateBatchInferenceJob", b" " * (4 * HEAD_BYTES)).status == 400
    assert live.send("GET", "/health").status == 200


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """A server that waits for a head 0.2 seconds."""
    with wire(tmp_path_factory.mktemp("hasty"), {}, Limits(head_seconds=0.2)) as running:
        yield running


@pytest.mark.parametrize("start", [b"", b"GET /health HT"])
def test_a_head_that_does_not_come_is_given_up(hasty: Wire, start: bytes) -> None:
    with socket.create_connection(("127.0.0.1", hasty.port), 20) as raw:
        raw.sendall(start)
        assert everything(raw).startswith(b"HTTP/1.1 400 ")


def test_the_second_head_of_a_connection_is_bounded_too(hasty: Wire) -> None:
    with socket.create_connection(("127.0.0.1", hasty.port), 20) as raw:
        raw.sendall(GET + b"GET /hea")
        answer = everything(raw)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 400 " in answer


def test_an_idle_connection_is_kept_between_requests(hasty: Wire) -> None:
    with socket.create_connection(("127.0.0.1", hasty.port), 20) as raw:
        for _ in range(2):
            raw.sendall(GET)
            assert raw.recv(1000).startswith(b"HTTP/1.1 200 ")
            raw.settimeout(0.5)
            with pytest.raises(TimeoutError):
                raw.recv(1)
            raw.settimeout(20)
