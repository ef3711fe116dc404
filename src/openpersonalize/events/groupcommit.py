"""One thread that commits for all: whoever waits while a commit runs shares the next one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Generic, NamedTuple, TypeVar

from ..errors import Unavailable

Work = TypeVar("Work")

MOST = 1024
"""Calls that share one commit at most: bounds the time and memory of a batch."""


class _Waiting(NamedTuple):
    """A call and who waits for it: a thread, or a coroutine of a loop."""

    work: object
    future: Future[int] | asyncio.Future[int]
    loop: asyncio.AbstractEventLoop | None


class GroupCommit(Generic[Work]):
    """Collects calls and hands them in batches to `commit`, in its own thread, in the order of submission.

    `commit` makes a batch durable, all or nothing, and returns a position for each call. When it raises for
    a batch, each call of it is tried alone, so that one bad call cannot fail its neighbours; an error then
    belongs to that call. Memory: the calls in flight, which the callers bound (each waits for its own).
    """

    def __init__(self, commit: Callable[[list[Work]], list[int]], name: str) -> None:
        self._commit = commit
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Work) -> Future[int]:
        """A future of the position; safe in any thread."""
        future: Future[int] = Future()
        self._put(_Waiting(work, future, None))
        return future

    async def submitted(self, work: Work) -> int:
        """The position, once durable; a batch wakes each event loop once."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()
        self._put(_Waiting(work, future, loop))
        return await future

    def close(self) -> None:
        """Commit what was submitted and end the thread; later submissions raise `Unavailable`."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _put(self, waiting: _Waiting) -> None:
        with self._lock:  # nothing can enter the queue behind the end mark
            if self._closed:
                raise Unavailable("The server is shutting down; send the request again.")
            self._queue.put(waiting)

    def _run(self) -> None:
        while True:
            first = self._queue.get()
            if first is None:
                return
            batch, ended = self._drain(first)
            self._settle(batch, self._results(batch))
            if ended:
                return

    def _drain(self, first: _Waiting) -> tuple[list[_Waiting], bool]:
        """Everybody who waits now, up to `MOST`, and whether the end mark was among them."""
        batch = [first]
        while len(batch) < MOST:
            try:
                waiting = self._queue.get_nowait()
            except Empty:
                break
            if waiting is None:
                return batch, True
            batch.append(waiting)
        return batch, False

    def _results(self, batch: list[_Waiting]) -> list[int | Exception]:
        works: list[Work] = [waiting.work for waiting in batch]  # type: ignore[misc]
        try:
            return list(self._commit(works))
        except Exception as error:  # noqa: BLE001 - handed to whoever waits for it
            if len(batch) == 1:
                return [error]
            return [result for waiting in batch for result in self._results([waiting])]

    def _settle(self, batch: list[_Waiting], results: list[int | Exception]) -> None:
        """Tell everybody: threads directly, coroutines by one call into each loop."""
        loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[int], int | Exception]]] = {}
        for waiting, result in zip(batch, results, strict=True):
            if waiting.loop is not None:
                loops.setdefault(waiting.loop, []).append((waiting.future, result))  # type: ignore[arg-type]
            elif waiting.future.set_running_or_notify_cancel():  # type: ignore[union-attr]
                _set(waiting.future, result)
        for loop, settled in loops.items():
            try:
                loop.call_soon_threadsafe(_set_all, settled)
            except RuntimeError:
                continue  # the loop has ended, and everybody who waited in it


def _set_all(settled: list[tuple[asyncio.Future[int], int | Exception]]) -> None:
    for future, result in settled:
        if not future.done():  # its caller may have gone away
            _set(future, result)


def _set(future: Future[int] | asyncio.Future[int], result: int | Exception) -> None:
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
