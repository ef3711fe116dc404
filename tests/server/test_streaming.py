"""Answers in pieces and bodies without a common deadline, on the server's own connections."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from openpersonalize.server.connections import Limits

from .wire import Wire, wire

SIGNED = "Authorization: AWS4-HMAC-SHA256 Credential=a/20260101/eu-west-3/s3/aws4_request\r\n"
SIZE = 24 << 20


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """A server that waits for a whole body 0.2 seconds and for a reader 0.5, with one large object."""
    folder = tmp_path_factory.mktemp("streaming")
    (folder / "buckets" / "films").mkdir(parents=True)
    (folder / "buckets" / "films" / "large").write_bytes(b"x" * SIZE)
    (folder / "buckets" / "films" / "small").write_bytes(b"small")
    with wire(folder, {}, Limits(body_seconds=0.2, write_seconds=0.5)) as running:
        yield running


def ask(raw: socket.socket, method: str, path: str, more: str = "", version: str = "1.1") -> None:
    raw.sendall(f"{method} {path} HTTP/{version}\r\nHost: localhost\r\n{SIGNED}{more}\r\n".encode())


def read_all(raw: socket.socket) -> bytes:
    parts = []
    try:
        while part := raw.recv(1 << 20):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def test_a_reader_who_does_not_read_is_given_up(live: Wire) -> None:
    with socket.create_connection(("127.0.0.1", live.port), 20) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        ask(raw, "GET", "/films/large")
        time.sleep(2.0)
        assert len(read_all(raw)) < SIZE


def test_a_reader_who_reads_slowly_gets_everything(live: Wire) -> None:
    with socket.create_connection(("127.0.0.1", live.port), 20) as raw:
        ask(raw, "GET", "/films/large", "Connection: close\r\n")
        found = 0
        for _ in range(4):
            time.sleep(0.2)
            found += len(raw.recv(1 << 20))
        head_and_body = found + len(read_all(raw))
        assert SIZE < head_and_body < SIZE + 2000


def test_answers_in_pieces_follow_each_other_on_one_connection(live: Wire) -> None:
    with socket.create_connection(("127.0.0.1", live.port), 20) as raw:
        ask(raw, "GET", "/films/small")
        ask(raw, "HEAD", "/films/large")
        ask(raw, "DELETE", "/films/none")
        ask(raw, "GET", "/films/small", "Connection: close\r\n")
        answer = read_all(raw)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 3
    assert answer.count(b"HTTP/1.1 204 No Content\r\n") == 1
    assert answer.count(b"\r\n\r\nsmall") == 2
    assert b"content-length: %d\r\n" % SIZE in answer


def test_http_1_0_reads_to_the_end(live: Wire) -> None:
    with socket.create_connection(("127.0.0.1", live.port), 20) as raw:
        ask(raw, "GET", "/films/small", version="1.0")
        assert read_all(raw).endswith(b"\r\n\r\nsmall")


def test_an_upload_may_take_longer_than_other_bodies(live: Wire) -> None:
    with socket.create_connection(("127.0.0.1", live.port), 20) as raw:
        ask(raw, "PUT", "/films/slow", "Content-Length: 10\r\nConnection: close\r\n")
        for _ in range(10):
            time.sleep(0.06)
            raw.sendall(b"x")
        assert b" 200 OK" in read_all(raw)
    assert (live.settings.data / "buckets" / "films" / "slow").read_bytes() == b"x" * 10


def test_a_client_that_asks_first_is_invited_when_it_may(live: Wire) -> None:
    with socket.create_connection(("127.0.0.1", live.port), 20) as raw:
        ask(raw, "PUT", "/films/asked", "Content-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n")
        assert raw.recv(1000).startswith(b"HTTP/1.1 100 ")
        raw.sendall(b"hello")
        assert b" 200 OK" in read_all(raw)
    with socket.create_connection(("127.0.0.1", live.port), 20) as raw:
        ask(raw, "PUT", "/none/asked", "Content-Length: 5\r\nExpect: 100-continue\r\n")
        assert raw.recv(1000).startswith(b"HTTP/1.1 404 ")
