"""Answers hold until the version changes, and nothing is worked out on the event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest

from openpersonalize.resources.metadata_cache import MetadataCache


class Versioned:
    """A cache whose version the test sets."""

    def __init__(self, most: int = 100) -> None:
        self.version = 1
        self.cache = MetadataCache(lambda: self.version, most)


@pytest.fixture
def one() -> Iterator[Versioned]:
    versioned = Versioned()
    yield versioned
    versioned.cache.close()


def run(journey: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(journey())  # type: ignore[arg-type]


def test_an_answer_is_worked_out_once_for_each_version(one: Versioned) -> None:
    calls: list[str] = []

    def make(name: str) -> str:
        calls.append(name)
        return name

    async def journey() -> None:
        assert [await one.cache.get("a", lambda: make("a")) for _ in range(3)] == ["a"] * 3
        assert await one.cache.get("b", lambda: make("b")) == "b"
        one.version = 2
        assert await one.cache.get("a", lambda: make("c")) == "c"

    run(journey)
    assert calls == ["a", "b", "c"]


def test_it_is_worked_out_in_a_thread_once_for_all_who_wait(one: Versioned) -> None:
    threads = []

    def make() -> int:
        threads.append(threading.current_thread())
        time.sleep(0.02)
        return 7

    async def journey() -> None:
        assert await asyncio.gather(*[one.cache.get("a", make) for _ in range(20)]) == [7] * 20

    run(journey)
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


def test_a_failure_is_not_kept(one: Versioned) -> None:
    async def journey() -> None:
        with pytest.raises(ZeroDivisionError):
            await one.cache.get("a", lambda: 1 // 0)
        assert await one.cache.get("a", lambda: 2) == 2

    run(journey)


def test_an_answer_begun_in_an_older_version_does_not_outlive_it(one: Versioned) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        assert go_on.wait(10)
        return "old"

    async def journey() -> None:
        waiting = asyncio.ensure_future(one.cache.get("a", slow))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        one.version = 2
        assert await one.cache.get("a", lambda: "new") == "new"  # does not wait for what began before
        go_on.set()
        assert await waiting == "old"
        assert await one.cache.get("a", lambda: "newer") == "new"

    run(journey)


def test_the_table_is_bounded() -> None:
    one = Versioned(most=2)

    async def journey() -> None:
        for key in "abc":
            await one.cache.get(key, lambda key=key: key)  # type: ignore[misc]
        assert await one.cache.get("a", lambda: "again") == "again"

    run(journey)
    one.cache.close()
