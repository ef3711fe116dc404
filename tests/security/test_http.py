"""Forms of requests that are none, or two: refused, or served as one, never with a 500 or a line of the HTTP
server in the log."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from server.wire import Wire, wire

from .raw import Line

BODY = b'{"userId":"u"}'
POST = b"POST /recommendations HTTP/1.1\r\nHost: localhost\r\n"
FORMS: dict[str, tuple[bytes, set[int]]] = {
    "plain": (POST + b"Content-Length: 14\r\n\r\n" + BODY, {200}),
    "both framings": (POST + b"Content-Length: 14\r\nTransfer-Encoding: chunked\r\n\r\n" + BODY, {400}),
    "both, the other way": (
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        {400},
    ),
    "two lengths": (POST + b"Content-Length: 14\r\nContent-Length: 15\r\n\r\n" + BODY, {400}),
    "two hosts": (POST + b"Host: other\r\nContent-Length: 14\r\n\r\n" + BODY, {400}),
    "length with a sign": (POST + b"Content-Length: +14\r\n\r\n" + BODY, {400}),
    "length in hexadecimal": (POST + b"Content-Length: 0xe\r\n\r\n" + BODY, {400}),
    "huge length": (POST + b"Content-Length: 99999999999999999999999\r\n\r\n", {400}),
    "large length": (POST + b"Content-Length: 99999999999\r\n\r\n", {413}),
    "odd coding": (POST + b"Transfer-Encoding: gzip\r\n\r\n" + BODY, {400}),
    "coding twice": (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", {200, 400}),
    "blank before the colon": (POST + b"Content-Length : 14\r\n\r\n" + BODY, {400}),
    "folded field": (POST + b"X-A: b\r\n c\r\nContent-Length: 14\r\n\r\n" + BODY, {200, 400}),
    "no name": (POST + b": b\r\n\r\n", {400}),
    "zero in a value": (POST + b"X-A: a\x00b\r\n\r\n", {400}),
    "return in a value": (POST + b"X-A: a\rb\r\n\r\n", {400}),
    "line feed alone": (b"GET /health HTTP/1.1\nHost: localhost\n\n", {200, 400}),
    "version 0.9": (b"GET /health\r\n\r\n", {400}),
    "version 1.0": (b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n", {200}),
    "version 2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400}),
    "absolute form": (b"GET http://localhost/health HTTP/1.1\r\nHost: localhost\r\n\r\n", {200}),
    "connect": (b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", {400}),
    "asterisk": (b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", {400}),
    "no slash": (b"GET health HTTP/1.1\r\nHost: localhost\r\n\r\n", {400}),
    "bytes in the path": (b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n", {400}),
    "escapes in the path": (b"GET /%ff%00%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", {400}),
    "unknown method": (b"BREW /health HTTP/1.1\r\nHost: localhost\r\n\r\n", {400}),
    "upgrade": (
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        {200},
    ),
    "upgrade of a body": (
        POST + b"Content-Length: 14\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n" + BODY,
        {200},
    ),
    "upgrades of bodies, one after the other": (
        (POST + b"Content-Length: 14\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n" + BODY) * 2,
        {200},
    ),
    "trailer fields": (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n", {400}),
    "negative chunk": (POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", {400}),
    "huge chunk": (POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", {400}),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", {400}),
    "nothing but line ends": (b"\r\n" * 5 + b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", {200}),
}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    async def answer(context: object, request: object) -> dict[str, object]:
        return {"itemList": []}

    with wire(tmp_path_factory.mktemp("http"), {"GetRecommendations": answer}) as running:
        yield running


@pytest.mark.parametrize("name", FORMS)
def test_forms(live: Wire, name: str, caplog: pytest.LogCaptureFixture) -> None:
    data, statuses = FORMS[name]
    with Line(live.port, 10) as line:
        answer = line.send(data)
    assert answer.status in statuses, answer
    assert not [record for record in caplog.records if record.name.startswith(("uvicorn", "asyncio"))]


def test_what_follows_a_refused_request_is_no_request(live: Wire) -> None:
    hidden = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for data in (
        POST + b"Content-Length: 14\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
        POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n" + hidden,
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n" + hidden,
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" + hidden,
    ):
        with Line(live.port, 10) as line:
            assert line.send(data).status
            assert line.read().status == 0
