"""The reader of requests beside another one (h11): where both read a request it is the same, and what the
other refuses is refused here. Two readers of one stream that disagree are what smuggling is made of."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openpersonalize.server.connections import Limits
from openpersonalize.server.requestreader import RequestHead, RequestReader
from security.test_http import FORMS

Read = list[tuple[bytes, bytes, bytes]]
"""(method, target, body) of requests that came whole."""

LAXER = {"version 0.9", "nothing but line ends", "absolute form"}
"""What h11 refuses as a form of address, and is one request to both."""
PIECES = [
    b"GET / HTTP/1.1\r\n",
    b"POST /recommendations HTTP/1.1\r\n",
    b"HEAD /a?b HTTP/1.0\r\n",
    b"Host: a\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length: 5, 5\r\n",
    b"Content-Length:\t5 \r\n",
    b"Content-Length: 005\r\n",
    b"Content-Length: 5\n",
    b"Content-Length : 5\r\n",
    b" Content-Length: 5\r\n",
    b"Content-Length: -5\r\n",
    b"Content-Length: 5;\r\n",
    b"Content_Length: 5\r\n",
    b"Content-Length:\x0b5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: CHUNKED\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Transfer-Encoding: chunked, identity\r\n",
    b"Transfer-Encoding:\x0bchunked\r\n",
    b"Transfer-Encoding: xchunked\r\n",
    b"Transfer-Encoding: chunked \r\n",
    b"Transfer-Encoding\r\n: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"TE: trailers\r\n",
    b"X: \r\n",
    b"X: a\r\n b\r\n",
    b"X\x00: a\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"Connection: upgrade\r\nUpgrade: h2c\r\n",
    b"Expect: 100-continue\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"hello",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"0\r\n",
    b"5;a=b\r\nhello\r\n",
    b"05\r\nhello\r\n",
    b"5 \r\nhello\r\n",
    b"+5\r\nhello\r\n",
    b"0x5\r\nhello\r\n",
    b"5\nhello\r\n",
    b"5\r\nhello",
    b"fffffffffffffffff\r\n",
    b"0;\r\n\r\n",
    b"X: trailer\r\n\r\n",
]


class Told:
    """What the reader told; the first refusal ends it."""

    def __init__(self) -> None:
        self.read: Read = []
        self.refused = False
        self.reader = RequestReader(self, Limits())
        self._head: RequestHead | None = None
        self._body = b""
        self.last = False

    def head_begun(self) -> None:
        pass

    def head_read(self, head: RequestHead) -> None:
        self._head, self._body = head, b""

    def body_read(self, piece: bytes) -> None:
        self._body += piece

    def request_read(self) -> None:
        head = self._head
        assert head is not None
        target = head.raw_path + (b"?" + head.query if head.query else b"")
        self.read.append((head.method.encode(), target, self._body))
        if not head.keep_alive:
            self.reader.stop()

    def refuse(self, reason: str) -> None:
        self.refused = True

    def leave_protocol(self) -> None:
        self.refused = True


def test_a_body_follows_an_offer_to_change_the_protocol() -> None:
    """As Java's own client makes it. The offer is not taken; the request is one like others."""
    expected = [(b"POST", b"/a", b"hello"), (b"GET", b"/next", b"")]
    head = b"POST /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    for framed in (
        b"Content-Length: 5\r\n\r\nhello",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ):
        for step in (1, 7, 1000):
            told = ours(head + framed + b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n", step)
            assert (told.read, told.refused) == (expected, False)
    twice = (head + b"Content-Length: 5\r\n\r\nhello") * 3
    for step in (1, 7, 1000):
        told = ours(twice, step)
        assert (told.read, told.refused) == ([(b"POST", b"/a", b"hello")] * 3, False)
    told = ours(head + b"Content-Length: 0\r\n\r\n")
    assert told.read == [(b"POST", b"/a", b"")]


def ours(data: bytes, step: int = 1 << 20) -> Told:
    told = Told()
    for at in range(0, len(data), step):
        told.reader.feed(data[at : at + step])
    return told


def others(data: bytes) -> tuple[Read, bool]:
    """(requests, whether something was refused) as h11 reads."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    found: Read = []
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                head, body = event, b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                if event.headers:
                    return found, True  # trailer fields: refused here on purpose
                found.append((head.method, head.target, body))
                if (
                    connection.our_state is h11.MIGHT_SWITCH_PROTOCOL
                    or connection.our_state is h11.SEND_RESPONSE
                ):
                    connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
                    connection.send(h11.EndOfMessage())
                if connection.our_state is not h11.DONE:
                    return found, False
                connection.start_next_cycle()
            else:  # NEED_DATA, PAUSED
                return found, False
    except h11.ProtocolError as error:
        # Empty lines before a request are left out here, as RFC 9112 advises. Whether a Host is there is
        # checked later: without keys it must be this machine's, with keys signed.
        return found, not any(reason in str(error) for reason in ("Missing mandatory Host", "request line"))


def agree(data: bytes) -> None:
    told = ours(data)
    theirs, refused = others(data)
    shorter = min(len(told.read), len(theirs))
    assert told.read[:shorter] == theirs[:shorter]
    if len(told.read) > len(theirs):
        assert not refused, (data, told.read, theirs)


@pytest.mark.parametrize("name", FORMS)
def test_forms(name: str) -> None:
    data, _ = FORMS[name]
    told = ours(data)
    theirs, refused = others(data)
    if told.read and name not in LAXER:
        assert (theirs[: len(told.read)], refused and not theirs) == (told.read, False), (told.read, theirs)


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=2, max_size=12).map(b"".join))
def test_what_two_readers_make_of_one_stream(data: bytes) -> None:
    agree(data)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=2, max_size=12).map(b"".join), st.integers(1, 9))
def test_it_does_not_matter_how_the_stream_is_cut(data: bytes, step: int) -> None:
    whole, cut = ours(data), ours(data, step)
    assert (whole.read, whole.refused) == (cut.read, cut.refused)
