"""The service by itself: time, and clients that go away. Requests go in and answers come out as ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from openpersonalize.access.keys import KeyRing
from openpersonalize.access.refusals import RefusalLog
from openpersonalize.server.cors import Origins
from openpersonalize.server.exchange import Disconnected, Exchange
from openpersonalize.server.s3.access import S3Access
from openpersonalize.server.s3.service import S3Service
from server.wire import settings_for

Pieces = Callable[[], AsyncIterator[bytes | None]]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[S3Service]:
    settings = settings_for(tmp_path)
    access = S3Access(settings, KeyRing(tmp_path), Origins(""), RefusalLog())
    made = S3Service(settings, access, patience=0.05, keep_alive=0.0, least_rate=10)
    (tmp_path / "buckets" / "films").mkdir()
    yield made
    made.close()


async def asked(
    service: S3Service, method: str, target: str, pieces: Pieces | None = None, **headers: str
) -> tuple[list[Any], str]:
    """(messages of the answer, code for the metrics); a piece of None is a client that goes away."""
    path, _, query = target.partition("?")
    sent: list[Any] = []
    body = pieces() if pieces else None

    async def receive() -> dict[str, Any]:
        if body is None:
            return {"type": "http.request", "body": b"", "more_body": False}
        try:
            piece = await anext(body)
        except StopAsyncIteration:
            return {"type": "http.request", "body": b"", "more_body": False}
        if piece is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    named = {"host": "localhost", **headers, **({"transfer-encoding": "chunked"} if pieces else {})}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in named.items()],
    }
    _, code = await service.answer(Exchange(scope, receive, send))
    return sent, code


def run(call: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(call)


def text(sent: list[Any]) -> bytes:
    return b"".join(message.get("body", b"") for message in sent)


def left(service: S3Service) -> list[str]:
    root = service._settings.data / "buckets"
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_a_copy_that_takes_long_is_told_to_be_at_work(service: S3Service, tmp_path: Path) -> None:
    (tmp_path / "buckets" / "films" / "a").write_bytes(b"x" * 1_000_000)
    sent, code = run(asked(service, "PUT", "/films/b", x_amz_copy_source="films/a"))
    assert (code, sent[0]["status"]) == ("OK", 200)
    assert text(sent).startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n ')
    assert text(sent).count(b"<?xml") == 1
    assert b"<CopyObjectResult" in text(sent)
    assert left(service) == ["films/a", "films/b"]


def test_a_copy_that_fails_late_says_so_in_the_answer(service: S3Service) -> None:
    sent, code = run(asked(service, "PUT", "/films/b", x_amz_copy_source="films/none"))
    assert (code, b"<Code>NoSuchKey</Code>" in text(sent)) == ("NoSuchKey", True)


def test_a_body_that_stops_coming_is_given_up(service: S3Service) -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield b"x" * 300_000
        await asyncio.sleep(60)

    sent, code = run(asked(service, "PUT", "/films/a", stalled))
    assert (code, sent[0]["status"]) == ("RequestTimeout", 400)
    assert left(service) == []


def test_a_body_that_keeps_coming_may_take_its_time(service: S3Service) -> None:
    async def slow() -> AsyncIterator[bytes]:
        for _ in range(8):
            await asyncio.sleep(0.02)
            yield b"x"

    _, code = run(asked(service, "PUT", "/films/a", slow))
    assert (code, left(service)) == ("OK", ["films/a"])


def test_a_client_that_goes_away_leaves_nothing(service: S3Service) -> None:
    async def gone() -> AsyncIterator[bytes | None]:
        yield b"x" * 300_000
        yield None

    with pytest.raises(Disconnected):
        run(asked(service, "PUT", "/films/a", gone))
    assert left(service) == []


def test_a_file_that_becomes_shorter_is_not_taken_for_whole(service: S3Service, tmp_path: Path) -> None:
    path = tmp_path / "buckets" / "films" / "a"
    path.write_bytes(b"x" * 3_000_000)
    pieces = 0

    async def cut() -> None:
        nonlocal pieces

        async def send(message: Any) -> None:
            nonlocal pieces
            pieces += 1
            path.write_bytes(b"")

        scope = {
            "type": "http", "method": "GET", "path": "/films/a", "raw_path": b"/films/a", "query_string": b"",
            "headers": [(b"host", b"localhost")],
        }  # fmt: skip
        await service.answer(Exchange(scope, asyncio.Event().wait, send))  # type: ignore[arg-type]

    with pytest.raises(Disconnected):
        run(cut())
    assert pieces < 4
