from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from openpersonalize.access.keys import KeyRing

from .wire import Wire, wire


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with wire(tmp_path_factory.mktemp("front"), {}) as running:
        yield running


class Links(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "img", "link", "iframe"), "the page loads nothing"
        self.found += [value for name, value in attrs if name == "href" and value]


def test_a_browser_is_told_what_this_is(live: Wire) -> None:
    reply = live.send("GET", "/", headers={"Sec-Fetch-Site": "none", "Accept": "text/html"})
    page = reply.body.decode()
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "OpenPersonalize is ready" in page
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    for link in Links(page).found:
        assert live.send("GET", f"/{link}").status == 200


def test_its_head(live: Wire) -> None:
    reply = live.send("HEAD", "/")
    assert (reply.status, reply.body) == (200, b"")


def test_a_web_page_of_another_site_reads_nothing(live: Wire) -> None:
    assert live.send("GET", "/", headers={"Sec-Fetch-Site": "cross-site"}).status == 400


def test_with_keys_it_says_so_to_anybody(tmp_path: Path) -> None:
    KeyRing(tmp_path).create("admin")
    with wire(tmp_path, {}) as guarded:
        reply = guarded.send("GET", "/", headers={"Host": "shop.example"})
    assert reply.status == 200
    assert b"must be signed with one of its access keys" in reply.body
