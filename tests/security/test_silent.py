"""Those who send nothing keep nobody out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from openpersonalize.access.keys import KeyRing
from server.wire import Wire, wire

from .raw import Line, request_bytes, send, signed_bytes

SHED_AFTER = 8
ASK = b'{"userId":"u"}'


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    folder = tmp_path_factory.mktemp("silent") / "data"
    made, secret = KeyRing(folder).create("admin")
    return folder, (made.id, secret)


@pytest.fixture(scope="module")
def live(key: tuple[Any, ...]) -> Iterator[Wire]:
    async def answer(context: object, request: object) -> dict[str, object]:
        return {"itemList": []}

    with wire(key[0], {"GetRecommendations": answer}, shed_after=SHED_AFTER) as running:
        yield running


@pytest.mark.parametrize("framing", ["Content-Length: 5", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("path", ["/recommendations", "/items", "/nowhere", "/v1/jobs"])
def test_unsigned_bodies_are_not_awaited(live: Wire, key: tuple[Any, ...], path: str, framing: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n".encode()
    with ExitStack() as lines:
        silent = [lines.enter_context(Line(live.port)) for _ in range(4 * SHED_AFTER)]
        statuses = {line.send(head).status for line in silent}
        assert statuses <= {400, 403}
        assert live.app._admission.awaited == live.app._admission.in_flight == 0
        assert send(live.port, signed_bytes(key[1], "POST", "/recommendations", ASK)).status == 200


def test_bodies_awaited_for_a_known_key_id_keep_nobody_from_work(live: Wire, key: tuple[Any, ...]) -> None:
    whole = signed_bytes(key[1], "POST", "/recommendations", ASK)
    with ExitStack() as lines:
        silent = [lines.enter_context(Line(live.port)) for _ in range(4 * SHED_AFTER)]
        for line in silent:
            line.socket.sendall(whole[: -len(ASK)])
        end = time.monotonic() + 10
        while live.app._admission.awaited < SHED_AFTER // 2:  # the most that one address may have
            assert time.monotonic() < end
            time.sleep(0.01)
        assert live.app._admission.awaited == SHED_AFTER // 2
        assert send(live.port, whole).status == 200


def test_a_signature_that_is_no_signature_is_refused_before_its_body(
    live: Wire, key: tuple[Any, ...]
) -> None:
    whole = signed_bytes(key[1], "POST", "/recommendations", ASK)
    date = next(line for line in whole.split(b"\r\n") if line.startswith(b"X-Amz-Date"))
    for wrong, code in (
        (whole.replace(key[1][0].encode(), b"OPAKUNKNOWN"), "InvalidClientTokenId"),
        (whole.replace(b"/personalize/", b"/other/"), "UnknownOperationException"),
        (whole.replace(date, b"X-Amz-Date: 20200101T000000Z"), "RequestExpired"),
        (whole.replace(date, b"X-Amz-Date: tomorrow"), "IncompleteSignature"),
        (whole.replace(date, date + b"\r\nX-Amz-Other: y"), "InvalidSignatureException"),
        (whole.replace(b"SignedHeaders=", b"SignedHeaders=host;"), "IncompleteSignature"),
        (whole.replace(b"SignedHeaders=", b"SignedHeaders=" + b"a;b;" * 40), "IncompleteSignature"),
        (whole.replace(b"Signature=", b"Signature=0"), "IncompleteSignature"),
        (whole.replace(b"Credential=", b"Credential=" + b"a" * 5000), "IncompleteSignature"),
    ):
        answer = send(live.port, wrong[: -len(ASK)])
        assert answer.code == code, (wrong, answer)


@pytest.mark.parametrize(
    "date",
    [
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Mon, 01 Jan 0001 00:00:00 +2359",
        "Fri, 31 Dec 99999 23:59:59 GMT",
        "Fri, 31 Dec 2026 23:59:59 +99999999999",
        "Fri, 31 Foo 2026 23:59:59",
        "",
        "\x80\xff",
        "1" * 500,
    ],
)
def test_odd_dates_are_refused(live: Wire, key: tuple[Any, ...], date: str) -> None:
    whole = signed_bytes(key[1], "POST", "/recommendations", ASK).split(b"\r\n")
    kept = [line for line in whole if not line.startswith(b"X-Amz-Date")]
    data = b"\r\n".join([kept[0], b"Date: " + date.encode("latin-1"), *kept[1:]])
    data = data.replace(b"SignedHeaders=host;x-amz-date", b"SignedHeaders=date;host")
    answer = send(live.port, data)
    assert answer.status in (400, 403)
    assert answer.code in ("IncompleteSignature", "RequestExpired")


def test_refusals_are_logged_with_peer_and_key_id(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made, secret = KeyRing(tmp_path).create("admin")
    with wire(tmp_path, {}) as live:
        send(live.port, request_bytes("POST", "/recommendations", {}, ASK))
        whole = signed_bytes((made.id, secret), "POST", "/recommendations", ASK)
        send(live.port, whole.replace(made.id.encode(), b"OPAKUNKNOWN"))
        for _ in range(100):
            send(live.port, b"nonsense\r\n\r\n")
    lines = [record.__dict__ for record in caplog.records if record.name.endswith("access.refusals")]
    assert [(line["peer"], line.get("key_id"), line["reason"]) for line in lines[:2]] == [
        ("127.0.0.1", None, "MissingAuthenticationToken"),
        ("127.0.0.1", "OPAKUNKNOWN", "InvalidClientTokenId"),
    ]
    assert len(lines) < 80
