"""A cache of what was worked out from the metadata store, until a resource changes: `MetadataCache`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

Value = TypeVar("Value")

THREADS = 2


class MetadataCache:
    """Answers that hold for one version of the resources; all are forgotten when there is another.

    For an event loop: a kept answer costs a look at the version, a number in memory, and into a table; others
    are worked out in threads of the cache's own, once for all who ask for one at a time. Memory: `most`
    answers; when full the table starts afresh.
    """

    def __init__(self, version: Callable[[], int], most: int = 10_000) -> None:
        """Keep at most `most` answers while `version` returns the same number; it must do no I/O."""
        self._version = version
        self._most = most
        self._seen: int | None = None
        self._answers: dict[Hashable, Any] = {}
        self._working: dict[Hashable, asyncio.Future[Any]] = {}
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="metadata-cache")

    async def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The answer for `key`, worked out by `make` in a thread when none holds; an exception of `make` is
        not kept."""
        version = self._version()  # before `make` reads: a change meanwhile shows at the next call
        if version != self._seen or len(self._answers) >= self._most:
            self._answers, self._working = {}, {}
            self._seen = version
        answers, working = self._answers, self._working
        if key in answers:
            return cast(Value, answers[key])
        made = working.get(key)
        if made is None:
            made = working[key] = asyncio.get_running_loop().run_in_executor(self._threads, make)
            made.add_done_callback(lambda _: working.pop(key, None))
        value = await asyncio.shield(made)
        answers[key] = value  # into the table of the state it was begun in, which may be out of use by now
        return cast(Value, value)

    def close(self) -> None:
        """Wait for what is being worked out."""
        self._threads.shutdown(wait=True, cancel_futures=True)
