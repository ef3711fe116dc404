from __future__ import annotations

from collections.abc import Iterator

import pytest

from .wire import Reply, Wire, wire

PAGE = "https://shop.example"
SCOPES = {
    "personalize": ("/recommendations", "personalize"),
    "s3": ("/films/in/a.csv", "s3"),
    "sts": ("/", "sts"),
}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    folder = tmp_path_factory.mktemp("cors")
    with wire(folder, {}, allowed_origins=f"{PAGE}, http://localhost:3000") as running:
        yield running


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with wire(tmp_path_factory.mktemp("closed"), {}) as running:
        yield running


def preflight(live: Wire, origin: str, path: str = "/events", **more: str) -> Reply:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-amz-date",
        "Sec-Fetch-Site": "cross-site",
        **more,
    }
    return live.send("OPTIONS", path, headers=headers)


@pytest.mark.parametrize("path", ["/events", "/", "/recommendations", "/films/in/a.csv"])
@pytest.mark.parametrize("origin", [PAGE, "http://localhost:3000"])
def test_the_pages_that_are_named_may_ask(live: Wire, path: str, origin: str) -> None:
    reply = preflight(live, origin, path)
    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers["access-control-allow-origin"] == origin
    assert reply.headers["access-control-allow-headers"] == "authorization,content-type,x-amz-date"
    assert "POST" in reply.headers["access-control-allow-methods"]
    assert reply.headers["vary"] == "origin"
    assert "access-control-allow-private-network" not in reply.headers
    more = {"Access-Control-Request-Private-Network": "true"}
    assert preflight(live, origin, **more).headers["access-control-allow-private-network"] == "true"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"{PAGE}.evil.example", PAGE.upper(), ""])
def test_others_may_not(live: Wire, origin: str) -> None:
    for reply in (preflight(live, origin), live.call("ListSchemas", headers={"Origin": origin})):
        assert reply.status >= 400
        assert "access-control-allow-origin" not in reply.headers


def test_by_default_nobody_may(closed: Wire) -> None:
    for reply in (preflight(closed, PAGE), closed.call("ListSchemas", headers={"Origin": PAGE})):
        assert reply.status >= 400
        assert not [name for name in reply.headers if name.startswith("access-control") or name == "vary"]


@pytest.mark.parametrize("service", SCOPES)
def test_every_answer_of_every_service_can_be_read(live: Wire, service: str) -> None:
    path, scope = SCOPES[service]
    signed = f"AWS4-HMAC-SHA256 Credential=a/20260101/eu-west-3/{scope}/aws4_request"
    reply = live.send(
        "POST" if service != "s3" else "GET", path, b"", {"Origin": PAGE, "Authorization": signed}
    )
    assert reply.headers["access-control-allow-origin"] == PAGE
    assert "x-amzn-requestid" in reply.headers["access-control-expose-headers"]


def test_the_pages_beside_the_services_stay_closed(live: Wire) -> None:
    reply = live.send("GET", "/v1/jobs", headers={"Origin": "https://evil.example"})
    assert reply.status == 400
    assert "access-control-allow-origin" not in live.send("GET", "/health", headers={"Origin": PAGE}).headers


def test_all_pages(tmp_path_factory: pytest.TempPathFactory) -> None:
    with wire(tmp_path_factory.mktemp("all"), {}, allowed_origins="*") as live:
        assert (
            preflight(live, "https://any.example").headers["access-control-allow-origin"]
            == "https://any.example"
        )
