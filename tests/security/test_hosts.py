"""Without keys: what names this machine passes, what a web page or a proxy may have sent does not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from server.wire import Wire, wire

from .raw import request_bytes, send

PATHS = ("/health", "/metrics", "/v1/jobs", "/recommendations")
PASS: list[dict[str, str]] = [
    {"Host": "localhost"},
    {"Host": "LOCALHOST:8077"},
    {"Host": "127.0.0.1:1"},
    {"Host": "127.8.8.8"},
    {"Host": "[::1]:80"},
    {"Host": "shop.localhost"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "same-origin"},
]
REFUSED: list[dict[str, str]] = [
    {"Host": ""},
    {"Host": "evil.example"},
    {"Host": "localhost.evil.example"},
    {"Host": "evillocalhost"},
    {"Host": "127.0.0.1.evil.example"},
    {"Host": "10.0.0.1"},
    {"Host": "0.0.0.0"},
    {"Host": "[::1]evil"},
    {"Host": "[::1"},
    {"Host": "localhost:80@evil"},
    {"Host": "localhost:x"},
    {"Host": "a" * 5000 + ".localhost"},
    {"Origin": "null"},
    {"Origin": "http://localhost"},
    {"Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Forwarded": "for=203.0.113.7"},
    {"X-Forwarded-For": "203.0.113.7"},
    {"X-Forwarded-Host": "localhost"},
    {"X-Forwarded-Proto": "https"},
    {"X-Forwarded-Port": "443"},
    {"X-Forwarded-Server": "proxy"},
    {"X-Real-IP": "203.0.113.7"},
    {"Via": "1.1 proxy"},
]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    async def answer(context: object, request: object) -> dict[str, object]:
        return {"itemList": []}

    with wire(tmp_path_factory.mktemp("hosts"), {"GetRecommendations": answer}) as running:
        yield running


@pytest.mark.parametrize("path", PATHS)
def test_the_table(live: Wire, path: str) -> None:
    method, body = ("POST", b'{"userId":"u"}') if path == "/recommendations" else ("GET", b"")
    for headers in PASS:
        assert send(live.port, request_bytes(method, path, headers, body)).status == 200, headers
    for headers in REFUSED:
        answer = send(live.port, request_bytes(method, path, headers, body))
        assert (answer.status, answer.code) == (400, "AccessDeniedException"), headers


def test_pages_are_not_for_other_sites_to_keep(live: Wire) -> None:
    for path in ("/health", "/metrics", "/v1/jobs", "/v1/nothing"):
        headers = live.send("GET", path, headers={"Host": "localhost"}).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers
